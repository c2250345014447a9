# SPDX-License-Identifier: Apache-2.0
"""The page that is shipped: made from the sources beside it, whole in one file, and the same from the command."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from keys.words import fingerprint_words
from tests.support.browser import READER, SOURCES
from tests.support.commands import desk
from tests.support.tools import need, need_node_package
from vault.names import is_bag_name, json_safe, printable
from vault.padding import padme

PAGE = READER.read_text("utf-8")
POLICY = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', PAGE)


def test_a_build_gives_the_same_bytes_again(tmp_path: Path) -> None:
    """So whoever doubts the page can make it from the sources. It also holds the types (tsc)."""
    need_node_package("esbuild", SOURCES)
    again = tmp_path / "again.html"
    subprocess.run([need("node"), "node_modules/typescript/bin/tsc", "--noEmit"], cwd=SOURCES, check=True)
    subprocess.run([need("node"), "build.mjs", str(again)], cwd=SOURCES, check=True)
    assert again.read_bytes() == READER.read_bytes()


def test_the_policy_allows_one_script_one_style_and_nothing_else() -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", PAGE, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", PAGE, re.DOTALL)

    def digest(text: str) -> str:
        return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert POLICY is not None
    assert POLICY[1] == (
        f"default-src 'none'; script-src '{digest(script)}'; style-src '{digest(style)}'; img-src blob:; "
        "connect-src 'none'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def test_the_page_refers_to_nothing_outside_of_itself() -> None:
    markup = re.sub(r"<script>.*?</script>|<!--.*?-->", "", PAGE, flags=re.DOTALL)
    assert not re.search(r"\b(src|href|action|srcset|style|on\w+)=|url\(|@import", markup)
    assert PAGE.index("Content-Security-Policy") < PAGE.index("<style>") < PAGE.index("<script>")


def test_the_lock_names_digests_and_no_registry() -> None:
    lock = json.loads((SOURCES / "package-lock.json").read_text("utf-8"))
    packages = {path: package for path, package in lock["packages"].items() if path}
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())
    wanted = json.loads((SOURCES / "package.json").read_text("utf-8"))
    versions = [*wanted["dependencies"].values(), *wanted["devDependencies"].values()]
    assert all(re.fullmatch(r"[0-9.]+", version) for version in versions)


def test_the_licences_of_what_is_inside_are_inside() -> None:
    for words in ("The age Authors", "Paul Miller", "EFF large word list", "SPDX-License-Identifier: Apache-2.0"):
        assert words in PAGE[PAGE.rindex("<!--") :]


def test_the_command_writes_the_page_once_and_says_its_digest(tmp_path: Path) -> None:
    one = desk(tmp_path)
    digest = hashlib.sha256(READER.read_bytes()).hexdigest()
    target = tmp_path / "reader.html"
    done = one.run("reader", "-o", str(target))
    assert target.read_bytes() == READER.read_bytes()
    assert digest in done.out
    assert "by another way than the bundles" in done.err
    assert f"sandyk: {target} is there already" in one.run("reader", "-o", str(target), code=1).err
    assert one.json("reader") == {"file": None, "sha256": digest}


TRIALS = """
import { build } from "esbuild"
const entry = `export * from "./src/names.ts"; export * from "./src/padding.ts"; export * from "./src/words.ts"`
const made = await build({ stdin: { contents: entry, resolveDir: "." }, bundle: true, write: false, format: "esm" })
const names = await import("data:text/javascript;base64," + Buffer.from(made.outputFiles[0].text).toString("base64"))
const { sizes, digests } = JSON.parse(process.argv[1])
const found = { bag: [], json: {}, shown: {}, padded: [], words: [] }
for (let code = 0; code < 0x110000; code++) {
  if (code >= 0xd800 && code < 0xe000) continue
  const char = String.fromCodePoint(code)
  if (!names.isBagName(`a${char}b`)) found.bag.push(code)
  if (names.jsonString(char) !== `"${char}"`) found.json[code] = names.jsonString(char)
  if (names.printable(char) !== char) found.shown[code] = names.printable(char)
}
found.padded = sizes.map((size) => names.padme(size, 262144))
found.words = digests.map((digest) => names.fingerprintWords(Uint8Array.from(Buffer.from(digest, "hex"))))
found.bytes = names.printable(Uint8Array.of(0xcf, 0xf0, 0x41, 0xd1, 0x8b, 0xff, 0xe2, 0x80, 0x41, 0xe2, 0x80, 0xae))
console.log(JSON.stringify(found))
"""


@pytest.fixture(scope="module")
def trials() -> tuple[dict[str, object], list[int], list[bytes]]:
    """What the page's own functions answer, for every character there is."""
    need_node_package("esbuild", SOURCES)
    sizes = [0, 1, 262_143, 262_144, 262_145, 300_001, 1 << 20, (1 << 31) + 1, (1 << 32) + 77, (1 << 45) + 12_345]
    digests = [bytes(32), b"\xff" * 32, *(hashlib.sha256(bytes([n])).digest() for n in range(20))]
    asked = json.dumps({"sizes": sizes, "digests": [digest.hex() for digest in digests]})
    command = [need("node"), "--input-type=module", "-e", TRIALS, asked]
    done = subprocess.run(command, cwd=SOURCES, check=True, capture_output=True, text=True)
    return json.loads(done.stdout), sizes, digests


def test_every_character_is_judged_spelled_and_shown_as_by_the_program(
    trials: tuple[dict[str, object], list[int], list[bytes]],
) -> None:
    found = trials[0]
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    assert found["bag"] == [ord(c) for c in characters if not is_bag_name(f"a{c}b")]
    spelled = {c: json_safe(json.dumps(c, ensure_ascii=False)) for c in characters}
    assert found["json"] == {str(ord(c)): text for c, text in spelled.items() if text != f'"{c}"'}
    shown = {c: printable(c) for c in characters}
    assert found["shown"] == {str(ord(c)): text for c, text in shown.items() if text != c}


def test_bytes_sizes_and_words_are_the_programs(trials: tuple[dict[str, object], list[int], list[bytes]]) -> None:
    found, sizes, digests = trials
    assert found["bytes"] == printable(bytes.fromhex("cff041d18bffe28041e280ae"))
    assert found["padded"] == [padme(size, least=262_144) for size in sizes]
    assert found["words"] == [list(fingerprint_words(digest)) for digest in digests]
