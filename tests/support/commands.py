# SPDX-License-Identifier: Apache-2.0
"""People at machines who type `sandyk` commands: the installed console script, each time in a process of its own.

Their vaults are founded at the least cost of stretching a passphrase that the real command accepts.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from keys.primitives import FLOOR
from keys.secret import Secret
from tests.support import standby
from tests.support.cli_docs import documented_fields, fields_of
from tests.support.standby import SCRIPT
from vault.disk import Disk
from vault.founding import found

LETTER = "Кат: тинтүү 07:15те башталды\n".encode()
NO_VAULT_OPTION = {"drop", "reader"}
"""Commands that know of no vault."""
NO_PASSPHRASE = {"drop", "reader", "status", "panic", "init", "browse"}
GROUPS = {"journalist", "card", "contact", "case", "receipt", "key"}


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    command: str
    code: int
    stdout: bytes
    err: str

    @property
    def out(self) -> str:
        """Standard output as text."""
        return self.stdout.decode()

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on standard output. Each of its fields is documented."""
        document = json.loads(self.stdout)
        assert isinstance(document, dict)
        assert fields_of(document) <= documented_fields(self.command), self.command
        return document


@dataclass(slots=True)
class Desk:
    """Somebody at a machine of their own: a home folder, a vault, and their passphrase in a file elsewhere."""

    home: Path
    vault: Path
    passphrase: Path
    token: Path | None = None
    more: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """What the commands find in their environment: nothing that names a vault, and every folder in ``home``."""
        return {
            "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "COLUMNS": "80", "HOME": str(self.home),
            "TMPDIR": str(self.home / "tmp"), "XDG_RUNTIME_DIR": str(self.home / "run"), **self.more,
        }  # fmt: skip

    def words(self, *words: str) -> list[str]:
        """The whole command line for some words, with the options that say which vault and who."""
        command = [str(SCRIPT), *words]
        if words[0] not in NO_VAULT_OPTION and "--vault" not in words:
            command += ["--vault", str(self.vault)]
        asks = words[0] not in NO_PASSPHRASE and words[:2] != ("key", "recover")
        if asks and not {"--passphrase-file", "--identity"} & set(words):
            command += ["--passphrase-file", str(self.passphrase)]
            if self.token is not None and "--token" not in words:
                command += ["--token", str(self.token)]
        return command

    def run(self, *words: str, code: int = 0, stdin: bytes = b"") -> Done:
        """Run a command to its end and check its exit code. There is no terminal."""
        done = standby.run(self.words(*words), input=stdin, env=self.environment(), cwd=self.home)
        err = done.stderr.decode()
        assert done.returncode == code, f"{words}: {done.returncode} instead of {code}\n{done.stdout.decode()}{err}"
        assert "Traceback" not in err, err
        name = " ".join(words[:2]) if words[0] in GROUPS else words[0]
        return Done(name, done.returncode, done.stdout, err)

    def json(self, *words: str, code: int = 0, stdin: bytes = b"") -> dict[str, Any]:
        """The same with ``--json``: the document."""
        return self.run(*words, "--json", code=code, stdin=stdin).document

    def write(self, name: str, content: bytes | str = b"content\n") -> str:
        """A file in the home folder; its path."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)


def desk(folder: Path, label: str = "Айгүл", passphrase: str = "correct horse battery") -> Desk:
    """A machine below ``folder`` with a new vault and its first journalist."""
    home = folder / label
    for name in ("tmp", "run"):
        (home / name).mkdir(parents=True)
    words = folder / f"{label}.passphrase"
    words.write_text(passphrase + "\n")
    vault = home / "vault"
    found(str(vault), Secret(passphrase.encode()), None, disk=Disk(), label=label, now_ns=time.time_ns(), cost=FLOOR)
    return Desk(home, vault, words)


def colleague(at: Desk, name: str, passphrase: str = "a passphrase of their own", *, token: bool = False) -> Desk:
    """A second journalist in the same vault, added by the first."""
    words = at.passphrase.with_name(f"{name}.passphrase")
    words.write_text(passphrase + "\n")
    stick = at.passphrase.with_name(f"{name}.stick") if token else None
    more = ("--new-token", str(stick)) if stick else ()
    at.run("journalist", "add", name, "--new-passphrase-file", str(words), *more)
    return Desk(at.home, at.vault, words, stick)


def exchange_cards(one: Desk, other: Desk, *, names: tuple[str, str], verified: bool = True) -> None:
    """Each takes the other's card as a contact: ``names`` are what they call ``other`` and ``one``."""
    for here, there, name in ((one, other, names[0]), (other, one, names[1])):
        card = there.write(f"card-for-{name}", there.run("card", "export").stdout)
        here.run("contact", "add", name, card)
        if verified:
            words = here.json("card", "show", card)["words"]
            here.run("contact", "verify", name, "--words", words)


def copied(at: Desk, source: Path, target: Path) -> Desk:
    """The same desk in a copy of the folder that it lies in."""
    token = None if at.token is None else target / at.token.relative_to(source)
    return Desk(*(target / p.relative_to(source) for p in (at.home, at.vault, at.passphrase)), token)


@functools.cache
def _newsroom() -> tuple[Path, Desk]:
    folder = scratch()
    at = desk(folder)
    at.run("case", "new", "Road works")
    return folder, at


@functools.cache
def _with_an_editor() -> tuple[Path, Desk, Desk, str]:
    folder, (source, at) = scratch() / "all", _newsroom()
    shutil.copytree(source, folder)
    here, editor = copied(at, source, folder), desk(folder, "Editor")
    exchange_cards(here, editor, names=("editor", "news"))
    here.run("add", "Road works", here.write("letter.txt", LETTER), here.write("b.txt"), "--source", "a friend")
    here.run("export", "Road works", "-o", str(here.home / "bundle.age"), "--to", "editor")
    return folder, here, editor, str(here.home / "bundle.age")


def scratch() -> Path:
    """A folder for desks, removed when the process ends."""
    path = tempfile.mkdtemp(prefix="sandyk-desks-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


@pytest.fixture
def one(tmp_path: Path) -> Desk:
    """One journalist at their machine, with the empty case "Road works"."""
    source, at = _newsroom()
    shutil.copytree(source, tmp_path / "one")
    return copied(at, source, tmp_path / "one")


@pytest.fixture
def bundle(tmp_path: Path) -> tuple[Desk, Desk, str]:
    """The journalist, an editor with a vault of their own who knows them, and a bundle from one to the other."""
    source, here, editor, sealed = _with_an_editor()
    target = tmp_path / "both"
    shutil.copytree(source, target)
    sealed = str(target / Path(sealed).relative_to(source))
    return copied(here, source, target), copied(editor, source, target), sealed
