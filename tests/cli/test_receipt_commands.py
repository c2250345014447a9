# SPDX-License-Identifier: Apache-2.0
"""Receipts as people type them, at two machines, and a guard that is armed by them."""

from __future__ import annotations

import os
from pathlib import Path

import pexpect
import pytest

from tests.support.agents import runtime_folder
from tests.support.commands import SCRIPT, Desk, Done
from vault import layout

Both = tuple[Desk, Desk, str]


def status(at: Desk) -> dict[str, object]:
    """The vault opened, and its cases counted."""
    return at.json("status", "--cases", "--passphrase-file", str(at.passphrase))


def places(at: Desk) -> list[str]:
    return [item["where"] for item in at.json("list")["items"]]


def receipt_of(editor: Desk, sealed: str, *where: str) -> str:
    """Open it there, and bring the receipt back: its path."""
    path = str(editor.home / "receipt")
    done = editor.run("open", sealed, *(where or ("-o", str(editor.home / "out"))), "--receipt", path)
    assert "send it back to news" in done.out
    return path


def test_a_receipt_travels_back_and_panic_tells_of_it(bundle: Both) -> None:
    one, editor, sealed = bundle
    assert places(one) == ["on its way", "on its way"]
    path = receipt_of(editor, sealed)
    taken = one.json("receipt", "take", path)
    assert (taken["case"], taken["editor"], taken["items"], taken["new"]) == ("Road works", "editor", 2, 2)
    assert (taken["safe"], taken["sent"], taken["only_here"]) == (2, 0, 0)
    assert one.json("receipt", "take", path)["new"] == 0
    one.run("add", "Road works", one.write("later.txt", "later"))
    assert sorted(places(one)) == ["only here", "safe abroad", "safe abroad"]
    assert "later.txt" in one.run("list", "--only-here").out
    assert [item["name"] for item in one.json("list", "--only-here")["items"]] == ["later.txt"]
    assert one.json("show", "letter.txt")["where"] == "safe abroad"
    (case,) = one.json("case", "list")["cases"]
    assert (case["safe"], case["sent"], case["only_here"]) == (2, 0, 1)
    assert [event["event"] for event in one.json("log")["events"]].count("receipt taken") == 1
    said = one.run("panic").out
    assert "3 documents filed here, 2 of them sealed for others, last on 2" in said
    assert "2 confirmed by an editor's signed receipt, last on 2" in said


def test_export_and_status_say_what_is_still_only_here(bundle: Both) -> None:
    one, _, _ = bundle
    one.run("add", "Road works", one.write("one.txt", "1"), one.write("two.txt", "2"))
    out = str(one.home / "x.age")
    done = one.run("export", "Road works", "-o", out, "--to", "editor", "--item", "one.txt")
    assert "still only here in Road works: 1 document(s)" in done.out
    shown = one.run("status", "--cases", "--passphrase-file", str(one.passphrase)).out
    assert "4 document(s) in your cases: 0 safe abroad, 3 on their way, 1 only here" in shown
    assert "sandyk list --only-here" in shown


def test_status_without_a_passphrase_opens_nothing(bundle: Both) -> None:
    one, _, _ = bundle
    document = one.json("status")
    assert (document["counted"], document["filed"], document["sealed"], document["safe"]) == (None, 2, 2, 0)


def test_status_puts_the_counter_right_after_a_power_cut(bundle: Both) -> None:
    """A counter that says that more was sealed than filed would else stay so for ever."""
    one, _, _ = bundle
    text = b"sandyk counter 1\nfiled 1\nsealed 2\nsafe 2\nlast-sealed -\nlast-safe -\n"
    (one.vault / layout.COUNTER).write_bytes(text)
    document = status(one)
    assert (document["filed"], document["sealed"], document["safe"], document["last_safe"]) == (2, 2, 0, "-")
    assert one.json("status")["filed"] == 2


@pytest.mark.parametrize("command", [("list",), ("case", "list")])
def test_other_commands_that_count_put_it_right_too(bundle: Both, command: tuple[str, ...]) -> None:
    one, _, _ = bundle
    (one.vault / layout.COUNTER).unlink()
    one.run(*command)
    assert one.json("status")["filed"] == 2


def test_a_receipt_by_somebody_unknown_is_refused_with_what_to_do(bundle: Both) -> None:
    one, editor, sealed = bundle
    path = receipt_of(editor, sealed, "--into", str(editor.json("case", "new", "In")["case"]))
    one.run("contact", "remove", "editor")
    done = one.run("receipt", "take", path, code=13)
    assert "a key that you do not know" in done.err
    assert "hint: nothing was recorded; keep the file" in done.err
    shown = one.json("receipt", "show", path)
    assert (shown["counts"], shown["case"]) == (False, None)
    assert places(one) == ["on its way", "on its way"]


def test_a_damaged_receipt_is_told_apart_from_a_stranger_s(bundle: Both) -> None:
    one, editor, sealed = bundle
    path = Path(receipt_of(editor, sealed))
    assert editor.run("receipt", "take", str(path), code=11).err.count("somebody else") == 1
    path.write_bytes(path.read_bytes()[:-1])
    assert "damaged" in one.run("receipt", "take", str(path), code=12).err


def nothing_opened(editor: Desk, done: Done) -> None:
    assert not (editor.home / "out").exists()
    assert done.out == ""


def test_no_receipt_without_a_vault_and_nothing_is_opened(bundle: Both) -> None:
    _, editor, sealed = bundle
    key = editor.write("key.txt", "x")
    words = ("open", sealed, "-o", str(editor.home / "out"), "--identity", key, "--receipt", str(editor.home / "r"))
    done = editor.run(*words, code=2)
    assert "a key from a vault" in done.err
    nothing_opened(editor, done)


def test_a_receipt_overwrites_nothing_and_nothing_is_opened(bundle: Both) -> None:
    _, editor, sealed = bundle
    mine = editor.write("mine", "mine")
    done = editor.run("open", sealed, "-o", str(editor.home / "out"), "--receipt", mine, code=1)
    assert "is there already" in done.err
    nothing_opened(editor, done)
    assert Path(mine).read_text() == "mine"


def test_a_drop_is_opened_and_no_receipt_is_written(bundle: Both) -> None:
    one, editor, _ = bundle
    card = editor.write("case.card", one.run("card", "export", "--case", "Road works").stdout)
    file = editor.json("drop", card, editor.write("d.txt"), "-o", str(editor.home / "d"))["file"]
    words = ("open", file, "-o", str(one.home / "out"), "--receipt", str(one.home / "r"))
    done = one.run(*words, "--json", code=3)
    assert done.document["receipt"] is None
    assert "no receipt was written: nothing in what you opened says who sent it" in done.err
    assert list((one.home / "out").glob("bundle-*/data/*/d.txt"))
    assert not (one.home / "r").exists()


def test_a_sender_whose_words_were_not_compared_is_told_nothing(bundle: Both) -> None:
    _, editor, sealed = bundle
    editor.run("contact", "remove", "news")
    done = editor.run("open", sealed, "-o", str(editor.home / "out"), "--receipt", str(editor.home / "r"), code=13)
    assert "it would tell an unknown sender" in done.err
    assert list((editor.home / "out").iterdir())
    assert not (editor.home / "r").exists()


def test_what_is_written_for_a_lawyer_is_complete_and_overwrites_nothing(bundle: Both) -> None:
    one, editor, sealed = bundle
    path, folder = receipt_of(editor, sealed), one.home / "proof"
    one.run("receipt", "show", path, "-o", str(folder))
    assert sorted(os.listdir(folder)) == ["editor.pem", "receipt.txt", "signature.bin", "statement.bin"]
    assert "openssl pkeyutl -verify" in (folder / "receipt.txt").read_text()
    one.run("receipt", "show", path, "-o", str(folder), code=1)


# Arming


def guard(at: Desk, *words: str) -> pexpect.spawn:
    return pexpect.spawn(
        str(SCRIPT), ["guard", "--vault", str(at.vault), *words], env=at.environment(), cwd=str(at.home),
        encoding="utf-8", timeout=60,
    )  # fmt: skip


def confirm(at: Desk) -> pexpect.spawn:
    child = guard(at, "--confirm-abroad")
    child.expect("Passphrase: ")
    child.sendline(at.passphrase.read_text().strip())
    return child


def end_of(child: pexpect.spawn, code: int) -> None:
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code


def why_not_armed(at: Desk) -> object:
    return at.json("status")["why_not_armed"]


def test_with_every_document_safe_by_receipt_the_passphrase_alone_arms(bundle: Both) -> None:
    one, editor, sealed = bundle
    assert why_not_armed(one) is not None
    one.run("receipt", "take", receipt_of(editor, sealed))
    assert why_not_armed(one) is not None  # nobody looked yet
    child = confirm(one)
    child.expect("recorded: 2 document.* safe abroad by receipt, 0 by your word")
    end_of(child, 0)
    assert why_not_armed(one) is None
    one.run("get", "letter.txt", "-o", str(one.home / "copies"))
    assert why_not_armed(one) is None
    one.run("add", "Road works", one.write("later.txt", "later"))
    assert "since something was filed" in str(why_not_armed(one))


def test_a_document_that_is_only_here_arms_nothing_whatever_the_counter_says(bundle: Both) -> None:
    one, editor, sealed = bundle
    one.run("receipt", "take", receipt_of(editor, sealed))
    one.run("add", "Road works", one.write("later.txt", "later"))
    text = b"sandyk counter 1\nfiled 3\nsealed 3\nsafe 3\nlast-sealed 2030-01-01\nlast-safe 2030-01-01\n"
    (one.vault / layout.COUNTER).write_bytes(text)
    child = confirm(one)
    child.expect("1 document.* are only here .Road works 1")
    end_of(child, 1)
    assert why_not_armed(one) is not None


@pytest.mark.parametrize(("typed", "code"), [("2", 0), ("", 2), ("1", 2), ("yes", 2), ("2 ", 0), ("٢", 2)])
def test_what_is_on_its_way_needs_a_person_who_types_the_number(bundle: Both, typed: str, code: int) -> None:
    one, _, _ = bundle
    child = confirm(one)
    child.expect("this program cannot check it")
    child.expect("Type 2, or nothing")
    child.sendline(typed)
    end_of(child, code)
    assert (why_not_armed(one) is None) == (code == 0)


def test_nobody_confirms_by_word_without_a_terminal(bundle: Both) -> None:
    one, _, _ = bundle
    done = one.run("guard", "--confirm-abroad", code=2)
    assert "terminal" in done.err
    assert not (one.vault / layout.ABROAD).exists()


def test_an_agent_that_holds_the_keys_saves_the_passphrase_and_not_the_look(bundle: Both) -> None:
    one, editor, sealed = bundle
    one.run("receipt", "take", receipt_of(editor, sealed))
    with runtime_folder() as folder:
        one.more["XDG_RUNTIME_DIR"] = str(folder)
        one.run("unlock")
        child = guard(one, "--confirm-abroad")
        child.expect("2 safe abroad, 0 on their way, 0 only here")
        end_of(child, 0)
        assert why_not_armed(one) is None
