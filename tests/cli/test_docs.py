# SPDX-License-Identifier: Apache-2.0
"""docs/cli.md says what the program does: its help texts, its exit codes, its JSON fields."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from keys.errors import KeysError
from tests.support.cli_docs import (
    PAGE,
    commands,
    documented_codes,
    documented_fields,
    documented_help,
    fields_of,
    help_of,
    table_of_codes,
)
from tests.support.commands import Desk, colleague
from tests.support.telling_documents import picture
from tests.support.tsa import authority, tsa
from vault import layout
from vault.cli import app as app  # every module of the command line is loaded, and with it every error class
from vault.cli import exits
from vault.errors import VaultError

ELSEWHERE = {
    *("unlock", "lock", "journalist duress", "journalist token add", "journalist token remove", "doctor", "drill"),
    *("key split", "key list", "key ask", "key check", "key recover", "key revoke"),
}
"""Commands that need an agent, a decoy, a stick or several people abroad: tests of their own drive them."""


RARE = {
    "verify": {"cases[].remarks[].pack", "cases[].remarks[].what"},
    "remove": {"cases[].left[].pack", "cases[].left[].what"},
    "compact": {"left[].pack", "left[].what"},
    "status": {
        f"counted.shares.{name}" for name in ("set", "made_ns", "threshold", "count", "answered", "last_checked_ns")
    },
}
"""Fields that need a pack by a former member, one that rots at the right moment, or shares of a key: other tests'."""


def test_every_command_is_documented_and_nothing_else() -> None:
    assert set(documented_help(PAGE.read_text("utf-8"))) == set(commands())


@pytest.mark.parametrize("command", commands())
def test_help_is_what_the_page_shows(command: str) -> None:
    """`make docs` writes the texts anew."""
    assert documented_help(PAGE.read_text("utf-8"))[command] == help_of(command)


@pytest.mark.parametrize("command", commands())
def test_help_says_what_every_argument_and_option_is(command: str) -> None:
    text = help_of(command)
    lines = text.splitlines()
    for place, line in enumerate(lines):
        if line.startswith("  -") and "  " not in line.strip():
            assert lines[place + 1].startswith(" " * 20), line
    assert "<str>" not in text
    assert "list[" not in text


def test_every_exit_code_is_documented() -> None:
    assert documented_codes(PAGE.read_text("utf-8")) == table_of_codes()
    constants = {v for n, v in vars(exits).items() if n.isupper() and isinstance(v, int)}
    assert constants == set(exits.MEANINGS)


def descendants(kind: type[Exception]) -> Iterator[type[Exception]]:
    for child in kind.__subclasses__():
        yield child
        yield from descendants(child)


@pytest.mark.parametrize(
    "kind", [*descendants(VaultError), *descendants(KeysError)], ids=lambda kind: kind.__qualname__
)
def test_every_error_has_an_exit_code_of_its_own_or_of_its_cause(kind: type[Exception]) -> None:
    """A class of its own cause directly below the root must be in the table: the root's `failed` is no answer."""
    parent = kind.__mro__[1]
    if parent in (VaultError, KeysError):
        assert kind in exits._CODES
    assert exits.exit_code(kind.__new__(kind)) in exits.MEANINGS


@pytest.mark.parametrize("code", [VaultError, KeysError])
def test_an_error_that_nobody_named_is_a_failure(code: type[Exception]) -> None:
    assert exits.exit_code(code("x")) == exits.FAILED


def test_every_command_that_reports_documents_its_json() -> None:
    for command in commands():
        if "  --json" in help_of(command):
            assert documented_fields(command.removeprefix("sandyk ")), command


def test_the_fields_of_each_document_are_the_documented_ones(bundle: tuple[Desk, Desk, str]) -> None:
    """Each command is driven to where every one of its fields appears."""
    one, editor, sealed = bundle
    seen: dict[str, set[str]] = {}

    def run(at: Desk, *words: str, code: int = 0) -> dict[str, object]:
        done = at.run(*words, "--json", code=code)
        seen.setdefault(done.command, set()).update(fields_of(done.document))
        return done.document

    one.write(os.fsdecode(b"in/no utf-8 \xff.txt"))
    (one.home / "in/link").symlink_to("/")
    new = str(one.home / "new")
    run(one, "init", "--vault", new, "--new-passphrase-file", str(one.passphrase))
    two = colleague(one, "Бакыт")
    third = one.write("third", "a third long passphrase")
    run(one, "journalist", "add", "Third", "--new-passphrase-file", third)
    run(one, "journalist", "list")
    run(two, "journalist", "passwd", "--new-passphrase-file", one.write("two", "one more long passphrase"))
    two.passphrase = one.home / "two"
    run(one, "case", "new", "Second")
    run(one, "case", "grant", "Road works", "Бакыт")
    run(one, "case", "members", "Road works")
    run(one, "case", "revoke", "Road works", "Бакыт")
    run(one, "add", "Road works", str(one.home / "in"), code=3)
    moved = one.write("moved.txt", "moved")
    run(one, "add", "Road works", moved, "--move")
    run(one, "card", "show")
    case_card = editor.write("case.card", str(run(one, "card", "export", "--case", "Road works")["card"]))
    run(editor, "contact", "add", "roads", case_card)
    run(editor, "contact", "list")
    run(editor, "contact", "verify", "roads", "--words", str(run(one, "card", "show", case_card)["words"]))
    run(editor, "drop", case_card, editor.write("d.txt"), "missing", "-o", str(editor.home / "d"), code=3)
    run(editor, "add", "roads", editor.write("e.txt"))
    run(editor, "contact", "remove", "roads")
    run(one, "export", "Road works", "-o", str(one.home / "x.age"), "--to", "editor")
    run(one, "add", "Road works", one.write("photo.png", picture("PNG")))
    run(one, "export", "Road works", "-o", str(one.home / "y.age"), "--to", "editor", "--clean-only", code=3)
    stamped, root = str(one.home / "stamped.age"), str(authority().root)
    with tsa() as server:
        stamp = ("--timestamp", server.url(), "--tsa-ca", root)
        run(one, "export", "Road works", "-o", stamped, "--to", "editor", *stamp)
    run(editor, "open", stamped, "-o", str(editor.home / "stamped"))
    run(editor, "verify", stamped, "--tsa-ca", root, "-o", str(editor.home / "report.txt"))
    parts = one.home / "parts"
    run(one, "export", "Road works", "-o", str(parts), "--to", "editor", "--volume-size", "2M", "--repair", "1")
    damaged = min(parts.iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-1])
    run(editor, "open", str(parts), "-o", str(editor.home / "joined"))
    run(editor, "case", "new", "In")
    receipt = str(editor.home / "receipt")
    run(editor, "open", sealed, "-o", str(editor.home / "out"), "--receipt", receipt)
    run(one, "receipt", "show", receipt)
    run(one, "receipt", "take", receipt)
    run(editor, "open", sealed, "--into", "In")
    bad_case = str(run(one, "case", "new", "Bad")["id"])
    (access,) = (one.vault / layout.CASES / bad_case / layout.ACCESS).iterdir()
    access.write_bytes(access.read_bytes()[:-1])
    run(one, "case", "list", code=3)
    run(one, "status", "--cases", "--passphrase-file", str(one.passphrase), code=3)
    run(one, "list", code=3)
    one.write("in/old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    one.write("in/cut.txt", "word " * 900_000)
    run(one, "add", "Road works", str(one.home / "in/old.doc"), str(one.home / "in/cut.txt"))
    run(one, "index", code=3)
    run(one, "search", "no utf-8", code=3)
    name = "in/no utf-8 \udcff.txt"
    run(one, "show", name)
    run(one, "get", name, "-o", str(one.home / "out"))
    run(one, "get", name, "-o", str(one.home / "out"), code=1)
    run(one, "remove", name, "--yes")
    run(one, "compact", "Road works")
    run(one, "log", code=3)
    run(one, "parity", "Road works")
    run(one, "add", "Second", one.write("lost.txt", "lost"))
    run(one, "export", "Second", "-o", str(one.home / "second.age"), "--to", "editor")
    for pack in one.vault.glob(f"{layout.CASES}/*/{layout.PACKS}/*.age"):
        pack.write_bytes(pack.read_bytes()[:-1])
    run(one, "verify", code=12)
    run(one, "rebuild", "Road works", code=12)
    run(one, "verify", "--repair", code=12)
    run(one, "reader")
    run(one, "status")
    run(one, "journalist", "remove", "Third")
    run(one, "panic", "--drill")
    run(one, "panic")

    for command in commands()[1:]:
        command = command.removeprefix("sandyk ")
        if command in seen:
            assert seen[command] | RARE.get(command, set()) == documented_fields(command), command
        elif "  --json" in help_of(f"sandyk {command}"):
            assert command in ELSEWHERE, command
