# SPDX-License-Identifier: Apache-2.0
"""The agent's judges: what bytes mean, and when it has to forget."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.held import HELD_SIZE
from vault.agent import clocks, protocol, runtime
from vault.agent.buffer import LOCKED, PLAIN, SECRET, SecretBuffer
from vault.agent.lease import Lease
from vault.agent.protocol import Stamp, Standing, Start
from vault.errors import Damaged, NotAllowed

U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)
STAMP = Stamp(1, 2, 3, 4, 5)
LEASE = Lease(until=1000.0, idle=100.0, used=50.0, slept=7.0, stamp=STAMP)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name, wherever the tests' other folders are (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="sr-", dir="/tmp") as folder:
        yield Path(folder)


def test_the_agent_and_the_keyring_agree_on_the_size_of_a_held_slot() -> None:
    assert protocol.SLOT_BLOB_SIZE == HELD_SIZE


@pytest.mark.parametrize("operation", [protocol.GET, protocol.LOCK, protocol.STATUS])
def test_a_request_is_understood_as_soon_as_it_is_whole_and_not_before(operation: int) -> None:
    request = protocol.encode_request(operation)
    for size in range(len(request)):
        assert protocol.parse_request(request[:size]) is None
    assert protocol.parse_request(request) == operation


@given(st.binary(max_size=12))
def test_whatever_is_no_request_is_refused_or_waited_for(untrusted: bytes) -> None:
    known = {protocol.encode_request(n): n for n in (protocol.GET, protocol.LOCK, protocol.STATUS)}
    try:
        operation = protocol.parse_request(untrusted)
    except Damaged:
        assert not any(request.startswith(untrusted) for request in known)
    else:
        assert operation == known.get(untrusted)
        assert any(request.startswith(untrusted) for request in known)


def test_every_flipped_bit_of_a_request_makes_it_another_one_or_none() -> None:
    request = protocol.encode_request(protocol.LOCK)
    for bit in range(8 * len(request)):
        changed = bytearray(request)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            assert protocol.parse_request(bytes(changed)) in (protocol.GET, protocol.STATUS)
        except Damaged:
            continue


@given(U32, U32, U32, st.integers(0, len(protocol.MEMORY) - 1))
def test_a_standing_survives_its_encoding(left: int, idle: int, unused: int, memory: int) -> None:
    standing = Standing(left, idle, unused, memory)
    assert protocol.parse_standing(protocol.encode_standing(standing)) == standing


@given(st.binary(max_size=20))
def test_no_bytes_make_a_standing_that_would_not_encode_to_them(untrusted: bytes) -> None:
    try:
        standing = protocol.parse_standing(untrusted)
    except Damaged:
        return
    assert protocol.encode_standing(standing) == untrusted


@given(U32.filter(bool), U32.filter(bool), st.tuples(U64, U64, U64, U64, U64), st.text("/aё\udcff \n", max_size=40))
def test_a_start_message_survives_its_encoding(lasts: int, idle: int, stamp: tuple[int, ...], name: str) -> None:
    start = Start(lasts, idle, Stamp(*stamp), "/" + name, "/run")
    encoded = protocol.encode_start(start)
    head, names = encoded[: protocol.START_SIZE], encoded[protocol.START_SIZE :]
    assert protocol.names_size(head) == len(names)
    assert protocol.parse_start(head, names) == start


def test_every_truncation_of_a_start_message_is_refused() -> None:
    encoded = protocol.encode_start(Start(1, 2, STAMP, "/v", "/r"))
    for size in range(len(encoded)):
        with pytest.raises(Damaged):
            protocol.parse_start(encoded[:size][: protocol.START_SIZE], encoded[protocol.START_SIZE : size])


def test_a_start_message_with_relative_folders_or_no_time_is_refused() -> None:
    for start in (Start(1, 1, STAMP, "v", "/r"), Start(1, 1, STAMP, "/v", "r"), Start(0, 1, STAMP, "/v", "/r"),
                  Start(1, 0, STAMP, "/v", "/r")):  # fmt: skip
        encoded = protocol.encode_start(start)
        with pytest.raises(Damaged):
            protocol.parse_start(encoded[: protocol.START_SIZE], encoded[protocol.START_SIZE :])


@given(st.binary(min_size=0, max_size=8))
def test_an_answer_that_is_refused_too_long_or_cut_off_is_never_read_on(untrusted: bytes) -> None:
    try:
        size = protocol.parse_answer_head(untrusted)
    except Damaged:
        return
    assert untrusted == protocol.answer_head(protocol.DONE, size)
    assert size <= protocol.SLOT_BLOB_SIZE


def test_a_lease_that_nothing_ended_goes_on() -> None:
    assert LEASE.why_over(149.9, 7.0, STAMP, reachable=True) is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"now": 1000.0}, "its time is over"),
        ({"now": 150.0}, "nobody used it"),
        ({"slept": 7.6}, "the machine was suspended"),
        ({"stamp": None}, "the vault is gone"),
        ({"stamp": dataclasses.replace(STAMP, ctime_ns=6)}, "the keyring was written to"),
        ({"stamp": dataclasses.replace(STAMP, inode=6)}, "the keyring was written to"),
        ({"reachable": False}, "nobody can reach the agent any more"),
    ],
)
def test_a_lease_ends_for_each_of_its_reasons(changes: dict[str, object], why: str) -> None:
    lease = dataclasses.replace(LEASE, used=999.0) if changes.get("now") == 1000.0 else LEASE
    seen: dict[str, object] = {"now": 60.0, "slept": 7.0, "stamp": STAMP, "reachable": True, **changes}
    assert lease.why_over(**seen) == why  # type: ignore[arg-type]


def test_using_a_lease_puts_off_idleness_and_never_its_end() -> None:
    used = LEASE.used_at(140.0)
    assert used.why_over(239.0, 7.0, STAMP, reachable=True) is None
    assert used.used_at(999.9).why_over(1000.0, 7.0, STAMP, reachable=True) is not None
    assert used.standing(150.0, 0) == Standing(850, 90, 10, 0)


def test_suspended_time_is_never_negative_and_now_goes_on() -> None:
    assert clocks.slept() > -0.1
    assert clocks.now() <= clocks.now()


@pytest.mark.parametrize("secretmem", [True, False])
def test_a_buffer_takes_a_secret_from_a_pipe_and_forgets_it(secretmem: bool) -> None:
    buffer = SecretBuffer(5000, secretmem=secretmem)
    reader, writer = os.pipe()
    data = os.urandom(5000)
    os.write(writer, data[:3000])
    os.write(writer, data[3000:])
    assert buffer.fill_from(reader)
    assert bytes(buffer.view) == data
    assert buffer.kind in ((SECRET, LOCKED, PLAIN) if secretmem else (LOCKED, PLAIN))
    buffer.zero()
    assert bytes(buffer.view) == bytes(5000)


def test_a_pipe_that_ends_early_does_not_fill_a_buffer() -> None:
    buffer = SecretBuffer(100)
    reader, writer = os.pipe()
    os.write(writer, b"x" * 99)
    os.close(writer)
    assert not buffer.fill_from(reader)


def test_the_runtime_folder_is_made_for_its_owner_alone_and_named_without_the_vault(short: Path) -> None:
    place = runtime.place_of(str(short / "secret-name"), {"TMPDIR": str(short)})
    assert os.stat(place.base).st_mode & 0o777 == 0o700
    assert "secret-name" not in place.socket + place.agent + place.guard
    again = runtime.place_if_any(str(short / "secret-name"), {"TMPDIR": str(short)})
    assert again == place


def test_without_a_runtime_folder_there_is_no_place(short: Path) -> None:
    assert runtime.place_if_any(str(short), {"TMPDIR": str(short)}) is None


def test_a_relative_runtime_folder_is_ignored(short: Path) -> None:
    place = runtime.place_of(str(short), {"XDG_RUNTIME_DIR": "run", "TMPDIR": str(short)})
    assert place.base.startswith(str(short))


@pytest.mark.parametrize("trouble", ["open to others", "a link", "a file", "another user's"])
def test_a_runtime_folder_that_is_not_ours_alone_is_refused(short: Path, trouble: str) -> None:
    environ = {"TMPDIR": str(short)}
    base = Path(runtime.place_of(str(short), environ).base)
    if trouble == "open to others":
        base.chmod(0o750)
    elif trouble == "a link":
        base.rename(short / "elsewhere")
        base.symlink_to(short / "elsewhere")
    elif trouble == "a file":
        base.rmdir()
        base.write_bytes(b"")
    elif os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    else:
        os.chown(base, 12345, 12345)
    for ask in (runtime.place_of, runtime.place_if_any):
        with pytest.raises(NotAllowed):
            ask(str(short), environ)


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    with pytest.raises(NotAllowed, match="too long"):
        runtime.place_of(str(tmp_path), {"TMPDIR": str(long)})


def test_a_place_is_held_by_one_and_free_when_they_let_go(tmp_path: Path) -> None:
    path = str(tmp_path / "place")
    assert runtime.note_of_holder(path) is None
    held = runtime.hold(path, "4321\nwords\n")
    assert held is not None
    assert runtime.hold(path, "other", tries=1) is None
    assert runtime.note_of_holder(path) == "4321\nwords\n"
    assert runtime.number_of_holder(path) == 4321
    os.close(held)
    assert runtime.note_of_holder(path) is None
    assert runtime.number_of_holder(path) is None


@pytest.mark.parametrize("note", ["", "x\n", "0\n", "1\n", "-5\n", "99999999999999\n", "١٢\n"])
def test_a_note_without_a_process_number_names_no_process(tmp_path: Path, note: str) -> None:
    held = runtime.hold(str(tmp_path / "place"), note)
    assert held is not None
    assert runtime.number_of_holder(str(tmp_path / "place")) is None
    os.close(held)
