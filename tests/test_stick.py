# SPDX-License-Identifier: Apache-2.0
"""The folder that installs without a network: made for this machine, then installed from where no network is."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tools import need
from tools import make_stick

ROOT = Path(__file__).resolve().parent.parent
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
HERE = next((system for system in make_stick.SYSTEMS if system.name == f"linux-{platform.machine()}"), None)
PASSPHRASE = "correct horse battery staple and a chest"

pytestmark = pytest.mark.skipif(HERE is None or PYTHON not in make_stick.PYTHONS, reason="made for another system")


@pytest.fixture(scope="module")
def stick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert HERE is not None
    folder = tmp_path_factory.mktemp("stick of Айзада") / "sandyk"
    assert make_stick.make(folder, [HERE], [PYTHON]) == []
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home with a space"
    (folder / ".local" / "bin").mkdir(parents=True)
    return folder


def without_network(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run in a network namespace of its own, where not even the loopback device is up."""
    path = f"{os.path.dirname(sys.base_prefix + '/bin/python3')}:/usr/bin:/bin"
    return subprocess.run(
        [need("unshare"), "--net", "--map-root-user", *words],
        env={"HOME": str(home), "PATH": path, "LC_ALL": "C.UTF-8", "SANDYK_VAULT": str(home / "vault")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_it_installs_without_a_network_and_what_it_installs_keeps_documents(stick: Path, home: Path) -> None:
    installed = without_network(home, "sh", str(stick / "install.sh"))
    assert installed.returncode == 0, installed.stderr
    program = home / ".local" / "bin" / "sandyk"
    secret, document = home / "secret", home / "letter.txt"
    secret.write_text(PASSPHRASE)
    document.write_text("Dear editor")

    def sandyk(*words: str) -> str:
        done = without_network(home, str(program), *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    key = ("--passphrase-file", str(secret))
    sandyk("init", "--name", "Bermet", "--new-passphrase-file", str(secret))
    sandyk("case", "new", "one", *key)
    sandyk("add", "one", str(document), *key)
    assert "letter.txt" in sandyk("list", *key)
    sandyk("reader", "-o", str(home / "reader.html"))
    assert (home / "reader.html").stat().st_size > 100_000


def test_installing_again_replaces_the_program_and_a_stranger_folder_is_left_alone(stick: Path, home: Path) -> None:
    into = home / "program"
    assert without_network(home, "sh", str(stick / "install.sh"), str(into)).returncode == 0
    assert without_network(home, "sh", str(stick / "install.sh"), str(into)).returncode == 0
    assert without_network(home, str(into / "bin" / "sandyk"), "--version").returncode == 0
    other = home / "photos"
    other.mkdir()
    (other / "one.jpg").write_bytes(b"picture")
    refused = without_network(home, "sh", str(stick / "install.sh"), str(other))
    assert refused.returncode == 1 and "nothing was installed" in refused.stderr
    assert [path.name for path in other.iterdir()] == ["one.jpg"]


@pytest.fixture
def copy(stick: Path, tmp_path: Path) -> Iterator[Path]:
    yield shutil.copytree(stick, tmp_path / "copy")


def test_a_stick_of_which_one_byte_changed_installs_nothing(copy: Path, home: Path) -> None:
    wheel = next((copy / "wheels").glob("sandyk-*.whl"))
    content = bytearray(wheel.read_bytes())
    content[len(content) // 2] ^= 1
    wheel.write_bytes(content)
    done = without_network(home, "sh", str(copy / "install.sh"))
    assert done.returncode == 1
    assert "not what it was" in done.stderr
    assert list((home / ".local").rglob("*")) == [home / ".local" / "bin"]


def test_the_wheel_holds_the_program_its_data_and_its_licence_and_nothing_else(stick: Path) -> None:
    with zipfile.ZipFile(next((stick / "wheels").glob("sandyk-*.whl"))) as wheel:
        names = wheel.namelist()
    tracked = subprocess.run(
        ["git", "ls-files", "vault", "keys"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(tracked) <= set(names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"vault", "keys", "sandyk"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_markers_are_judged_for_the_system_that_it_is_made_for() -> None:
    lock = (
        "colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:aa\n"
        "rich==15.0.0 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"
    )
    linux, windows = make_stick.SYSTEMS[0], make_stick.SYSTEMS[1]
    assert make_stick.requirements_for(lock, linux, "3.12") == (
        "rich==15.0.0 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"
    )
    assert "colorama==0.4.6 \\\n    --hash=sha256:aa\n" in make_stick.requirements_for(lock, windows, "3.12")


def test_a_folder_that_holds_something_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"kept")
    with pytest.raises(SystemExit, match="not empty"):
        make_stick.make(tmp_path, [], [])
    assert (tmp_path / "mine").read_bytes() == b"kept"
