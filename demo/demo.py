# SPDX-License-Identifier: Apache-2.0
"""The main job from end to end, run as a user would type it, on real files in a scratch folder.

    python demo/demo.py [FOLDER]

Standard library only; everything else is done by the `sandyk` command. Each step is shown
with its time. The two passphrases lie in the scratch folder because nobody is there to type
them; it is removed at the end.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SANDYK = Path(sys.executable).parent / "sandyk"


class Failed(Exception):
    """Raised when a step did not do what it should."""


def step(title: str, *command: str, expect: int = 0, show: bool = True) -> str:
    """Run one command and print it, its output and its time; its standard output."""
    print(f"\n── {title}\n$ sandyk {' '.join(c if ' ' not in c else repr(c) for c in command)}", flush=True)
    start = time.monotonic()
    done = subprocess.run([SANDYK, *command], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    took = time.monotonic() - start
    if show or done.returncode != expect:
        lines = (done.stdout + done.stderr).splitlines()
        for line in lines[:14]:
            print(f"  {line}")
        if len(lines) > 14:
            print(f"  … {len(lines) - 14} more lines")
    print(f"  [{took:.2f} s, exit code {done.returncode}]", flush=True)
    if done.returncode != expect:
        raise Failed(f"{title}: exit code {done.returncode}, not {expect}")
    return done.stdout


def compare(original: Path, names: dict[str, Path]) -> int:
    """Compare every original with what the editor got, byte for byte; how many there were."""
    count = 0
    for path in sorted(p for p in original.rglob("*") if p.is_file() and not p.is_symlink()):
        name = f"{original.name}/{path.relative_to(original)}"
        if name not in names or not filecmp.cmp(path, names[name], shallow=False):
            raise Failed(f"{name} did not arrive as it was")
        count += 1
    return count


def run(documents: Path, scratch: Path) -> None:
    """All steps, in a folder that is thrown away."""
    newsroom, abroad, out = (str(scratch / name) for name in ("newsroom", "abroad", "out"))
    for name, words in (("journalist", "a long passphrase for the journalist"), ("editor", "and one for the editor")):
        (scratch / name).write_text(words + "\n")
    here = ["--vault", newsroom, "--passphrase-file", str(scratch / "journalist")]
    there = ["--vault", abroad, "--passphrase-file", str(scratch / "editor")]

    step("a vault for the newsroom", "init", "--vault", newsroom, "--new-passphrase-file", str(scratch / "journalist"))
    step("a vault for the editor abroad", "init", "--vault", abroad, "--new-passphrase-file", str(scratch / "editor"))
    for name, vault in (("journalist.card", here), ("editor.card", there)):
        step("a card to hand over", "card", "export", "-o", str(scratch / name), *vault)
    for contact, card, vault in (("editor", "editor.card", here), ("newsroom", "journalist.card", there)):
        step("take the other's card", "contact", "add", contact, str(scratch / card), *vault)
        words = json.loads(step("its words", "card", "show", str(scratch / card), "--json", show=False))["words"]
        step("words compared by voice", "contact", "verify", contact, "--words", words, *vault)

    step("a case", "case", "new", "road works", *here)
    step("file the documents", "add", "road works", str(documents), *here)
    items = json.loads(step("list them", "list", "road works", "--json", *here, show=False))["items"]
    step("the list as a person sees it", "list", "road works", *here)
    wanted = Path(items[0]["name"]).name
    step("search by name", "search", wanted, *here)
    step("verify: read everything back", "verify", *here)
    bundle = str(scratch / "bundle.age")
    step("seal a bundle for the editor", "export", "road works", "-o", bundle, "--to", "editor", *here)
    opened = json.loads(step("the editor opens it", "open", bundle, "-o", out, "--json", *there, show=False))
    print(f"  signed by: {opened['signer']['name']}; {len(opened['items'])} documents in {out}")
    count = compare(documents, {i["name"]: Path(i["path"]) for i in opened["items"]})
    print(f"  compared with the originals: {count} files, every byte the same")

    size = sum(p.stat().st_size for p in Path(newsroom).rglob("*") if p.is_file())
    print(f"\nThe newsroom's vault holds {size / 1e6:.1f} MB. Somebody is at the door.")
    step("panic", "panic", "--vault", newsroom)
    step("no passphrase opens anything", "list", *here, expect=10)
    left = list(Path(newsroom).rglob("*")) if os.path.exists(newsroom) else []
    print(f"  files left in the vault's folder: {len(left)}")

    again = str(scratch / "kept")
    step("once more, as a wipe that leaves a locked-looking vault", "init", "--vault", again,
         "--new-passphrase-file", str(scratch / "journalist"), show=False)  # fmt: skip
    step("panic --keep", "panic", "--vault", again, "--keep", show=False)
    step("the right passphrase opens nothing any more", "case", "list", "--vault", again,
         "--passphrase-file", str(scratch / "journalist"), expect=11)  # fmt: skip


def main() -> int:
    """Run the demonstration on the folder that was named, or on the sample documents."""
    documents = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "demo" / "documents"
    if not documents.is_dir():
        print(f"{documents} is no folder", file=sys.stderr)
        return 2
    start = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="sandyk-demo-"))
    try:
        run(documents, scratch)
    except Failed as exc:
        print(f"\nthe demonstration failed: {exc}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"\nAll of it: {time.monotonic() - start:.1f} s. Filed, listed, found, verified, exported, opened, wiped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
