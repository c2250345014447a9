# SPDX-License-Identifier: Apache-2.0
"""An outside half in the TPM and the emergency wipe: taken away when it is known, told about when it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from keys.errors import NoMatch
from keys.secret import Secret
from keys.slots import TOKEN_SIZE
from tests.support.fake_vault import files_in
from tests.support.newsroom import CHEAP, PASSPHRASE, newsroom, unlock
from tests.support.tpm import software_tpm
from vault import beside, halves, nv
from vault.disk import Disk
from vault.errors import BadInput
from vault.panic import panic
from vault.report import as_text
from vault.vaults import LockedVault

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with a TPM."""
    monkeypatch.delenv("SANDYK_TOKEN", raising=False)
    with software_tpm(tmp_path / "chip") as tcti:
        monkeypatch.setenv("TPM2TOOLS_TCTI", tcti)
        yield


def with_half(folder: Path) -> tuple[str, str]:
    """A vault whose passphrase needs a half in the TPM, and the word for the half."""
    path = newsroom(folder)
    with unlock(path) as vault, halves.making(None) as (word, token):
        vault.change_outside_half(Secret(PASSPHRASE.encode()), token)
    return path, word


def wipe(folder: str, *words: str, usual: bool = False, **more: str) -> subprocess.CompletedProcess[str]:
    """`sandyk panic` as a process; ``usual``: the vault is the one that the environment names."""
    named = [] if usual else ["--vault", folder]
    environment = {**os.environ, **({"SANDYK_VAULT": folder} if usual else {}), **more}
    return subprocess.run(
        [sys.executable, "-m", "vault", "panic", *named, *words], capture_output=True, text=True, cwd=ROOT,
        env=environment,
    )  # fmt: skip


def there(word: str) -> bool:
    """Whether the TPM gives the half out."""
    try:
        return len(halves.obtain(word)) == TOKEN_SIZE
    except BadInput:
        return False


def test_the_sizes_of_halves_in_the_tpm_and_in_the_keyring_agree() -> None:
    assert nv.HALF_SIZE == TOKEN_SIZE


@pytest.mark.usefixtures("chip")
@pytest.mark.parametrize("keep", [True, False])
def test_a_half_that_is_named_is_gone_with_the_keys_and_no_other_is(tmp_path: Path, keep: bool) -> None:
    folder, word = with_half(tmp_path / "vault")
    _, colleagues = with_half(tmp_path / "other")
    done = wipe(folder, "--token", word, *(["--keep"] if keep else []))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("KEYS GONE") and any(beside.UNDEFINE in line for line in lines[1:])
    assert not there(word) and there(colleagues)


@pytest.mark.usefixtures("chip")
def test_the_half_of_the_usual_vault_is_the_one_in_the_environment(tmp_path: Path) -> None:
    folder, word = with_half(tmp_path / "vault")
    assert wipe(folder, usual=True, SANDYK_TOKEN=word).returncode == 0
    assert not there(word)


@pytest.mark.usefixtures("chip")
def test_of_another_vault_than_the_usual_one_it_is_told_about_and_left(tmp_path: Path) -> None:
    """The half in the environment may belong to the usual vault: nobody loses it by wiping another."""
    folder, word = with_half(tmp_path / "vault")
    done = wipe(folder, SANDYK_TOKEN=word)
    assert done.returncode == 0
    assert there(word)
    line = next(line for line in done.stdout.splitlines() if beside.UNKNOWN in line)
    assert word.removeprefix("tpm:") in line and "written down nowhere" in line and "tpm2_nvundefine" in line


@pytest.mark.usefixtures("chip")
def test_indices_that_are_no_halves_are_not_named(tmp_path: Path) -> None:
    for index, size, attributes in (
        ("0x01800001", "64", nv.ATTRIBUTES), ("0x01800002", "32", "authread|authwrite"),
        ("0x01800003", "32", f"{nv.ATTRIBUTES}|ownerread"), ("0x01400001", "32", nv.ATTRIBUTES),
    ):  # fmt: skip
        nv.run("tpm2_nvdefine", index, "-C", "o", "-s", size, "-a", attributes)
    assert nv.like_halves() == ()
    report = panic(newsroom(tmp_path / "vault"), half="", discard=False)
    assert f"{beside.UNKNOWN}: there is none in the TPM" in report.not_asked_for


@pytest.mark.usefixtures("chip")
def test_one_that_is_not_there_any_more_is_a_failure_that_is_told_after_the_keys_are_gone(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "vault")
    done = wipe(folder, "--token", "tpm:0x01800123")
    assert done.returncode == 1
    assert done.stdout.startswith("KEYS GONE") and f" - {beside.UNDEFINE}: tpm2_nvundefine" in done.stdout
    assert not os.path.lexists(folder)


def test_a_tpm_that_does_not_answer_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("tpm2_nvwrite", "tpm2_nvundefine", "tpm2_nvreadpublic"):
        (tools / name).write_text("#!/bin/sh\nexec sleep 1000\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("TPM2TOOLS_TCTI", "none")
    monkeypatch.setattr(beside, "SECONDS", 0.4)
    for half in ("tpm:0x01800123", ""):
        folder = newsroom(tmp_path / f"vault{half[4:]}")
        report = panic(folder, half=half, discard=False)
        assert report.keys_gone and not os.path.lexists(folder)
        assert ("did not answer" in as_text(report)) == bool(half)
        assert ("could not be asked" in as_text(report)) == (not half)


def test_where_there_is_no_tpm_nothing_is_said_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TPM2TOOLS_TCTI", raising=False)
    monkeypatch.setattr(nv, "_DEVICES", (str(tmp_path / "no such device"),))
    assert "TPM" not in as_text(panic(newsroom(tmp_path / "vault"), half="", discard=False))


@pytest.mark.parametrize(
    "words",
    [("--token",), ("--token", "/media/stick/half"), ("--token", "tpm:"), ("--token=tpm:0xg",), ("--token", "tpm:-1"),
     ("--token", "tpm:1", "--token", "tpm:2"), ("--drill", "--token", "tpm:0x01800001")],
)  # fmt: skip
def test_a_half_that_cannot_be_meant_destroys_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    folder = newsroom(tmp_path / "vault")
    before = files_in(folder)
    done = wipe(folder, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing was destroyed" in done.stderr
    assert files_in(folder) == before


@pytest.mark.usefixtures("chip")
def test_a_copy_of_the_keyring_made_before_does_not_open_any_more(tmp_path: Path) -> None:
    """What the half is for: the disk was imaged, the wipe came, and the image stays closed with the passphrase."""
    folder, word = with_half(tmp_path / "vault")
    image = tmp_path / "image"
    subprocess.run(["cp", "-a", folder, str(image)], check=True)
    half = halves.obtain(word)
    LockedVault.at(str(image), disk=Disk(), floor=CHEAP).unlock(Secret(PASSPHRASE.encode()), half).close()
    wipe(folder, "--token", word)
    assert not there(word)
    with pytest.raises(Exception, match="nothing here opens") as refused:
        unlock(str(image))
    assert isinstance(refused.value.__cause__, NoMatch)


def test_whatever_goes_wrong_beside_the_disk_the_wipe_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(_mark: str | None) -> None:
        raise RuntimeError

    monkeypatch.setattr(beside.process, "end", defect)
    folder = newsroom(tmp_path / "vault")
    report = panic(folder, discard=False)
    assert not os.path.lexists(folder)
    assert report.not_done == ("find what holds keys beside the disk: RuntimeError",)
