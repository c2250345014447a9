# SPDX-License-Identifier: Apache-2.0
"""`journalist duress` and `journalist token` as they are typed, and what stands on the screen afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pexpect
import pytest

from tests.support.commands import SCRIPT, Desk, colleague, desk
from tests.support.newsroom import files_below
from tests.support.tpm import software_tpm

REAL, DECOY, DURESS = "correct horse battery", "a quiet decoy of mine", "burn all of the letters"


def passphrase(at: Desk, name: str, words: str) -> str:
    """A file with a passphrase, apart from the vault."""
    return at.write(f"{name}.passphrase", words + "\n")


def with_(at: Desk, name: str, words: str) -> Desk:
    """The same desk, when another passphrase is typed there."""
    return replace(at, passphrase=Path(passphrase(at, name, words)))


def set_up(at: Desk, *words: str, code: int = 0) -> str:
    """What `journalist duress` said on standard error."""
    return at.run(
        "journalist", "duress", "--decoy-passphrase-file", passphrase(at, "decoy", DECOY),
        "--duress-passphrase-file", passphrase(at, "duress", DURESS), *words, code=code,
    ).err  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk at which a duress passphrase was set up, and the decoy has a case with a document."""
    at = desk(tmp_path_factory.mktemp("prepared"), passphrase=REAL)
    set_up(at, "--yes")
    at = with_(at, "decoy", DECOY)
    at.run("case", "new", "Recipes")
    at.run("add", "Recipes", at.write("menu.txt"))
    return at


@pytest.fixture
def decoy(prepared: Desk, tmp_path: Path) -> Desk:
    """Whoever sits at such a desk and knows the decoy passphrase."""
    home = tmp_path / "home"
    shutil.copytree(prepared.home, home)
    words = home / prepared.passphrase.relative_to(prepared.home)
    return replace(
        prepared, home=home, vault=home / prepared.vault.relative_to(prepared.home), passphrase=words, more={}
    )


def test_the_limits_come_before_everything_and_without_a_yes_nothing_happens(one: Desk) -> None:
    before = files_below(one.vault)
    said = set_up(one, code=2)
    for limit in ("for every journalist", "a copy of the disk", "can be refuted", "be a crime", "Nobody can undo"):
        assert limit in said
    assert "--yes" in said
    assert files_below(one.vault) == before


COMMANDS = (
    ("list",), ("list", "--json"), ("search", "menu"), ("case", "members", "Recipes"), ("journalist", "list"),
    ("verify",), ("show", "nothing"), ("journalist", "duress", "--remove"), ("journalist", "token", "remove"),
)  # fmt: skip


def answers(at: Desk) -> list[tuple[int, bytes, bytes]]:
    """Exit code, output and errors of each command."""
    found = []
    for words in COMMANDS:
        done = subprocess.run(
            at.words(*words), capture_output=True, env=at.environment(), cwd=at.home, start_new_session=True
        )
        found.append((done.returncode, done.stdout, done.stderr))
    return found


def test_every_command_answers_duress_as_it_answers_the_decoy(decoy: Desk, tmp_path: Path) -> None:
    """Same output, same errors, same exit code; and the real side is gone."""
    before = shutil.copytree(decoy.vault, tmp_path / "before")
    expected = answers(decoy)
    real = with_(decoy, "real", REAL)
    real.run("list")
    shutil.rmtree(decoy.vault)
    shutil.move(before, decoy.vault)
    assert answers(with_(decoy, "duress", DURESS)) == expected
    real.run("list", code=11)


def without_passphrase(at: Desk, *words: str) -> subprocess.CompletedProcess[bytes]:
    """A command that has nobody to ask."""
    command = at.words(*words)
    place = command.index("--passphrase-file")
    del command[place : place + 2]
    return subprocess.run(command, capture_output=True, env=at.environment(), cwd=at.home, start_new_session=True)


@pytest.mark.parametrize(
    "words",
    [
        ("journalist", "passwd", "--new-passphrase-file"),
        ("journalist", "add", "Чынара", "--new-passphrase-file"),
        ("journalist", "duress", "--yes", "--duress-passphrase-file"),
        ("journalist", "duress", "--yes", "--decoy-passphrase-file"),
    ],
)
def test_at_the_decoy_no_command_tells_the_duress_passphrase_from_a_real_one(
    decoy: Desk, words: tuple[str, ...]
) -> None:
    """Same words, same exit code; and what it destroys is gone, as at any prompt."""
    more = {
        "--duress-passphrase-file": "--decoy-passphrase-file",
        "--decoy-passphrase-file": "--duress-passphrase-file",
    }
    rest = (more[words[-1]], passphrase(decoy, "new", "a new word for the purpose")) if words[-1] in more else ()
    real = with_(decoy, "real", REAL)
    said = decoy.run(*words, str(real.passphrase), *rest, code=1 if rest else 2)
    real.run("list")
    again = decoy.run(*words, passphrase(decoy, "word", DURESS), *rest, code=1 if rest else 2)
    assert (again.out, again.err) == (said.out, said.err)
    assert "in use" in said.err or "opens something else" in said.err
    real.run("list", code=11)
    decoy.run("list")


def test_an_agent_loses_the_real_keys_to_a_duress_passphrase_and_may_be_given_the_decoy_s(decoy: Desk) -> None:
    with tempfile.TemporaryDirectory(prefix="run", dir="/tmp") as run:  # a socket's path has at most 107 bytes
        decoy.more["XDG_RUNTIME_DIR"] = run
        real, under_duress = with_(decoy, "real", REAL), with_(decoy, "duress", DURESS)
        real.run("unlock", "--for", "60s")
        under_duress.run("list")
        asked = without_passphrase(real, "list")
        assert (asked.returncode, b"terminal" in asked.stderr) == (2, True)
        under_duress.run("unlock", "--for", "60s")
        assert b"menu.txt" in without_passphrase(decoy, "list").stdout
        assert without_passphrase(decoy, "lock").returncode == 0
        real.run("list", code=11)


def test_it_is_taken_away_and_set_up_again(decoy: Desk) -> None:
    real = with_(decoy, "real", REAL)
    done = real.run("journalist", "duress", "--remove", "--json")
    assert json.loads(done.stdout) == {"duress": "removed", "decoy_removed": False}
    with_(decoy, "duress", DURESS).run("list", code=11)
    assert "be a crime" in set_up(real, "--yes", "--name", "Whatever")
    with_(decoy, "duress", DURESS).run("show", "menu.txt")
    real.run("list", code=11)


def test_the_decoy_is_taken_away_too(decoy: Desk) -> None:
    real = with_(decoy, "real", REAL)
    real.run("journalist", "duress", "--remove-decoy", "--decoy-passphrase-file", str(decoy.passphrase))
    decoy.run("list", code=11)
    assert "no duress passphrase of yours" in real.run("journalist", "duress", "--remove").out


def test_passphrases_too_alike_are_refused_in_words(one: Desk) -> None:
    before = files_below(one.vault)
    done = one.run(
        "journalist", "duress", "--yes", "--decoy-passphrase-file", passphrase(one, "decoy", "correct hrose batery"),
        "--duress-passphrase-file", passphrase(one, "duress", DURESS), code=2,
    )  # fmt: skip
    assert "too much like your own" in done.err and "hrose" not in done.err
    assert files_below(one.vault) == before


# The outside half


def test_a_token_is_needed_from_the_moment_it_is_added_until_it_is_removed(one: Desk) -> None:
    stick = str(one.home / "stick")
    added = json.loads(one.run("journalist", "token", "add", stick, "--json").stdout)
    assert added == {"token": stick, "in_tpm": False}
    assert os.stat(stick).st_size == 32 and os.stat(stick).st_mode & 0o777 == 0o600
    assert "--token" in one.run("list", code=11).err
    one.run("list", "--token", stick)
    one.more["SANDYK_TOKEN"] = stick
    one.run("list")
    removed = json.loads(one.run("journalist", "token", "remove", "--json").stdout)
    assert removed == {"token": None, "was": stick}
    del one.more["SANDYK_TOKEN"]
    one.run("list")
    one.run("list", "--token", stick)  # not needed, and nothing is said of it


def test_another_token_takes_the_place_of_the_first(one: Desk) -> None:
    first, second = str(one.home / "first"), str(one.home / "second")
    one.run("journalist", "token", "add", first)
    one.run("journalist", "token", "add", second, "--token", first)
    one.run("list", "--token", second)
    assert "belongs to this passphrase" in one.run("list", "--token", first, code=11).err


def test_sticks_that_are_not_in_or_not_ours_are_named_in_words(one: Desk) -> None:
    one.run("journalist", "token", "add", str(one.home / "stick"))
    missing = one.run("list", "--token", str(one.home / "media/stick"), code=2).err
    assert "mounted" in missing and "lost" in missing
    short = one.run("list", "--token", one.write("short", bytes(31)), code=2).err
    assert "32 bytes" in short
    other = one.run("list", "--token", one.write("other", bytes(32)), code=11).err
    assert "outside half" in other


def test_what_fails_leaves_no_file_on_the_stick_and_the_slot_as_it_was(one: Desk) -> None:
    stick = one.write("stick", bytes(32))
    assert "there already" in one.run("journalist", "token", "add", stick, code=1).err
    one.run("journalist", "token", "add", str(one.home / "no/such/folder"), code=2)
    one.run("journalist", "token", "add", code=2)
    one.run("journalist", "token", "add", stick, "--tpm", code=2)
    assert "needs no outside half" in one.run("journalist", "token", "remove", code=1).err
    wrong = with_(one, "wrong", "not the passphrase at all")
    wrong.run("journalist", "token", "add", str(one.home / "never made"), code=11)
    assert not (one.home / "never made").exists()
    one.run("list")


def test_a_colleague_s_token_is_no_business_of_others(one: Desk) -> None:
    two = colleague(one, "Бакыт", token=True)
    one.run("journalist", "token", "add", str(one.home / "stick"))
    two.run("list")
    one.run("list", "--token", str(two.token), code=11)
    one.run("list", "--token", str(one.home / "stick"))


@pytest.fixture
def at_tpm(one: Desk, tmp_path: Path) -> Iterator[Desk]:
    """A machine with a TPM."""
    with software_tpm(tmp_path / "chip") as tcti:
        one.more["TPM2TOOLS_TCTI"] = tcti
        yield one


def test_the_tpm_is_needed_until_it_is_not(at_tpm: Desk) -> None:
    word = json.loads(at_tpm.run("journalist", "token", "add", "--tpm", "--json").stdout)["token"]
    assert word.startswith("tpm:0x01")
    at_tpm.run("list", code=11)
    at_tpm.run("list", "--token", word)
    done = at_tpm.run("journalist", "token", "remove", "--token", word)
    assert "index is undefined" in done.out
    at_tpm.run("list")
    assert "the TPM's half" in at_tpm.run("list", "--token", word, code=2).err


def test_on_another_machine_the_tpm_s_half_is_not_there(at_tpm: Desk, tmp_path: Path) -> None:
    word = json.loads(at_tpm.run("journalist", "token", "add", "--tpm", "--json").stdout)["token"]
    with software_tpm(tmp_path / "another chip") as tcti:
        elsewhere = replace(at_tpm, more={**at_tpm.more, "TPM2TOOLS_TCTI": tcti})
        elsewhere.run("list", code=11)
        assert "no other" in elsewhere.run("list", "--token", word, code=2).err


# At a terminal


def test_at_a_terminal_the_limits_come_first_then_a_question_then_three_passphrases(one: Desk) -> None:
    words = [str(SCRIPT), "journalist", "duress", "--vault", str(one.vault)]
    child = pexpect.spawn(
        words[0], words[1:], env=one.environment(), timeout=60, encoding="utf-8", dimensions=(50, 200)
    )
    try:
        child.expect_exact("can be a crime")
        child.expect_exact("[y/N] ")
        child.sendline("y")
        for prompt, typed in (
            ("Passphrase: ", REAL),
            ("the decoy passphrase: it opens the decoy and destroys nothing", None),
            ("New passphrase", DECOY), ("The same once more: ", DECOY),
            ("the duress passphrase: it destroys, then opens the decoy", None),
            ("New passphrase", DURESS), ("The same once more: ", DURESS),
        ):  # fmt: skip
            child.expect_exact(prompt)
            if typed is not None:
                child.waitnoecho()
                child.sendline(typed)
        child.expect_exact("do not try it")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
    finally:
        child.close(force=True)
    with_(one, "duress", DURESS).run("journalist", "list")
    one.run("list", code=11)


def test_a_no_sets_up_nothing(one: Desk) -> None:
    before = files_below(one.vault)
    words = [str(SCRIPT), "journalist", "duress", "--vault", str(one.vault)]
    child = pexpect.spawn(
        words[0], words[1:], env=one.environment(), timeout=60, encoding="utf-8", dimensions=(50, 200)
    )
    try:
        child.expect_exact("[y/N] ")
        child.sendline("")
        child.expect_exact("no duress passphrase was set up")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    assert files_below(one.vault) == before
