# SPDX-License-Identifier: Apache-2.0
"""Outside halves in files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from keys import keyring
from keys.errors import MalformedKeyring
from keys.outside import FileHalf, OutsideHalf


def test_a_file_of_32_bytes_is_an_outside_half(tmp_path: Path) -> None:
    content = keyring.new_token()
    (tmp_path / "stick").write_bytes(content)
    half: OutsideHalf = FileHalf(str(tmp_path / "stick"))
    assert half.obtain().expose() == content


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64, 100_000])
def test_a_file_of_another_size_is_none(tmp_path: Path, size: int) -> None:
    (tmp_path / "stick").write_bytes(bytes(size))
    with pytest.raises(MalformedKeyring):
        FileHalf(str(tmp_path / "stick")).obtain()


def test_what_is_not_there_is_said_as_the_system_says_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileHalf(str(tmp_path / "stick")).obtain()


def test_a_folder_and_a_pipe_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MalformedKeyring):
        FileHalf(str(tmp_path / "pipe")).obtain()
    with pytest.raises((MalformedKeyring, IsADirectoryError)):
        FileHalf(str(tmp_path)).obtain()


def test_it_shows_the_place_and_never_the_bytes(tmp_path: Path) -> None:
    content = keyring.new_token()
    (tmp_path / "stick").write_bytes(content)
    half = FileHalf(str(tmp_path / "stick"))
    half.obtain()
    assert content.hex() not in repr(half) and repr(content)[2:-1] not in repr(half) and "stick" in repr(half)
