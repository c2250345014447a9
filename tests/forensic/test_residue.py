# SPDX-License-Identifier: Apache-2.0
"""What can be found of a vault in the raw image of a real file system: while it is worked with, and after the wipe.

Every search is proved able to find: the keyring is found before the wipe, and so is a text that lies there in clear.
"""

from __future__ import annotations

import base64
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.mounts import image_mounted, make_image
from tests.support.old_newsroom import OldNewsroom, chown_all, work_for_a_while
from tests.support.residue import Search, text_spellings
from tests.support.strangers import NOBODY, run_as_stranger
from vault.disk import Disk
from vault.panic import panic
from vault.report import Report, as_text

CONTROL = "a line in clear, which every search must find"


@dataclass(frozen=True, slots=True)
class Kind:
    """A file system to work on. ``keeps_versions``: old bytes of what is overwritten in place stay in its journal."""

    kind: str
    mib: int
    options: str = ""
    mkfs: tuple[str, ...] = ()
    keeps_versions: bool = False


KINDS = {
    "ext4": Kind("ext4", 64),
    "ext4 data=journal": Kind("ext4", 160, "data=journal", ("-J", "size=48"), keeps_versions=True),
    "xfs": Kind("xfs", 320),
    "btrfs": Kind("btrfs", 160),
    "vfat": Kind("vfat", 64),
    "exfat": Kind("exfat", 64),
}


@dataclass(slots=True)
class Worked:
    """An image in which a vault was worked with, unmounted; and what was found in it."""

    kind: Kind
    image: Path
    room: OldNewsroom
    search: Search
    leftovers: Search
    found: set[str] = field(default_factory=set)

    @contextmanager
    def again(self, base: Path) -> Iterator[tuple[Path, str]]:
        """A copy of the image, mounted where the vault was made, so that its path is the same."""
        image = base / "copy"
        subprocess.run(["cp", "--sparse=always", self.image, image], check=True)
        with image_mounted(image, self.kind.kind, self.room.desk.vault.parent, options=self.kind.options):
            yield image, self.room.folder


_worked: dict[str, Worked] = {}


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    """A folder that a user without rights can reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def worked_on(name: str, base: Path) -> Worked:
    """The same work on each kind of file system, done once."""
    if name not in _worked:
        _worked[name] = _work(KINDS[name], base / name.replace(" ", "-"))
    return _worked[name]


@pytest.fixture(params=list(KINDS))
def worked(request: pytest.FixtureRequest, base: Path) -> Worked:
    """Each kind in turn. Skips those that cannot be had here, with the reason."""
    return worked_on(request.param, base)


def _work(kind: Kind, base: Path) -> Worked:
    base.mkdir(exist_ok=True)
    image = make_image(base / "image", kind.kind, mib=kind.mib, mkfs=kind.mkfs)
    with image_mounted(image, kind.kind, base / "mnt", options=kind.options) as where:
        room = work_for_a_while(base, Path(where) / "vault")
        (Path(where) / "control").write_text(CONTROL)
    secrets = {**room.keyring_parts, **room.former_slots, **room.secrets, **room.texts, **text_spellings(CONTROL)}
    made = Worked(kind, image, room, Search(secrets), Search(room.ciphertext))
    made.found = made.search.in_file(image)
    return made


def control_found() -> set[str]:
    return {name for name in text_spellings(CONTROL) if "utf-8" in name}


def test_work_leaves_no_secret_and_no_text_outside_the_keyring(worked: Worked) -> None:
    """Filing, exporting, copying out, a new passphrase, a revocation: of all that, only the keyring can be found."""
    expected = set(worked.room.keyring_parts) | control_found()
    if worked.kind.keeps_versions:
        expected |= set(worked.room.former_slots)
        assert worked.found <= expected
        assert set(worked.room.keyring_parts) | control_found() <= worked.found
    else:
        assert worked.found == expected


def test_after_the_wipe_nothing_that_opens_anything_is_found(worked: Worked, tmp_path: Path) -> None:
    """The command, as root, with all that it asks of the file system."""
    with worked.again(tmp_path) as (image, folder):
        done = worked.room.desk.run("panic")
    assert done.out.startswith("KEYS GONE within ")
    assert not os.path.exists(folder)
    assert worked.search.in_file(image) == control_found()


def test_on_a_medium_that_discards_nothing_only_ciphertext_is_found_and_it_is_said(
    worked: Worked, tmp_path: Path
) -> None:
    """Without flush, journal and discard: what is left are sealed files, in free blocks, whose keys are gone."""
    with worked.again(tmp_path) as (image, folder):
        report = panic(folder, discard=False)
    text = as_text(report)
    found = worked.search.in_file(image) - control_found()
    if worked.kind.keeps_versions:
        assert "COPIES OF THE OLD KEYS MAY BE IN IT" in text
        assert found <= set(worked.room.keyring_parts) | set(worked.room.former_slots)
    else:
        assert found == set()
    assert worked.leftovers.in_file(image), "ciphertext in free blocks, or this search finds nothing"
    assert "blocks that are free now" in text


def test_a_user_without_rights_is_told_that_the_journal_may_hold_the_keys(base: Path, tmp_path: Path) -> None:
    """With data=journal only root can empty the journal: the keys are found in it, and the report says so."""
    journalling = worked_on("ext4 data=journal", base)
    with journalling.again(tmp_path) as (image, folder):
        os.chmod(os.path.dirname(folder), 0o777)
        chown_all(folder, NOBODY)
        Disk().overwrite(f"{folder}/keyring", 0, Path(folder, "keyring").read_bytes())  # a fresh place in the journal
        code = "import sys; from vault.panic import run; sys.exit(run(sys.argv[1:]))"
        done = run_as_stranger(code, "panic", "--vault", folder)
        assert not os.path.exists(folder), done.stderr
    assert Search(journalling.room.keyring_parts).in_file(image), "the journal keeps whole blocks"
    assert "COPIES OF THE OLD KEYS MAY BE IN IT" in done.stdout
    assert "empty and zero the ext4 journal (EXT4_IOC_CHECKPOINT): Operation not permitted" in done.stdout


class Hasty(Disk):
    """What other programs do: write over it, and never wait for the medium."""

    def overwrite_through(self, path: str, offset: int, data: object) -> bool:
        fd = os.open(path, os.O_WRONLY)
        os.pwrite(fd, data, offset)  # type: ignore[arg-type]
        os.close(fd)
        return False

    def read_through(self, path: str, offset: int, size: int) -> tuple[bytes, bool]:
        with open(path, "rb") as f:  # past the cache, the read alone would make the system write
            f.seek(offset)
            return f.read(size), False


def test_a_wipe_that_does_not_wait_for_the_medium_would_be_found_out(base: Path, tmp_path: Path) -> None:
    """The counter-test: overwritten without a flush and then deleted, the keys are found whole."""
    on_ext4 = worked_on("ext4", base)
    with on_ext4.again(tmp_path) as (image, folder):
        report: Report = panic(folder, disk=Hasty(), discard=False)
    assert report.keys_gone, "it believes in it"
    assert {"K", "slot in use"} <= on_ext4.search.in_file(image)


def test_a_trace_is_found_at_every_place_and_in_every_spelling() -> None:
    """The search itself: 16 bytes of a secret, anywhere, as they are, in hexadecimal and in base64."""
    secret = os.urandom(48)
    search = Search({"it": secret})
    for at in range(16):
        for start in range(0, 32, 5):
            piece = secret[start : start + 16]
            assert search.in_bytes(os.urandom(64 + at) + piece + os.urandom(40)) == {"it"}, (at, start)
    for text in (secret.hex(), secret.hex().upper(), *(base64.b64encode(b"x" * n + secret).decode() for n in range(3))):
        found = search.in_bytes(b"_" * 13 + text.encode() + b"_" * 13)
        assert found
    assert search.in_bytes(os.urandom(1 << 16)) == set()
    assert search.in_bytes(bytes(64) + secret[:15] + bytes(64)) == set()
