# SPDX-License-Identifier: Apache-2.0
"""One sealed file: not there or whole, and what a killed run left does not pile up."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vault.disk import Disk
from vault.errors import AlreadyThere, DiskFailed
from vault.sealing import write_new, write_sealed


def killed_while_writing(path: Path) -> None:
    """A process that writes half a sealed file and is killed."""
    program = (
        "import os, signal, sys\n"
        "from vault.disk import Disk\n"
        "from vault.sealing import write_sealed\n"
        "def fill(sink):\n"
        "    sink.write(b'half' * 1000000)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_sealed(sys.argv[1], fill, disk=Disk())\n"
    )
    run = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert run.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("first", "then"), [("x.age", "x.age"), ("00112233.age", "44556677.age"), ("00112233.zip", "00112233.zip")]
)
def test_what_a_killed_run_left_never_has_the_name_and_goes_with_the_next_run(
    tmp_path: Path, first: str, then: str
) -> None:
    killed_while_writing(tmp_path / first)
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".new")
    write_new(str(tmp_path / then), b"whole", disk=Disk())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {then: b"whole"}


def test_files_of_other_names_and_those_that_are_being_written_stay(tmp_path: Path) -> None:
    killed_while_writing(tmp_path / "other.age")
    for name in ("x.age-0011223.new", "x.age.new", "notes.new", "00112233.age.new"):
        (tmp_path / name).write_text("mine")
    before = {path.name for path in tmp_path.iterdir()}

    def fill(sink: object) -> None:
        with pytest.raises(DiskFailed):
            write_sealed(str(tmp_path / "x.age"), fail, disk=Disk())
        assert len(list(tmp_path.glob("x.age-????????.new"))) == 1, "the first one's"

    def fail(sink: object) -> None:
        raise OSError(28, "full")

    write_sealed(str(tmp_path / "x.age"), fill, disk=Disk())
    assert {path.name for path in tmp_path.iterdir()} == before | {"x.age"}


@pytest.mark.parametrize(("refused", "left"), [("rename", False), ("sync-folder", True)])
def test_a_disk_that_refuses_at_the_end_is_said_with_what_is_there(tmp_path: Path, refused: str, left: bool) -> None:
    class Refusing(Disk):
        def step(self, operation: str, path: str) -> None:
            if operation == refused:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(DiskFailed) as failed:
        write_new(str(tmp_path / "x.age"), b"whole", disk=Refusing())
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"] * left
    assert ("nothing was left" in failed.value.hints[0]) != left


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    path = str(tmp_path / "x.age")
    write_new(path, b"one", disk=Disk())
    with pytest.raises(AlreadyThere):
        write_new(path, b"two", disk=Disk())
    write_sealed(path, lambda sink: sink.write(b"three"), disk=Disk(), force=True)
    assert Path(path).read_bytes() == b"three"
    assert os.listdir(tmp_path) == ["x.age"]
