# SPDX-License-Identifier: Apache-2.0
"""Moving one's slot to an outside half: nobody is locked out, wherever it stops."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from keys.secret import Secret
from tests.support.newsroom import CHEAP, PASSPHRASE, newsroom
from tests.support.stopping import Stopped, StoppingDisk
from vault.disk import Disk
from vault.errors import DoesNotOpen
from vault.halves import making, obtain
from vault.vaults import LockedVault, Vault

MINE = Secret(PASSPHRASE.encode())


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return newsroom(tmp_path / "vault")


def unlock(folder: str, token: Secret | None = None, *, disk: Disk | None = None) -> Vault:
    return LockedVault.at(folder, disk=disk or Disk(), floor=CHEAP).unlock(Secret(MINE.expose()), token)


def opens(folder: str, token: Secret | None) -> bool:
    try:
        unlock(folder, token).close()
    except DoesNotOpen:
        return False
    return True


def add(folder: str, stick: Path, disk: Disk) -> None:
    """What `journalist token add` does."""
    with unlock(folder, disk=disk) as vault:

        def needed(_: str) -> bool:
            return not vault.opens_with(MINE, None)

        with making(str(stick), needed=needed) as (_, token):
            vault.change_outside_half(MINE, token)


def test_wherever_it_stops_the_slot_opens_and_a_half_that_it_needs_is_kept(folder: str, tmp_path: Path) -> None:
    """An interruption that programs can answer (Ctrl-C, an error of the disk): the new half must not be removed."""
    counting = StoppingDisk()
    add(str(shutil.copytree(folder, tmp_path / "counted")), tmp_path / "counted stick", counting)
    kept = []
    for n in range(len(counting.steps)):
        copy, stick = str(shutil.copytree(folder, tmp_path / str(n))), tmp_path / f"stick {n}"
        with pytest.raises(Stopped):
            add(copy, stick, StoppingDisk(n))
        kept.append(stick.exists())
        assert opens(copy, obtain(str(stick)) if stick.exists() else None)
    assert kept[0] is False and kept[-1] is True


def test_interrupted_after_the_last_write_the_half_is_kept(folder: str, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    with (
        unlock(folder) as vault,
        pytest.raises(KeyboardInterrupt),
        making(str(stick), needed=lambda _: not vault.opens_with(MINE, None)) as (_, token),
    ):
        vault.change_outside_half(MINE, token)
        raise KeyboardInterrupt
    assert opens(folder, obtain(str(stick))) and not opens(folder, None)


def test_another_passphrase_is_never_taken_for_one_s_own(folder: str) -> None:
    with unlock(folder) as vault:
        vault.add_journalist("Бек", Secret(b"another journalist here"))
        before = (Path(folder) / "keyring").read_bytes()
        for wrong in (b"opens nothing at all", b"another journalist here"):
            with pytest.raises(DoesNotOpen):
                vault.change_outside_half(Secret(wrong), Secret.random())
            assert not vault.opens_with(Secret(wrong), None)
        assert (Path(folder) / "keyring").read_bytes() == before


def test_the_half_is_needed_exchanged_and_let_go(folder: str) -> None:
    first, second = Secret.random(), Secret.random()
    with unlock(folder) as vault:
        assert not vault.needs_outside_half
        vault.change_outside_half(MINE, first)
        assert vault.needs_outside_half
        vault.change_outside_half(MINE, second)
    assert [opens(folder, token) for token in (None, first, second)] == [False, False, True]
    with unlock(folder, second) as vault:
        vault.change_outside_half(MINE, None)
    assert [opens(folder, token) for token in (None, first, second)] == [True, True, True]
