# SPDX-License-Identifier: Apache-2.0
"""Outside halves in a TPM: a real one in software, driven by the tools that drive those in hardware."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from keys.errors import MalformedKeyring
from keys.secret import Secret
from tests.support.newsroom import PASSPHRASE, newsroom, unlock
from tests.support.tpm import software_tpm
from vault import halves, nv, tpm
from vault.disk import Disk
from vault.errors import BadInput, DoesNotOpen
from vault.nv import NoTpm
from vault.tpm import TpmHalf
from vault.vaults import LockedVault


@pytest.fixture
def chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine with a TPM; the folder is its memory."""
    with software_tpm(tmp_path / "chip") as tcti:
        monkeypatch.setenv("TPM2TOOLS_TCTI", tcti)
        yield tmp_path / "chip"


def indices() -> list[int]:
    """The NV indices that are defined, as the tools list them."""
    listed = subprocess.run(["tpm2_getcap", "handles-nv-index"], capture_output=True, text=True, check=True).stdout
    return sorted(int(line.removeprefix("- "), 16) for line in listed.splitlines())


def test_what_is_made_is_read_back_also_after_the_machine_was_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with software_tpm(tmp_path / "chip") as tcti:
        monkeypatch.setenv("TPM2TOOLS_TCTI", tcti)
        half, token = tpm.make()
    with software_tpm(tmp_path / "chip") as tcti:
        monkeypatch.setenv("TPM2TOOLS_TCTI", tcti)
        assert half.obtain() == token and len(token) == 32
        assert halves.obtain(str(half)) == token


@pytest.mark.usefixtures("chip")
def test_each_is_new_and_has_an_index_of_its_own() -> None:
    made = [tpm.make() for _ in range(3)]
    assert len({half.index for half, _ in made}) == len({token.expose() for _, token in made}) == 3
    assert indices() == sorted(half.index for half, _ in made)
    for half, token in made:
        assert half.obtain() == token


@pytest.mark.usefixtures("chip")
def test_taken_away_it_is_gone_and_the_index_is_free() -> None:
    half, _ = tpm.make()
    half.take_away()
    assert indices() == []
    with pytest.raises(NoTpm):
        half.obtain()
    with pytest.raises(BadInput) as refused:
        halves.obtain(str(half))
    assert "machine" in refused.value.hints[0]


@pytest.mark.usefixtures("chip")
def test_an_index_that_holds_something_else_is_no_outside_half() -> None:
    half = TpmHalf(0x01800123)
    subprocess.run(["tpm2_nvdefine", "0x01800123", "-C", "o", "-s", "64", "-a", "authread|authwrite"], check=True,
                   capture_output=True)  # fmt: skip
    with pytest.raises((NoTpm, MalformedKeyring)):  # never written
        half.obtain()


@pytest.mark.usefixtures("chip")
def test_an_index_that_is_taken_is_not_overwritten() -> None:
    half, token = tpm.make()
    with pytest.raises(NoTpm):
        nv.run("tpm2_nvdefine", nv.name_of(half.index), "-C", "o", "-s", "32", "-a", nv.ATTRIBUTES)
    assert half.obtain() == token


@pytest.mark.usefixtures("chip")
def test_when_what_needs_it_fails_the_index_is_taken_away_again() -> None:
    with pytest.raises(RuntimeError), halves.making(None) as (word, token):
        assert halves.obtain(word) == token
        raise RuntimeError
    assert indices() == []


@pytest.mark.usefixtures("chip")
def test_a_vault_needs_the_tpm_until_it_does_not(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "vault")
    with unlock(folder) as vault, halves.making(None) as (word, token):
        vault.change_outside_half(Secret(PASSPHRASE.encode()), token)
    with pytest.raises(DoesNotOpen):
        unlock(folder)
    locked = LockedVault.at(folder, disk=Disk(), floor=vault.floor)
    with locked.unlock(Secret(PASSPHRASE.encode()), halves.obtain(word)) as vault:
        vault.change_outside_half(Secret(PASSPHRASE.encode()), None)
    unlock(folder).close()


def test_without_a_tpm_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPM2TOOLS_TCTI", f"swtpm:path={tmp_path}/nothing")
    with pytest.raises(NoTpm):
        TpmHalf(0x01800001).obtain()
    with pytest.raises(BadInput) as refused, halves.making(None):
        raise AssertionError("not reached")
    assert "nothing was changed" in refused.value.hints


def test_without_the_tools_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoTpm, match="not installed"):
        TpmHalf(0x01800001).obtain()


@pytest.mark.parametrize(
    "word", ["tpm:", "tpm:x", "tpm:0x", "tpm:0x017fffff", "tpm:0x01c00000", "tpm:-1", "tpm:0x81000001"]
)
def test_only_the_owner_s_indices_are_places(word: str) -> None:
    with pytest.raises(BadInput):
        halves.named(word)


def test_an_index_is_written_as_it_is_read() -> None:
    assert halves.named("tpm:0x01800123") == halves.named("tpm:1800123") == TpmHalf(0x01800123)
    assert str(TpmHalf(0x01800123)) == "tpm:0x01800123"
