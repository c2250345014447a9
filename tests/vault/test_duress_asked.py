# SPDX-License-Identifier: Apache-2.0
"""A duress passphrase given as a new passphrase: no way to find out what it is without what it does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from keys.errors import WeakPassphrase
from keys.keyring import new_token
from keys.secret import Secret
from tests.support.duress import COLLEAGUE, DECOY, DURESS, RecordingDisk, opens, set_up, with_duress
from tests.support.newsroom import PASSPHRASE, files_below, unlock
from vault import decoys
from vault.errors import NotAllowed
from vault.vaults import Vault

BELOW, BELOW_DURESS = "a decoy below the decoy", "something quite else"

WAYS: dict[str, Callable[[Vault, str, str], object]] = {
    "passwd": lambda vault, _, word: vault.change_passphrase(Secret(word.encode())),
    "add": lambda vault, _, word: vault.add_journalist("Чынара", Secret(word.encode())),
    "add with a token": lambda vault, _, word: vault.add_journalist(
        "Чынара", Secret(word.encode()), Secret(new_token())
    ),
    "duress": lambda vault, mine, word: set_up(vault, mine, "a new decoy of them all", word, "Чынара"),
    "decoy": lambda vault, mine, word: set_up(vault, mine, word, "a new word that destroys", "Чынара"),
}
"""Every way to name a passphrase for something new: who asks, their own passphrase, the one that is named."""


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A vault with a duress passphrase."""
    return with_duress(tmp_path / "vault")


def refusal(folder: str, mine: str, way: str, word: str) -> tuple[type[Exception], str, tuple[str, ...]]:
    """How the vault that ``mine`` opens refuses ``word``."""
    with unlock(folder, mine) as vault, pytest.raises((WeakPassphrase, NotAllowed)) as caught:
        WAYS[way](vault, mine, word)
    return caught.type, str(caught.value), getattr(caught.value, "hints", ())


@pytest.mark.parametrize("way", WAYS)
def test_at_the_decoy_it_destroys_first_and_is_then_refused_as_a_real_passphrase_is(folder: str, way: str) -> None:
    for_a_real_one = refusal(folder, DECOY, way, COLLEAGUE)
    assert opens(folder, PASSPHRASE) and opens(folder, COLLEAGUE)
    assert refusal(folder, DECOY, way, DURESS) == for_a_real_one
    assert not opens(folder, PASSPHRASE) and not opens(folder, COLLEAGUE)
    assert opens(folder, DECOY)
    assert refusal(folder, DECOY, way, DURESS) == for_a_real_one


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mine", [PASSPHRASE, COLLEAGUE])
def test_at_the_real_side_a_mistake_destroys_nothing(folder: str, mine: str, way: str) -> None:
    """One's own duress passphrase, or a colleague's, given for something new; the words are the ordinary ones."""
    if way == "duress" and mine == PASSPHRASE:
        return  # the one that is replaced: ``test_set_up_again_with_the_same_duress_passphrase_it_stays``
    other = COLLEAGUE if mine == PASSPHRASE else PASSPHRASE
    assert refusal(folder, mine, way, DURESS) == refusal(folder, mine, way, other)
    assert opens(folder, PASSPHRASE) and opens(folder, COLLEAGUE) and opens(folder, DECOY)


def test_what_the_decoy_is_asked_for_it_asks_the_disk_for_as_always_but_for_the_destruction(folder: str) -> None:
    seen = []
    for word in (COLLEAGUE, DURESS):
        disk = RecordingDisk(folder)
        with unlock(folder, DECOY, disk=disk) as vault:
            del disk.seen[:]
            with pytest.raises(WeakPassphrase):
                WAYS["passwd"](vault, DECOY, word)
        seen.append(disk.seen)
    ordinary, under_duress = seen
    destruction = [("overwrite", "keyring"), ("sync", "keyring")] * 2 + [("date", "keyring")]
    # The keyring was read, and nothing else came first: no lock was waited for.
    assert under_duress == [("read", "keyring"), *destruction, *ordinary[1:]]
    assert ordinary[0] == ("read", "keyring")


@pytest.fixture
def two_deep(tmp_path: Path) -> str:
    """A vault at whose decoy duress was set up once more, and whose own duress passphrase came through.

    A decoy knows of no slot but its own: it puts its decoy into a pair drawn by chance, and one time in sixteen that
    is the pair of the real duress slot (docs/decisions/0030-duress.md). Then it is tried again with another vault.
    """
    for number in range(200):
        folder = with_duress(tmp_path / f"two-deep-{number}")
        with unlock(folder, DECOY) as vault:
            set_up(vault, DECOY, BELOW, BELOW_DURESS)
        tried = shutil.copytree(folder, tmp_path / f"tried-{number}")
        if opens(str(tried), DURESS):
            return folder
    raise AssertionError("chance cannot have been so unkind")


def test_the_passphrase_of_a_decoy_to_remove_is_asked_for_like_any_other(two_deep: str) -> None:
    """At a decoy that has a decoy of its own: the real side's duress passphrase is none of its, and destroys."""
    with unlock(two_deep, DECOY) as vault, pytest.raises(NotAllowed, match="no passphrase of a decoy"):
        decoys.take_away(vault, Secret(DURESS.encode()))
    assert not opens(two_deep, PASSPHRASE)
    assert opens(two_deep, DECOY) and opens(two_deep, BELOW)


def test_at_the_real_side_the_duress_passphrase_of_a_decoy_destroys_the_decoy_as_at_a_prompt(folder: str) -> None:
    with unlock(folder, DECOY) as vault:
        set_up(vault, DECOY, BELOW, BELOW_DURESS)
    with unlock(folder) as vault, pytest.raises(WeakPassphrase):
        vault.change_passphrase(Secret(BELOW_DURESS.encode()))
    assert opens(folder, PASSPHRASE) and not opens(folder, DECOY)


def test_a_word_that_opens_nothing_becomes_the_passphrase_and_destroys_nothing(folder: str) -> None:
    before = files_below(folder)
    with unlock(folder, DECOY) as vault:
        vault.change_passphrase(Secret(b"a word of no meaning"))
    assert {n: d for n, d in files_below(folder).items() if n != "keyring"} == {
        n: d for n, d in before.items() if n != "keyring"
    }
    assert opens(folder, PASSPHRASE) and opens(folder, COLLEAGUE) and opens(folder, "a word of no meaning")
