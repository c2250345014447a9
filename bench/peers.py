# SPDX-License-Identifier: Apache-2.0
"""The tools that are compared, each as shell commands: `sandyk` itself, restic, BorgBackup, 7-Zip, and tar with age.

In the commands ``{src}`` is the corpus; ``{store}``, ``{out}`` and ``{tmp}`` are empty folders of the tool's own.
restic is the base of all ratios: the fastest of the deduplicating, encrypting stores.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

SANDYK = str(Path(sys.executable).parent / "sandyk")
_PASSPHRASE = "correct horse battery staple"
_OURS = "--vault {store}/vault --passphrase-file {tmp}/pass"


@dataclass(frozen=True, slots=True)
class Tool:
    """``phases``: what to run, of ``bench.rounds.PHASES``. ``needs``: programs it is made of."""

    name: str
    needs: tuple[str, ...]
    phases: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)
    version: str = ""

    def installed(self) -> bool:
        """Whether all of its programs are on the path."""
        return all(shutil.which(program) for program in self.needs)

    def version_text(self) -> str:
        """What the tool says of its version, in one line."""
        done = subprocess.run(["bash", "-c", self.version], capture_output=True, text=True, check=False)
        return (done.stdout.strip().splitlines() or ["version unknown"])[0]


def _sandyk(command: str, arguments: str = "") -> str:
    return f"'{SANDYK}' {command} {_OURS} {arguments}"


OURS = Tool(
    "sandyk", (SANDYK,),
    {
        "init": f"echo '{_PASSPHRASE}' >{{tmp}}/pass; '{SANDYK}' init --vault {{store}}/vault"
                f" --new-passphrase-file {{tmp}}/pass; {_sandyk('case new', 'c')}",
        "add": _sandyk("add", "c {src}"),
        "again": _sandyk("add", "c {src}"),
        "unlock": _sandyk("unlock"),
        "held": f"'{SANDYK}' add c {{src}} --vault {{store}}/vault",
        "held export": f"'{SANDYK}' export c --to first --force -o {{tmp}}/bundle.age --vault {{store}}/vault",
        "held open": f"'{SANDYK}' open {{tmp}}/bundle.age -o {{out}} --vault {{store}}/vault",
        "lock": f"'{SANDYK}' lock --vault {{store}}/vault",
        "verify": _sandyk("verify"),
        "get": _sandyk("get", "--all c -o {out}"),
        "export": _sandyk("export", "c --to first --force -o {tmp}/bundle.age"),
        "open": _sandyk("open", "{tmp}/bundle.age -o {out}"),
    },
    version=f"'{SANDYK}' --version",
)  # fmt: skip

RESTIC = Tool(
    "restic", ("restic",),
    {
        "init": "restic init -q --repository-version 2",
        "add": "cd {src} && restic backup -q .",
        "again": "cd {src} && restic backup -q .",
        "verify": "restic check -q --read-data",
        "get": "restic restore -q latest --target {out}",
    },
    {"RESTIC_REPOSITORY": "{store}/r", "RESTIC_PASSWORD": _PASSPHRASE, "RESTIC_CACHE_DIR": "{tmp}/cache"},
    version="restic version | cut -d' ' -f1,2",
)  # fmt: skip

BORG = Tool(
    "borg", ("borg",),
    {
        "init": "borg init -e repokey-blake2",
        "add": "cd {src} && borg create --compression auto,zstd,3 ::a .",
        "again": "cd {src} && borg create --compression auto,zstd,3 ::b .",
        "verify": "borg check --verify-data",
        "get": "cd {out} && borg extract ::a",
    },
    {"BORG_REPO": "{store}/r", "BORG_PASSPHRASE": _PASSPHRASE, "BORG_BASE_DIR": "{tmp}",
     "BORG_DISPLAY_PASSPHRASE": "no"},
    version="borg --version",
)  # fmt: skip

SEVEN_ZIP = Tool(
    "7zz", ("7zz",),
    {
        "init": "true",
        "add": f"cd {{src}} && 7zz a -p'{_PASSPHRASE}' -mhe=on -mx=0 -bso0 -bsp0 {{store}}/a.7z .",
        "again": f"cd {{src}} && 7zz u -p'{_PASSPHRASE}' -mhe=on -mx=0 -bso0 -bsp0 {{store}}/a.7z .",
        "verify": f"7zz t -p'{_PASSPHRASE}' -bso0 -bsp0 {{store}}/a.7z",
        "get": f"7zz x -p'{_PASSPHRASE}' -bso0 -bsp0 -o{{out}} {{store}}/a.7z",
    },
    version="7zz | grep -m1 7-Zip | cut -d' ' -f1-3",
)  # fmt: skip

TAR_AGE = Tool(
    "tar + age", ("tar", "age", "age-keygen"),
    {
        "init": "age-keygen -o {tmp}/key 2>&1; age-keygen -y {tmp}/key >{tmp}/pub",
        "add": "tar c -C {src} . | age -R {tmp}/pub -o {store}/a.tar.age",
        "again": "tar c -C {src} . | age -R {tmp}/pub -o {store}/b; mv {store}/b {store}/a.tar.age",
        "verify": "age -d -i {tmp}/key {store}/a.tar.age >/dev/null",
        "get": "age -d -i {tmp}/key {store}/a.tar.age | tar x -C {out}",
    },
    version="echo age $(age --version)",
)  # fmt: skip

PEERS = (RESTIC, BORG, SEVEN_ZIP, TAR_AGE)
