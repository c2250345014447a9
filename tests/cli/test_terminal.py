# SPDX-License-Identifier: Apache-2.0
"""The command line at a real terminal: what is asked in which order, what is seen, and what never is."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import pytest
from rich.progress import Progress

from tests.support.commands import SCRIPT, Desk, colleague
from vault.terminal import _Bar

PASSPHRASE = "correct horse battery"
HOSTILE = [
    "\x1b[31mred\x1b]0;title\x07",
    "two\nlines\rover",
    "кат\u202efdp.exe",
    "\u2066iso\u2069",
    "\x9b2J",
    "tab\there",
]


@contextmanager
def terminal(at: Desk, *words: str) -> Iterator[pexpect.spawn]:
    """A command that runs at a terminal of its own; nothing tells it the passphrase."""
    command = [str(SCRIPT), *words, "--vault", str(at.vault)]
    child = pexpect.spawn(
        command[0], command[1:], env=at.environment(), cwd=str(at.home), timeout=60, encoding="utf-8",
        # A shell starts what runs in the background with Ctrl-C ignored, and the tests may run there.
        dimensions=(50, 200), preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    child.logfile_read = seen = Screen()
    child.screen = seen
    try:
        yield child
    finally:
        child.close(force=True)


class Screen:
    """Everything that the terminal was sent."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        return


def end(child: pexpect.spawn) -> int:
    """Wait for the end; the exit code."""
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus is not None, child.screen.text
    return int(child.exitstatus)


def answer(child: pexpect.spawn, prompt: str, typed: str) -> None:
    """Wait for a prompt at which nothing is echoed, and type."""
    child.expect_exact(prompt)
    assert not termios.tcgetattr(child.child_fd)[3] & termios.ECHO
    child.sendline(typed)


# Passphrases


def test_a_passphrase_is_asked_for_and_never_seen(one: Desk) -> None:
    with terminal(one, "case", "list") as child:
        answer(child, "Passphrase: ", PASSPHRASE)
        child.expect_exact("Road works")
        assert end(child) == 0
        assert PASSPHRASE not in child.screen.text
        assert "horse" not in child.screen.text


def test_a_wrong_passphrase_is_answered_with_hints(one: Desk) -> None:
    with terminal(one, "list") as child:
        answer(child, "Passphrase: ", "correct horse batterie")
        child.expect_exact("nothing here opens with this passphrase")
        child.expect_exact("hint: check the keyboard's language and Caps Lock")
        assert end(child) == 11


def test_the_vault_is_looked_for_before_anybody_types_a_passphrase(one: Desk) -> None:
    one.vault = one.home / "nowhere"
    with terminal(one, "list") as child:
        assert end(child) == 10
        assert "Passphrase" not in child.screen.text


def test_init_makes_a_passphrase_for_who_presses_enter_and_wants_it_typed_back(one: Desk) -> None:
    one.vault = one.home / "new"
    with terminal(one, "init") as child:
        answer(child, "New passphrase (press Enter and one is made for you): ", "")
        child.expect(r"Your passphrase:\s+([a-z-]+( [a-z-]+){6})\s")
        assert child.match is not None
        words = child.match[1]
        child.expect_exact("it is not shown again, and nobody can recover it")
        answer(child, "Type it once, so that you know it is right: ", "something else")
        child.expect_exact("that is not it; try again")
        answer(child, "Type it once, so that you know it is right: ", f"  {words.replace(' ', '  ')}")
        child.expect_exact("vault made in")
        child.expect_exact("rehearse the emergency wipe now: sandyk panic --drill")
        assert end(child) == 0
        assert child.screen.text.count(words) == 1
    with terminal(one, "case", "list") as child:
        answer(child, "Passphrase: ", words)
        child.expect_exact("no cases yet")
        assert end(child) == 0


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["a long enough passphrase", "a long enough passphrasf"], "the two passphrases differ"),
        (["elevenchars"], "at least 12 characters"),
    ],
)
def test_a_passphrase_that_differs_or_is_too_short_makes_no_vault(one: Desk, typed: list[str], said: str) -> None:
    one.vault = one.home / "new"
    with terminal(one, "init") as child:
        for prompt, words in zip(("New passphrase", "The same once more: "), typed, strict=False):
            answer(child, prompt, words)
        child.expect_exact(said)
        child.expect_exact("hint: nothing was changed")
        assert end(child) == 2
        assert "long enough" not in child.screen.text
        assert "elevenchars" not in child.screen.text
    assert not one.vault.exists()


def test_the_old_passphrase_is_asked_for_before_the_new_one(one: Desk) -> None:
    with terminal(one, "journalist", "passwd") as child:
        answer(child, "Passphrase: ", PASSPHRASE)
        answer(child, "New passphrase", "ырдап жүргөн боз торгой")
        answer(child, "The same once more: ", "ырдап жүргөн боз торгой")
        child.expect_exact("passphrase changed")
        assert end(child) == 0
        assert "торгой" not in child.screen.text
    with terminal(one, "list") as child:
        # The same letters, composed in the other way that keyboards have.
        answer(child, "Passphrase: ", "ырдап жүргөн боз торгои\u0306")
        assert end(child) == 0


@pytest.mark.parametrize("key", ["c", "d"])
def test_leaving_at_the_prompt_gives_the_terminal_its_echo_back(one: Desk, key: str) -> None:
    """Ctrl-C ends with 130; Ctrl-D is no answer, and not the empty one that has a passphrase made."""
    one.vault = one.home / "new"
    with terminal(one, "init") as child:
        before = termios.tcgetattr(child.child_fd)[3]
        child.expect_exact("New passphrase")
        assert not termios.tcgetattr(child.child_fd)[3] & termios.ECHO
        child.sendcontrol(key)
        child.expect_exact("interrupted" if key == "c" else "no answer was given")
        # The command ends only after the terminal is as it was; a closed one cannot be asked.
        assert termios.tcgetattr(child.child_fd)[3] == before
        code = end(child)
        assert code == 130 if key == "c" else code == 2
        assert "Traceback" not in child.screen.text
        assert "Aborted" not in child.screen.text
    assert not one.vault.exists()


# Questions


@pytest.mark.parametrize(("typed", "code"), [("y", 0), ("да", 0), ("ооба", 0), ("n", 13), ("", 13), ("yesno", 13)])
def test_a_contact_is_verified_by_a_yes_and_nothing_else(bundle: tuple[Desk, Desk, str], typed: str, code: int) -> None:
    one, editor, _ = bundle
    card = one.write("third.card", colleague(editor, "Third").run("card", "export").stdout)
    added = one.json("contact", "add", "third", card)
    with terminal(one, "contact", "verify", "third") as child:
        answer(child, "Passphrase: ", PASSPHRASE)
        child.expect_exact(added["words"])
        child.expect_exact("exactly these words to you, by voice? [y/N] ")
        child.sendline(typed)
        assert end(child) == code
    verified = {c["name"]: c["verified"] for c in one.json("contact", "list")["contacts"]}
    assert verified["third"] is (code == 0)


# What is printed


def test_names_that_a_terminal_would_obey_are_never_printed_raw(one: Desk) -> None:
    for number, name in enumerate(HOSTILE):
        one.write(f"in/{number}{name}", name)
    (one.home / "in/link\x1b[2J").symlink_to("/")
    one.run("case", "new", "case\x1b[1m", code=2)
    said = [
        one.run("add", "Road works", str(one.home / "in"), "--note", HOSTILE[0], "--tag", HOSTILE[2], code=3),
        one.run("list"), one.run("search", "in/"), one.run("log"), one.run("verify"),
        *(one.run("show", item["id"]) for item in one.json("list")["items"]),
        one.run("show", HOSTILE[0], code=1), one.run("list", HOSTILE[1], code=1),
        one.run("get", "--all", "Road works", "-o", str(one.home / f"out{HOSTILE[2]}")),
        one.run("get", "--all", "Road works", "-o", str(one.home / f"out{HOSTILE[2]}"), code=1),
        one.run("add", "Road works", HOSTILE[4], code=1), one.run("card", "show", HOSTILE[0], code=2),
        one.run("open", HOSTILE[0], "-o", "x", code=2), one.run("status", "--vault", f"/tmp/{HOSTILE[0]}", code=10),
        one.run("list", HOSTILE[0], HOSTILE[1], code=2), one.run("list", f"--{HOSTILE[0]}", code=2),
    ]  # fmt: skip
    for done in said:
        text = done.out + done.err
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text), text
    assert "\\x1b[31mred" in said[1].out
    assert "two\\nlines\\rover" in said[1].out
    assert "\\u202e" in said[1].out


def test_at_a_terminal_too_nothing_of_a_name_is_obeyed(one: Desk) -> None:
    one.run("add", "Road works", one.write(f"x{HOSTILE[0]}"))
    with terminal(one, "list") as child:
        answer(child, "Passphrase: ", PASSPHRASE)
        assert end(child) == 0
        assert "\x1b" not in child.screen.text
        assert "\\x1b[31mred" in child.screen.text


def test_a_reader_that_had_enough_ends_the_command_quietly(one: Desk) -> None:
    for number in range(40):
        one.write(f"in/{number:03}-{'long ' * 40}", str(number))
    one.run("add", "Road works", str(one.home / "in"))
    shell = 'set -o pipefail; "$@" | head -1; echo "code ${PIPESTATUS[0]}" >&2'
    for words in (("list",), ("list", "--json")):
        run = subprocess.run(
            ["bash", "-c", shell, "bash", *one.words(*words)], capture_output=True, env=one.environment(), cwd=one.home
        )
        assert run.stdout.count(b"\n") == 1
        assert run.stderr in (b"code 0\n", b"code 1\n")


def test_no_progress_bar_where_standard_error_is_no_terminal(one: Desk) -> None:
    """The same filing shows one at a terminal: it lasts longer than a second, because standard input waits."""
    waited = one.write("big", os.urandom(1 << 20))
    script = f'(cat {waited}; sleep 1.2; cat {waited}; cat {waited}) | "$@" 2>{one.home}/err'
    for redirect, shown in ((script, False), (script.partition(" 2>")[0], True)):
        command = one.words("add", "Road works", "-")
        child = pexpect.spawn("bash", ["-c", redirect, "bash", *command], env=one.environment(), cwd=str(one.home),
                              encoding="utf-8", timeout=60, dimensions=(50, 200))  # fmt: skip
        child.expect(pexpect.EOF)
        child.close()
        assert ("filing" in child.before) is shown
        assert "filed in Road works" in child.before
    assert Path(one.home / "err").read_text() == ""


def test_two_threads_that_tell_how_far_they_are_do_not_show_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = _Bar("opening", None)
    bar._start -= 2
    problems: list[BaseException] = []
    usual = Progress.add_task

    def tell() -> None:
        try:
            bar._shown = 0
            bar.advance(1, 1)
        except Exception as exc:
            problems.append(exc)

    def meanwhile(self: Progress, *args: Any, **more: Any) -> Any:
        beside = threading.Thread(target=tell)
        beside.start()
        beside.join()
        return usual(self, *args, **more)

    monkeypatch.setattr(Progress, "add_task", meanwhile)
    tell()
    bar.stop()
    assert problems == []
