# SPDX-License-Identifier: Apache-2.0
"""`key` as people use it: shares go abroad, a passphrase is forgotten, three friends are called."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pexpect
import pytest

from keys.armor import looks_armored
from keys.secret import Secret
from keys.shares import parse_share
from keys.shares import split as split_secret
from tests.support.cli_docs import documented_fields, fields_of
from tests.support.commands import SCRIPT, Desk, colleague, copied, desk, exchange_cards, scratch
from tests.support.forged_shares import forged

NEW = "a new passphrase that she will keep"


@functools.cache
def _abroad() -> tuple[Path, Desk, list[Desk]]:
    folder = scratch()
    bermet = desk(folder, "Бермет")
    holders = [desk(folder, f"h{number}") for number in (1, 2, 3)]
    for number, holder in enumerate(holders, 1):
        exchange_cards(bermet, holder, names=(f"h{number}", "Bermet"))
    return folder, bermet, holders


@pytest.fixture
def abroad(tmp_path: Path) -> tuple[Desk, list[Desk]]:
    """A journalist, and three people abroad whose words she compared."""
    source, bermet, holders = _abroad()
    target = tmp_path / "all"
    shutil.copytree(source, target)
    return copied(bermet, source, target), [copied(holder, source, target) for holder in holders]


def split(at: Desk, *more: str, code: int = 0) -> dict[str, object]:
    return at.json(
        "key", "split", "--shares", "3", "--threshold", "2", "--to", "h1", "--to", "h2", "--to", "h3",
        "-o", str(at.home / "shares"), *more, code=code,
    )  # fmt: skip


def files(document: dict[str, object]) -> list[str]:
    shares = document["shares"]
    assert isinstance(shares, list)
    return [str(share["file"]) for share in shares]


@contextmanager
def terminal(at: Desk, *words: str) -> Iterator[pexpect.spawn]:
    child = pexpect.spawn(
        str(SCRIPT), [*words, "--vault", str(at.vault)], env=at.environment(), cwd=str(at.home), timeout=60,
        encoding="utf-8", dimensions=(60, 200), preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        yield child
    finally:
        child.close(force=True)


def read_aloud(holder: Desk, file: str) -> str:
    """The words that a holder sees on their terminal, in their order."""
    with terminal(holder, "key", "show", file, "--passphrase-file", str(holder.passphrase)) as child:
        child.expect("do you know their voice")
        child.sendline("y")
        child.expect("They type them at: ")
        shown = child.before.split("Share ")[1].replace("\r", "").split("\n")[1:]
        child.expect(pexpect.EOF)
    pairs = " ".join(shown).split()
    numbered = dict(zip(map(int, pairs[::2]), pairs[1::2], strict=True))
    assert sorted(numbered) == list(range(1, 34))
    return " ".join(numbered[number] for number in sorted(numbered))


def test_a_forgotten_passphrase_is_replaced_with_what_two_of_three_read_aloud(abroad: tuple[Desk, list[Desk]]) -> None:
    """The whole way: split, words on the holders' terminals, typed in four letters with slips, a new passphrase."""
    bermet, holders = abroad
    made = split(bermet)
    spoken = [read_aloud(holder, file) for holder, file in zip(holders, files(made), strict=True)]
    bermet.passphrase.unlink()
    short = " ".join(word[:4] for word in spoken[2].split()).upper()
    with terminal(bermet, "key", "recover") as child:
        child.expect("share 1, word 1:")
        words = spoken[0].split()
        child.sendline(" ".join(words[:5]) + " nonsense " + words[6])
        child.expect("word 6 is not in the list")
        child.expect("share 1, word 6:")
        child.sendline(" ".join(words[5:20]))
        child.expect("share 1, word 21:")
        child.sendline(" ".join([*words[20:31], words[32], words[31]]))
        child.expect("do not fit together")
        child.expect("share 1, word 1:")
        child.sendline(spoken[0])
        child.expect("1 of 2 shares are here: number 1")
        child.expect("share 2, word 1:")
        child.sendline(spoken[0])
        child.expect("share 1 is here already")
        child.expect("share 2, word 1:")
        child.sendline(short)
        child.expect("2 of 2 shares are here: number 1, 3")
        child.expect("the shares open the place of Бермет")
        child.expect("New passphrase")
        child.sendline(NEW)
        child.expect("The same once more")
        child.sendline(NEW)
        child.expect("your new passphrase opens this vault")
        child.expect(pexpect.EOF)
        assert NEW not in child.before
    bermet.passphrase.write_text(NEW + "\n")
    assert bermet.json("journalist", "list")["journalists"]
    assert bermet.json("key", "list")["set"] is None


def test_a_false_share_that_was_typed_first_costs_one_more_share_and_nothing_that_was_typed(
    abroad: tuple[Desk, list[Desk]],
) -> None:
    bermet, holders = abroad
    made = split(bermet)
    spoken = [read_aloud(holder, file) for holder, file in zip(holders, files(made), strict=True)]
    false = forged(parse_share(spoken[0])).words.expose().decode()
    stranger = split_secret(Secret.random(), threshold=5, count=5)[1].words.expose().decode()
    with terminal(bermet, "key", "recover") as child:
        for place, (words, said) in enumerate(
            (
                (false, "1 of 2 shares are here: number 1"), (stranger, "not all of one split"),
                (spoken[1], "together they give nothing.*another share helps"),
            ), 1,
        ):  # fmt: skip
            child.expect(f"share {place}, word 1:")
            child.sendline(words)
            child.expect(said)
        child.expect("share 4, word 1:")
        child.sendline(spoken[2])
        child.expect("New passphrase")
        child.sendline(NEW)
        child.expect("The same once more")
        child.sendline(NEW)
        child.expect("your new passphrase opens this vault")
        child.expect("share 1 of those given is false; h1 has the true one of its number, 1")
        child.expect(pexpect.EOF)


def test_files_with_a_false_share_among_too_few_say_so(abroad: tuple[Desk, list[Desk]]) -> None:
    bermet, holders = abroad
    made = split(bermet)
    one, two = (read_aloud(holder, file) for holder, file in zip(holders[:2], files(made)[:2], strict=True))
    names = [bermet.write("1", forged(parse_share(one)).words.expose().decode()), bermet.write("2", two)]
    done = bermet.run("key", "recover", *names, "--new-passphrase-file", bermet.write("new", NEW), code=12)
    assert "together they give nothing" in done.err and "another share helps" in done.err


def test_too_few_shares_say_how_many_are_here(abroad: tuple[Desk, list[Desk]]) -> None:
    bermet, holders = abroad
    made = split(bermet)
    one = bermet.write("one", read_aloud(holders[0], files(made)[0]))
    new = bermet.write("new", NEW)
    done = bermet.run("key", "recover", one, "--new-passphrase-file", new, code=1)
    assert "1 of 2 shares are here: number 1" in done.err
    none = bermet.run("key", "recover", "--new-passphrase-file", new, code=1)
    assert "no share is here" in none.err
    sealed = bermet.run("key", "recover", files(made)[0], code=2)
    assert "still sealed" in sealed.err and "key show" in sealed.err
    bermet.run("list")


def test_shares_as_files_in_a_script(abroad: tuple[Desk, list[Desk]]) -> None:
    bermet, holders = abroad
    made = split(bermet)
    words = [bermet.write(f"w{n}", read_aloud(h, f)) for n, (h, f) in enumerate(zip(holders, files(made), strict=True))]
    new = bermet.write("new", NEW)
    document = bermet.json("key", "recover", *words[1:], "--new-passphrase-file", new)
    assert document == {"recovered": True, "journalist": "Бермет"}
    bermet.run("list", code=11)
    replace(bermet, passphrase=Path(new)).run("list")


def test_after_panic_the_shares_open_nothing(abroad: tuple[Desk, list[Desk]]) -> None:
    bermet, holders = abroad
    made = split(bermet)
    words = [bermet.write(f"w{n}", read_aloud(h, f)) for n, (h, f) in enumerate(zip(holders, files(made), strict=True))]
    bermet.run("panic", "--keep", "--now")
    done = bermet.run("key", "recover", *words, "--new-passphrase-file", bermet.write("new", NEW), code=11)
    assert "no shares can open it" in done.err
    bermet.run("panic", "--now")
    bermet.run("key", "recover", *words, code=10)


def test_a_holder_proves_that_the_share_opens_without_saying_it(abroad: tuple[Desk, list[Desk]]) -> None:
    bermet, holders = abroad
    made = split(bermet)
    asked = bermet.json("key", "ask", "h2")
    assert (asked["number"], asked["opens"]) == (2, None)
    file, challenge = files(made)[1], str(asked["challenge"])
    checked = holders[1].json("key", "check", file, "--challenge", challenge)
    assert (checked["owner"], checked["verified"], checked["number"], checked["threshold"]) == ("Bermet", True, 2, 2)
    told = holders[1].run("key", "check", file, "--challenge", challenge)
    assert str(checked["answer"]) in told.out
    assert not {*read_aloud(holders[1], file).split()} & {*told.out.replace(":", " ").split()} - {"answer", "have"}
    bermet.run("key", "ask", "h2", "--answer", "abacus abdomen abdominal abide", code=13)
    assert bermet.json("key", "ask", "h2", "--answer", str(checked["answer"]))["opens"] is True
    bermet.run("key", "ask", "h2", "--answer", str(checked["answer"]), code=2)
    listed = bermet.run("key", "list").out.splitlines()
    assert "any 2 of 3" in listed[0] and "opened on" in listed[2] and "never asked" in listed[1]
    holders[0].run("key", "check", file, code=11)


def test_a_contact_whose_words_were_not_compared_gets_no_share(abroad: tuple[Desk, list[Desk]], tmp_path: Path) -> None:
    bermet, _ = abroad
    stranger = desk(tmp_path, "h4")
    exchange_cards(bermet, stranger, names=("h4", "Bermet"), verified=False)
    words = ("key", "split", "--threshold", "2", "--to", "h1", "--to", "h4", "-o", str(bermet.home / "out"))
    done = bermet.run(*words, code=13)
    assert "words of h4 were not compared" in done.err
    assert not (bermet.home / "out").exists()
    assert bermet.json("key", "list")["shares"] == []
    bermet.run(*words, "--unverified")


def test_a_share_for_a_colleague_in_the_same_vault_is_remarked_on(abroad: tuple[Desk, list[Desk]]) -> None:
    bermet, _ = abroad
    colleague(bermet, "Бакыт")
    done = bermet.run("key", "split", "--threshold", "2", "--to", "h1", "--to", "Бакыт", "-o", "out")
    assert "the keys of Бакыт are in this same vault" in done.err


def test_the_number_of_shares_must_be_that_of_the_people(abroad: tuple[Desk, list[Desk]]) -> None:
    bermet, _ = abroad
    done = bermet.run(
        "key", "split", "--shares", "5", "--threshold", "2", "--to", "h1", "--to", "h2", "-o", "x", code=2
    )
    assert "5 shares need 5 people, and 2 are named" in done.err


def test_a_share_travels_as_text_and_as_qr_codes(abroad: tuple[Desk, list[Desk]]) -> None:
    from vault.qr_text import lines_of

    bermet, holders = abroad
    made = split(bermet, "--qr", "--name", "Бермет К.")
    sealed = Path(files(made)[0]).read_bytes()
    assert looks_armored(sealed) and sealed.isascii() and len(sealed) < 4096
    svg = Path(str(made["shares"][0]["qr"]))  # type: ignore[index]
    assert svg.read_bytes().startswith(b"<?xml")
    scanned = holders[0].write("scanned", "\n".join(reversed(lines_of("SHARE", sealed))))
    document = holders[0].json("key", "check", scanned)
    assert (document["number"], document["name"]) == (1, "Бермет К.")
    assert holders[0].run("key", "check", "-", stdin=sealed).code == 0


def test_words_are_shown_only_to_somebody_at_a_terminal(abroad: tuple[Desk, list[Desk]]) -> None:
    bermet, holders = abroad
    made = split(bermet)
    done = holders[0].run("key", "show", files(made)[0], code=2)
    assert "on a terminal only" in done.err and not done.out
    with terminal(holders[0], "key", "show", files(made)[0], "--passphrase-file", str(holders[0].passphrase)) as child:
        child.expect("do you know their voice")
        child.sendline("n")
        child.expect("nothing was shown")
        child.expect(pexpect.EOF)


def test_words_go_from_the_screen_when_they_were_read(abroad: tuple[Desk, list[Desk]]) -> None:
    """Shown on the terminal's other screen, which leaves nothing to scroll back to."""
    bermet, holders = abroad
    file = files(split(bermet))[0]
    words = read_aloud(holders[0], file).split()
    at = replace(holders[0], more={"TERM": "xterm"})
    with terminal(at, "key", "show", file, "--passphrase-file", str(at.passphrase)) as child:
        child.expect("do you know their voice")
        assert words[7] not in child.before
        child.sendline("y")
        child.expect_exact("\x1b[?1049h")
        child.expect("press a key")
        assert all(word in child.before for word in words)
        child.send("q")
        child.expect_exact("\x1b[?1049l")
        child.expect(pexpect.EOF)
        assert words[7] not in child.before


def test_typed_words_are_erased_from_the_terminal(abroad: tuple[Desk, list[Desk]]) -> None:
    bermet, holders = abroad
    words = read_aloud(holders[0], files(split(bermet))[0])
    with terminal(replace(bermet, more={"TERM": "xterm"}), "key", "recover") as child:
        child.expect("share 1, word 1: ")
        child.sendline(words)
        # The prompt and 33 words take two or three lines of 200 columns.
        lines = -(-len("share 1, word 1: " + words) // 200)
        child.expect_exact(f"\x1b[{lines}A\r\x1b[J")
        child.expect("1 of 2 shares are here")


def test_ctrl_d_ends_the_question_for_words(abroad: tuple[Desk, list[Desk]]) -> None:
    bermet, _ = abroad
    with terminal(bermet, "key", "recover") as child:
        child.expect("share 1, word 1:")
        child.sendeof()
        child.expect("no share is here")
        child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 1


def test_revoking_says_what_it_cannot_do(abroad: tuple[Desk, list[Desk]]) -> None:
    bermet, _ = abroad
    split(bermet)
    done = bermet.run("key", "revoke")
    assert "open nothing here any more" in done.out and "a copy of the keyring" in done.out
    bermet.run("key", "revoke", code=1)


def test_no_word_of_a_share_is_in_the_environment_or_the_arguments(abroad: tuple[Desk, list[Desk]]) -> None:
    """No command takes words of a share as an argument: only challenge and answer, which say nothing of it."""
    for command in ("split", "list", "ask", "check", "show", "recover", "revoke"):
        text = subprocess.run([SCRIPT, "key", command, "--help"], capture_output=True, check=True,
                              env={**os.environ, "COLUMNS": "200"}).stdout.decode()  # fmt: skip
        assert "--share " not in text and "--mnemonic" not in text


def test_status_tells_of_shares_when_the_vault_is_open_and_only_then(abroad: tuple[Desk, list[Desk]]) -> None:
    """That there are any is a secret like everything else."""
    bermet, holders = abroad
    made = split(bermet)

    def shares() -> dict[str, object]:
        document = bermet.json("status", "--passphrase-file", str(bermet.passphrase))
        assert fields_of(document) <= documented_fields("status")
        return dict(document["counted"]["shares"])

    assert {k: v for k, v in shares().items() if k != "made_ns"} == {
        "set": made["set"], "threshold": 2, "count": 3, "answered": 0, "last_checked_ns": None,
    }  # fmt: skip
    challenge = str(bermet.json("key", "ask", "h1")["challenge"])
    checked = holders[0].run("key", "check", files(made)[0], "--challenge", challenge).out
    assert "this share is whole" in checked and "opens:" not in checked and str(made["set"])[:8] in checked
    assert "only its owner can tell" in checked
    reply = checked.split("answer with: ")[1].splitlines()[0]
    bermet.run("key", "ask", "h1", "--answer", reply)
    assert (shares()["answered"], shares()["last_checked_ns"] is not None) == (1, True)
    said = bermet.run("status", "--passphrase-file", str(bermet.passphrase)).out
    assert f"shares of your key: set {str(made['set'])[:8]}; any 2 of 3" in said and "1 of them answered" in said
    assert "shares of your key" not in bermet.run("status").out
    wrong = bermet.run("key", "ask", "h2", "--answer", reply, code=2).err
    assert "was not asked" in wrong
    bermet.run("key", "ask", "h2")
    wrong = bermet.run("key", "ask", "h2", "--answer", reply, code=13).err
    assert f"a share of set {str(made['set'])[:8]}" in wrong
    bermet.run("key", "revoke")
    assert bermet.json("status", "--passphrase-file", str(bermet.passphrase))["counted"]["shares"] is None


def test_every_documented_field_appears(abroad: tuple[Desk, list[Desk]]) -> None:
    bermet, holders = abroad
    made = split(bermet)
    asked = bermet.json("key", "ask", "h1")
    words = [bermet.write(f"w{n}", read_aloud(h, f)) for n, (h, f) in enumerate(zip(holders, files(made), strict=True))]
    documents = {
        "key split": made,
        "key ask": asked,
        "key list": bermet.json("key", "list"),
        "key check": holders[0].json("key", "check", files(made)[0], "--challenge", str(asked["challenge"])),
        "key recover": bermet.json("key", "recover", *words, "--new-passphrase-file", bermet.write("new", NEW)),
    }
    again = replace(bermet, passphrase=bermet.home / "new")
    again.json("key", "split", "--threshold", "2", "--to", "h1", "--to", "h2", "-o", str(bermet.home / "again"))
    documents["key revoke"] = again.json("key", "revoke")
    for command, document in documents.items():
        assert fields_of(document) == documented_fields(command), command


def test_of_a_share_by_an_unknown_key_it_is_said_that_anybody_can_write_its_words(
    abroad: tuple[Desk, list[Desk]],
) -> None:
    bermet, holders = abroad
    made = split(bermet)
    holders[0].run("contact", "remove", "Bermet")
    told = holders[0].run("key", "check", files(made)[0]).out
    assert "whose it is cannot be told" in told and "anybody can write these words" in told
