# SPDX-License-Identifier: Apache-2.0
"""The facts about a medium, the requests to forget, and what the report makes of both."""

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.mounts import loop_mounted, survives
from vault import discard
from vault.counter import Counter
from vault.medium import (
    INLINE,
    SHARED,
    Below,
    Drive,
    Extents,
    Medium,
    Mount,
    Swap,
    below,
    extents,
    gather,
    is_no_cow,
    mount_of,
    nothing_known,
    set_nocow,
)
from vault.report import ALWAYS, LAW, abroad, lines

KNOWN = Medium(
    extents=Extents(known=True, flags=1, ranges=((4096, 8192),)),
    no_cow=False,
    mount=Mount("/", "ext4", "/dev/sda1", "8:1", ("rw",)),
    below=Below((Drive("sda", False, True),), False),
    swaps=(),
    hibernation=False,
    core_pattern="core",
)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


class FakeMachine:
    """Trees that look like /proc and /sys."""

    def __init__(self, base: Path) -> None:
        self.proc, self.sys = base / "proc", base / "sys"

    def mounts(self, *entries: str) -> None:
        write(self.proc / "self/mountinfo", "".join(f"{line}\n" for line in entries))

    def disk(self, name: str, number: str, *, rotational: int, granularity: int) -> None:
        write(self.sys / f"devices/{name}/queue/rotational", f"{rotational}\n")
        write(self.sys / f"devices/{name}/queue/discard_granularity", f"{granularity}\n")
        self._number(number, f"devices/{name}")

    def partition(self, disk: str, name: str, number: str) -> None:
        (self.sys / f"devices/{disk}/{name}").mkdir()
        self._number(number, f"devices/{disk}/{name}")

    def mapped(self, name: str, number: str, uuid: str, *slaves: str) -> None:
        write(self.sys / f"devices/{name}/dm/uuid", uuid + "\n")
        (self.sys / f"devices/{name}/slaves").mkdir()
        for slave in slaves:
            (self.sys / f"devices/{name}/slaves" / os.path.basename(slave)).symlink_to(self.sys / "devices" / slave)
        self._number(number, f"devices/{name}")

    def _number(self, number: str, device: str) -> None:
        for link in (f"dev/block/{number}", f"class/block/{os.path.basename(device)}"):
            (self.sys / link).parent.mkdir(parents=True, exist_ok=True)
            (self.sys / link).symlink_to(self.sys / device)

    def below(self, number: str) -> Below:
        return below(Mount("/", "ext4", "none", number, ()), sys_root=str(self.sys))

    def gather(self, folder: str = "/home/a") -> Medium:
        return gather(folder, Extents(), None, proc=str(self.proc), sys_root=str(self.sys))


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


def test_the_longest_mount_point_above_a_folder_is_its_mount(machine: FakeMachine) -> None:
    machine.mounts(
        "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,data=journal",
        "2 1 8:2 / /home rw - xfs /dev/sda2 rw",
        "3 1 8:3 / /home2 rw - btrfs /dev/sda3 rw",
    )
    found = mount_of("/home/a", proc=str(machine.proc))
    assert found == Mount("/home", "xfs", "/dev/sda2", "8:2", ("rw",))
    assert mount_of("/homeless", proc=str(machine.proc)) == Mount(
        "/", "ext4", "/dev/sda1", "8:1", ("rw", "relatime", "data=journal")
    )


def test_of_mounts_on_top_of_each_other_the_last_counts(machine: FakeMachine) -> None:
    machine.mounts("1 0 8:1 / /a rw - ext4 x rw", "2 1 8:2 / /a rw - tmpfs y rw")
    found = mount_of("/a", proc=str(machine.proc))
    assert found is not None
    assert found.kind == "tmpfs"


def test_white_space_in_a_mount_point_is_understood(machine: FakeMachine) -> None:
    machine.mounts(r"1 0 8:1 / /media/my\040stick rw - vfat /dev/sdb1 rw")
    assert mount_of("/media/my stick/vault", proc=str(machine.proc)) is not None


@given(st.text())
@example("Filename Type\nswap\0file file")
@example("\x1e\0 0")
def test_a_strange_mountinfo_raises_nothing(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    base = tmp_path_factory.mktemp("m")
    write(base / "proc/self/mountinfo", text.encode("utf-8", "replace").decode())
    write(base / "proc/swaps", text.encode("utf-8", "replace").decode())
    gather("/home", Extents(), None, proc=str(base / "proc"), sys_root=str(base / "sys"))


def test_a_partition_is_described_by_its_disk(machine: FakeMachine) -> None:
    machine.disk("sda", "8:0", rotational=1, granularity=0)
    machine.partition("sda", "sda1", "8:1")
    assert machine.below("8:1") == Below((Drive("sda1", True, False),), False)


def test_encryption_is_found_below_a_logical_volume(machine: FakeMachine) -> None:
    machine.disk("nvme0n1", "259:0", rotational=0, granularity=512)
    machine.partition("nvme0n1", "nvme0n1p3", "259:3")
    machine.mapped("dm-0", "253:0", "CRYPT-LUKS2-0123", "nvme0n1/nvme0n1p3")
    machine.mapped("dm-1", "253:1", "LVM-0123", "dm-0")
    assert machine.below("253:1") == Below((Drive("nvme0n1p3", False, True),), True)


def test_encryption_of_one_of_two_drives_is_none(machine: FakeMachine) -> None:
    machine.disk("sda", "8:0", rotational=0, granularity=512)
    machine.disk("sdb", "8:16", rotational=0, granularity=512)
    machine.mapped("dm-0", "253:0", "CRYPT-LUKS2-0123", "sda")
    machine.mapped("dm-1", "253:1", "LVM-0123", "dm-0", "sdb")
    assert machine.below("253:1").encrypted is False


def test_devices_in_a_circle_end_as_unknown(machine: FakeMachine) -> None:
    machine.mapped("dm-0", "253:0", "LVM-0", "dm-0")
    assert machine.below("253:0").encrypted is None


def test_swap_is_told_apart(machine: FakeMachine) -> None:
    machine.mounts("1 0 8:0 / / rw - ext4 none rw")
    machine.disk("sda", "8:0", rotational=0, granularity=512)
    machine.disk("zram0", "252:0", rotational=0, granularity=4096)
    machine.mapped("dm-0", "253:0", "CRYPT-PLAIN-swap", "sda")
    write(
        machine.proc / "swaps",
        "Filename\tType\tSize\tUsed\tPriority\n"
        "/dev/zram0 partition 1 0 100\n/dev/dm-0 partition 1 0 -2\n/swap\\040file file 1 0 -3\n",
    )
    assert machine.gather().swaps == (
        Swap("/dev/zram0", True, False), Swap("/dev/dm-0", False, True), Swap("/swap file", False, False),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "disk", "expected"),
    [("freeze mem disk", "[platform] shutdown", True), ("freeze mem disk", "[disabled]", False), ("mem", "", False)],
)
def test_hibernation_is_possible_only_if_the_kernel_says_so(
    machine: FakeMachine, state: str, disk: str, expected: bool
) -> None:
    write(machine.sys / "power/state", state + "\n")
    write(machine.sys / "power/disk", disk + "\n")
    assert machine.gather().hibernation is expected


def test_where_nothing_can_be_read_everything_is_unknown_and_reported_as_unknown(machine: FakeMachine) -> None:
    medium = machine.gather()
    assert medium == nothing_known(Extents(), None)
    text = "\n".join(lines(medium))
    for topic in ("drive", "encryption", "file system", "snapshots", "swap", "hibernation", "crash dumps"):
        assert re.search(rf"{topic}[^\n]*(unknown|could not be found out)", text), topic


def test_this_machine_can_be_described() -> None:
    assert lines(gather(os.getcwd(), Extents(), None))


def test_extents_of_a_synced_file_cover_it(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(os.urandom(100_000))
    with open(tmp_path / "f", "rb+") as f:
        os.fsync(f.fileno())
    found = extents(str(tmp_path / "f"))
    if not found.known:
        pytest.skip("this file system does not say where its blocks are")
    assert sum(length for _, length in found.ranges) >= 100_000


@pytest.mark.parametrize("path", ["/nothing", "/dev/null", "/proc/self/stat"])
def test_what_has_no_extents_is_unknown(path: str) -> None:
    assert extents(path) == Extents()
    assert is_no_cow("/nothing") is None


def test_no_copy_on_write_is_set_where_it_exists(tmp_path: Path) -> None:
    with loop_mounted(tmp_path, "btrfs", mib=128) as where:
        path = f"{where}/f"
        fd = os.open(path, os.O_RDWR | os.O_CREAT)
        assert is_no_cow(path) is False
        assert set_nocow(fd)
        os.close(fd)
        assert is_no_cow(path) is True


def test_no_copy_on_write_is_no_error_where_it_does_not_exist(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "f", os.O_RDWR | os.O_CREAT)
    set_nocow(fd)
    os.close(fd)
    reader, writer = os.pipe()
    assert set_nocow(reader) is False
    os.close(reader)
    os.close(writer)


def test_a_btrfs_mount_is_traced_to_its_device(tmp_path: Path) -> None:
    with loop_mounted(tmp_path, "btrfs", mib=128) as where:
        found = gather(where, Extents(), None)
    assert [drive.name[:4] for drive in found.below.drives] == ["loop"]


# --- asking to forget --------------------------------------------------------------------------------------------


def test_an_ext4_journal_is_emptied_and_free_blocks_discarded(tmp_path: Path) -> None:
    """With data=journal the journal holds the file's bytes; after the requests no byte of it is left."""
    secret = os.urandom(64 << 10)
    with loop_mounted(tmp_path, "ext4", mib=64, options="data=journal") as where:
        path = Path(where, "f")
        path.write_bytes(secret)
        subprocess.run(["sync", "-f", where], check=True)
        place = extents(str(path))
        medium = gather(where, place, None)
        assert survives(tmp_path / "image", secret)
        path.unlink()
        asked = dict(discard.ask(medium))
    assert set(asked) == {discard.FLUSH, discard.JOURNAL, discard.DISCARD_KEYRING, discard.DISCARD_ALL}
    assert set(asked.values()) == {""}
    assert not survives(tmp_path / "image", secret)
    assert not any("COPIES OF THE OLD KEYS" in line for line in lines(medium, tuple(asked.items())))


def test_requests_end_at_their_deadline() -> None:
    asked = discard.ask(gather(os.getcwd(), Extents(), None), deadline=0)
    assert asked
    assert all("not finished within" in why for _, why in asked)


def test_refused_requests_are_reasons_not_errors(tmp_path: Path) -> None:
    medium = replace(KNOWN, mount=Mount(str(tmp_path / "gone"), "ext4", "x", "0:0", ()))
    assert {why for _, why in discard.ask(medium)} == {"No such file or directory"}
    medium = replace(KNOWN, mount=Mount("/proc", "proc", "x", "0:0", ()))
    asked = dict(discard.ask(medium))
    assert asked[discard.DISCARD_ALL] in ("Inappropriate ioctl for device", "Operation not permitted")


def test_without_facts_nothing_is_asked_and_that_is_said() -> None:
    assert discard.ask(nothing_known(Extents(), None)) == ((discard.DISCARD_ALL, "known on Linux only"),)


# --- what the report says ----------------------------------------------------------------------------------------

FORBIDDEN = re.compile(r"secure|unrecoverabl|irrecoverabl|forensic|military|NIST|100 ?%|guarantee", re.IGNORECASE)

mediums = st.builds(
    Medium,
    extents=st.builds(Extents, known=st.booleans(), flags=st.sampled_from([0, 1, SHARED, INLINE, SHARED | INLINE])),
    no_cow=st.sampled_from([None, True, False]),
    mount=st.none()
    | st.builds(
        Mount,
        point=st.just("/"),
        kind=st.sampled_from(["ext4", "btrfs", "xfs", "zfs", "overlay", "nfs4", "fuse.sshfs", "tmpfs", "\x1b[2J"]),
        source=st.just("/dev/sda"),
        device=st.just("8:0"),
        options=st.sampled_from([("rw",), ("rw", "data=journal")]),
    ),
    below=st.builds(
        Below,
        drives=st.lists(
            st.builds(Drive, st.text(), st.sampled_from([None, True, False]), st.sampled_from([None, True, False])),
            max_size=2,
        ).map(tuple),
        encrypted=st.sampled_from([None, True, False]),
    ),
    swaps=st.none()
    | st.lists(st.builds(Swap, st.text(), st.booleans(), st.sampled_from([None, True, False])), max_size=2).map(tuple),
    hibernation=st.sampled_from([None, True, False]),
    core_pattern=st.none() | st.text(),
)


@given(mediums)
def test_no_fact_makes_the_report_promise_too_much_or_print_control_characters(medium: Medium) -> None:
    names = {d.name for d in medium.below.drives} | {s.name for s in medium.swaps or ()} | {medium.core_pattern}
    for line in lines(medium):
        assert line.isprintable()
        assert FORBIDDEN.search(line) is None or any(FORBIDDEN.search(name or "") for name in names)
    assert not any(FORBIDDEN.search(line) for line in (*ALWAYS, LAW))


@pytest.mark.parametrize(
    ("medium", "expected"),
    [
        (KNOWN, "flash: sda may keep old copies"),
        (KNOWN, "It takes discards (TRIM)."),
        (KNOWN, "disk encryption below the vault: none was found."),
        (KNOWN, "no file of this file system shares"),
        (KNOWN, "swap: none is in use now."),
        (KNOWN, "crash dumps: written to files named core;"),
        (replace(KNOWN, core_pattern="|/usr/lib/dumper %p"), "crash dumps: handed to /usr/lib/dumper %p;"),
        (replace(KNOWN, below=Below((Drive("sda", True, False),), True)), "says that it is a spinning disk"),
        (replace(KNOWN, below=Below((Drive("sda", True, False),), True)), "It takes no discards"),
        (replace(KNOWN, below=Below((Drive("sda", True, False),), True)), "YES (dm-crypt)"),
        (replace(KNOWN, extents=Extents(True, SHARED)), "THE VAULT CAN BE OPENED FROM IT"),
        (replace(KNOWN, extents=Extents(True, INLINE)), "file system's own records"),
        (replace(KNOWN, extents=Extents()), "could not be found out"),
        (replace(KNOWN, mount=Mount("/", "btrfs", "", "", ())), "btrfs writes to new blocks instead of in place"),
        (replace(KNOWN, no_cow=True, mount=Mount("/", "btrfs", "", "", ())), "btrfs, writes this file in place"),
        (replace(KNOWN, mount=Mount("/", "fuse.sshfs", "", "", ())), "fuse.sshfs. What the server"),
        (replace(KNOWN, mount=Mount("/", "overlay", "", "", ())), "A lower layer may still hold"),
        (replace(KNOWN, mount=Mount("/", "tmpfs", "", "", ())), "the vault was in memory"),
        (replace(KNOWN, mount=Mount("/", "ext4", "", "", ("data=journal",))), "COPIES OF THE OLD KEYS MAY BE IN IT"),
        (replace(KNOWN, swaps=(Swap("/dev/sda2", False, False),)), "/dev/sda2, no encryption was found below it"),
        (replace(KNOWN, swaps=(Swap("/dev/zram0", True, False),)), "gone at power-off"),
        (replace(KNOWN, hibernation=True), "an image made while the vault was open holds its keys"),
    ],
)
def test_each_fact_has_its_sentence(medium: Medium, expected: str) -> None:
    assert any(expected in line for line in lines(medium))


COUNTER = Counter(14, 12, 10, "2026-05-01", "2026-05-03").encode()


def test_the_counter_is_told_as_what_it_is() -> None:
    assert abroad(COUNTER) == (
        "the counter says 14 documents filed here, 12 of them sealed for others, last on 2026-05-01, "
        "10 confirmed by an editor's signed receipt, last on 2026-05-03. It may be behind. "
        "Whether the others arrived is not known here."
    )
    assert "0 of them sealed for others, 0 confirmed by an editor's signed receipt. It" in abroad(Counter().encode())


@pytest.mark.parametrize(
    "untrusted",
    [
        None, b"", b"sandyk counter 1", COUNTER.replace(b"counter 1", b"counter 2"), COUNTER + b"all safe\n",
        COUNTER.replace(b"sealed 12", b"sealed 012"), COUNTER.replace(b"sealed 12", b"sealed -1"),
        COUNTER.replace(b"2026-05-01", b"2026-02-30"), COUNTER.replace(b"2026-05-01", b"20260501"),
        COUNTER.replace(b"filed", b"safe").replace(b"safe 10", b"filed 10"), COUNTER.replace(b"safe 10\n", b""),
        COUNTER.replace(b"14", "١".encode()), b"sandyk counter 1\nfiled 1\nsealed 1\nlast-sealed -\n",
    ],
)  # fmt: skip
def test_a_counter_that_makes_no_sense_is_unknown(untrusted: bytes | None) -> None:
    assert abroad(untrusted).startswith("unknown")


@given(st.binary())
def test_no_bytes_in_the_counter_raise(untrusted: bytes) -> None:
    assert abroad(untrusted)


def test_every_truncation_and_flipped_byte_of_a_counter_is_unknown_or_another_plain_number() -> None:
    for n in range(len(COUNTER)):
        assert abroad(COUNTER[:n]).startswith("unknown")
        flipped = COUNTER[:n] + bytes([COUNTER[n] ^ 0x80]) + COUNTER[n + 1 :]
        assert abroad(flipped).startswith("unknown")
