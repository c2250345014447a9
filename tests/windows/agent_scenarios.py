# SPDX-License-Identifier: Apache-2.0
"""What a Windows Python does with real pipes and agents, one function a sentence: ``test_agent_on_windows`` runs it.

    python -m tests.windows.agent_scenarios    prints a line of JSON for each: its name, and "" or what went wrong

Nothing here is pytest's, so that the Windows Python needs no more than the program itself does.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from tests.support.windows_agents import (
    again,
    agent_number,
    answering,
    described,
    ended,
    ends,
    may,
    opens,
    path,
    planted,
    raw,
    runs,
    start,
    stopped_agent,
)

Scenario = Callable[[str], None]
_BEGINNINGS = ("the_", "an_", "a_", "commands_", "no_")
_KEPT: list[Any] = []
"""Doors that were opened: a process ends with them."""


def scenarios() -> dict[str, Scenario]:
    """Every function below whose name begins as a sentence about agents does."""
    return {name: it for name, it in globals().items() if name.startswith(_BEGINNINGS)}


def commands_open_the_vault_through_the_agent_until_it_is_locked(folder: str) -> None:
    from vault.agent import asking

    assert not opens(folder)
    start(folder)
    number = agent_number(folder)
    assert opens(folder) and opens(folder)
    assert asking.lock(folder)
    assert not runs(number)
    assert not opens(folder)
    assert not asking.lock(folder)


def the_agent_says_how_long_it_goes_on_and_holds_the_slot_in_locked_memory(folder: str) -> None:
    from vault.agent import asking, buffer

    start(folder, lasts=500, idle=300)
    standing = asking.standing(folder)
    assert standing is not None
    assert 0 < standing.left <= 500 and 0 < standing.idle_left <= 300
    assert standing.memory == buffer.LOCKED


def a_second_unlock_takes_the_place_of_the_first(folder: str) -> None:
    start(folder)
    first = agent_number(folder)
    start(folder)
    assert agent_number(folder) != first and not runs(first)


def the_agent_ends_when_its_time_is_over(folder: str) -> None:
    start(folder, lasts=1)
    assert ends(folder)


def the_agent_ends_when_nobody_uses_it(folder: str) -> None:
    start(folder, idle=1)
    assert ends(folder)


def the_agent_ends_when_the_passphrase_is_changed(folder: str) -> None:
    from keys.secret import Secret
    from tests.support.newsroom import unlock

    start(folder)
    number = agent_number(folder)
    with unlock(folder) as vault:
        vault.change_passphrase(Secret(b"quite another one"))
    assert not opens(folder)
    assert ended(number)


def the_agent_ends_when_the_vault_is_moved_away(folder: str) -> None:
    start(folder)
    number = agent_number(folder)
    shutil.move(folder, folder + ".elsewhere")
    assert ended(number)


def the_agent_ends_by_itself_when_the_keys_are_overwritten_and_nobody_tells_it(folder: str) -> None:
    from vault.disk import Disk
    from vault.killing import kill_keys

    start(folder)
    assert not kill_keys(Disk(), os.path.join(folder, "keyring")).problem
    assert ends(folder)


def the_emergency_wipe_ends_the_agent(folder: str) -> None:
    from vault.panic import panic

    start(folder)
    number = agent_number(folder)
    panic(folder, keep=True, discard=False)
    assert not runs(number)


def the_emergency_wipe_and_lock_kill_an_agent_that_hangs(folder: str) -> None:
    from vault.agent import asking
    from vault.panic import panic

    for lock in (True, False):
        number = stopped_agent(folder)
        assert runs(number)
        if lock:
            assert asking.lock(folder)
        else:
            report = panic(folder, keep=True, discard=False)
            assert any("1 agent(s)" in line for line in report.done_as_well), report
        assert not runs(number)


def an_agent_that_hangs_is_no_agent_to_a_command(folder: str) -> None:
    from vault.agent import asking

    asking.PATIENCE = 0.05
    stopped_agent(folder)
    assert not opens(folder)


def an_agent_that_was_killed_leaves_nothing_in_the_next_ones_way(folder: str) -> None:
    from vault.agent import windows

    start(folder)
    with windows.Process(agent_number(folder)) as process:
        process.kill()
        assert process.ended(5)
    assert not opens(folder)
    start(folder)
    assert opens(folder)


def the_agent_gives_no_slot_for_hostile_bytes_and_goes_on(folder: str) -> None:
    from vault.agent import protocol

    start(folder)
    for hostile in (
        b"\0\0\0\2\2\0", b"\0\0\0\2\2\xff", b"\0\0\0\2\1\1", b"\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\2\2\3\0", os.urandom(1 << 16),
    ):  # fmt: skip
        assert len(raw(folder, hostile)) <= protocol.ANSWER_HEAD_SIZE
        assert opens(folder)


def a_request_may_come_in_pieces(folder: str) -> None:
    from vault.agent import protocol

    start(folder)
    request = protocol.encode_request(protocol.STATUS)
    assert len(raw(folder, *(request[i : i + 1] for i in range(len(request))))) == protocol.ANSWER_HEAD_SIZE + 13


def no_silent_connection_keeps_a_command_waiting(folder: str) -> None:
    """Nor one that asks and does not read the answer; the oldest are dropped."""
    from vault.agent import asking, pipes, protocol

    start(folder)
    for said in (b"\0\0", protocol.encode_request(protocol.STATUS)):
        silent = []
        try:
            for _ in range(40):
                silent.append(pipes.connect(path(folder), timeout=5))
                silent[-1].sendall(said)
            assert opens(folder)
        finally:
            for connection in silent:
                connection.close()
        assert opens(folder)
    assert asking.lock(folder)


def a_request_counts_also_when_who_made_it_has_left(folder: str) -> None:
    from vault.agent import pipes, protocol

    start(folder)
    number = agent_number(folder)
    with pipes.connect(path(folder), timeout=5) as connection:
        connection.sendall(protocol.encode_request(protocol.LOCK))
    assert ended(number)


def the_pipe_is_its_user_s_alone(folder: str) -> None:
    """Owner and access list as the system says them of an open pipe, and as the whole of what was asked for."""
    from vault.agent import pipes, windows

    start(folder)
    user = windows.own_user()
    with pipes.connect(path(folder), timeout=5) as connection:
        assert windows.owner_of(connection.handle) == user
        assert described(connection.handle) == f"O:{user}D:P(A;;FA;;;{user})"


def no_other_program_of_the_user_can_make_an_end_of_the_agent_s_pipe(folder: str) -> None:
    import _winapi

    start(folder)
    with contextlib.suppress(OSError):
        _winapi.CreateNamedPipe(path(folder), _winapi.PIPE_ACCESS_DUPLEX, 0, 255, 64, 64, 0, _winapi.NULL)
        raise AssertionError


def a_pipe_that_was_there_before_is_refused_and_not_believed(folder: str) -> None:
    from vault.agent import asking
    from vault.errors import NotAllowed

    with planted(path(folder), "BA"):  # the Administrators', whoever made it
        for _ in range(2):
            try:
                start(folder)
            except NotAllowed as exc:
                assert "name of the pipe" in str(exc)
            else:
                raise AssertionError
        assert not opens(folder)
        assert asking.standing(folder) is None
        assert not asking.lock(folder)
    start(folder)
    assert opens(folder)


def the_agent_itself_refuses_a_pipe_that_was_there_before(folder: str) -> None:
    from vault.agent import pipes

    name = path(folder) + "-beside"
    with planted(name, "BA"):
        assert not pipes.Door("", name).open()
    _KEPT.append(pipes.Door("", name))
    assert _KEPT[-1].open()
    assert not pipes.Door("", name).open()


def a_server_is_told_who_its_client_is(folder: str) -> None:
    import _winapi

    from vault.agent import pipes, windows

    with planted(path(folder), windows.own_user()) as handle, pipes.connect(path(folder), timeout=5) as connection:
        connection.sendall(b"x")
        _winapi.ReadFile(handle, 1, overlapped=True)[0].GetOverlappedResult(True)
        assert windows.client_user(handle, os._exit) == windows.own_user()


def an_answer_counts_only_while_the_keyring_confirms_it(folder: str) -> None:
    from dataclasses import replace

    from keys import keyring
    from tests.support.newsroom import unlock
    from vault.agent import protocol

    with unlock(folder) as vault:
        held = keyring.hold(vault.keyring_file, vault.opened)
        blobs = {
            "none": bytes(held.encode()),
            "another vault's life": bytes(replace(held, alive=b"x" * 32).encode()),
            "noise": os.urandom(protocol.SLOT_BLOB_SIZE),
        }
        answers = {lie: protocol.answer_head(protocol.DONE, len(blob)) + blob for lie, blob in blobs.items()}
        answers["too long"] = protocol.answer_head(protocol.DONE, 1 << 30)
        answers["cut off"] = answers["none"][:-1]
        for lie, answer in answers.items():
            with answering(path(folder), answer):
                assert opens(folder, locks=False) == (lie == "none"), lie


def the_agent_lets_no_program_of_its_user_read_its_memory(folder: str) -> None:
    start(folder)
    number = agent_number(folder)
    for right in (0x0010, 0x0020, 0x0040, 0x0800):  # read or write memory, duplicate handles, suspend
        assert not may(number, right), hex(right)
    assert may(number, 0x0010_1000)  # wait for it, and ask little of it


def the_agent_inherits_nothing_but_its_three_streams(folder: str) -> None:
    """A file that it would keep open could not be removed."""
    import msvcrt

    kept = folder + ".kept"
    with open(kept, "wb") as f:
        os.set_handle_inheritable(msvcrt.get_osfhandle(f.fileno()), True)
        start(folder)
    os.unlink(kept)
    with contextlib.suppress(FileNotFoundError):
        os.stat(kept)
        raise AssertionError


def the_agent_forgets_when_the_machine_is_about_to_sleep_and_not_at_other_times(folder: str) -> None:
    """Through the function pointer that Windows was given; that it calls it is for Windows to do."""
    from vault.agent import windows

    forgotten: list[bool] = []
    told = windows.before_sleep(lambda: forgotten.append(True))
    for kind in (0x0A, 0x12, 0x07):  # PBT_APMPOWERSTATUSCHANGE, PBT_APMRESUMEAUTOMATIC, PBT_APMRESUMESUSPEND
        assert told(None, kind, None) == 0
    assert not forgotten
    assert told(None, 0x04, None) == 0  # PBT_APMSUSPEND
    assert forgotten == [True]


def the_clocks_agree_while_the_machine_is_awake(folder: str) -> None:
    from vault.agent import clocks
    from vault.agent.lease import SLEPT_AT_MOST

    first, now = clocks.slept(), clocks.now()
    for _ in range(1000):
        assert abs(clocks.slept() - first) < SLEPT_AT_MOST / 4
    assert clocks.now() >= now


def a_buffer_takes_a_secret_from_a_pipe_and_forgets_it(folder: str) -> None:
    from vault.agent.buffer import LOCKED, SecretBuffer

    buffer, secret = SecretBuffer(5000), os.urandom(3000) + b"\r\n\x1a" + os.urandom(1997)
    reader, writer = os.pipe()
    threading.Thread(target=lambda: (os.write(writer, secret), os.close(writer))).start()
    assert buffer.fill_from(reader)
    assert bytes(buffer.view) == secret and buffer.kind == LOCKED
    buffer.zero()
    assert bytes(buffer.view) == bytes(5000)


def an_agent_leaves_no_files(folder: str) -> None:
    from vault.agent import asking, runtime

    start(folder)
    assert [place.files for place in runtime.places(folder)] == [()]
    assert asking.lock(folder)


def main() -> None:
    from vault.agent import asking

    chosen = sys.argv[1:] or list(scenarios())
    for name in chosen:
        base, began = tempfile.mkdtemp(prefix="sandyk-"), time.monotonic()
        folder, problem = os.path.join(base, "vault"), ""
        again(folder)
        asking.PATIENCE = 30.0  # however slow the machine is
        try:
            scenarios()[name](folder)
        except BaseException:
            problem = traceback.format_exc()
        finally:
            with contextlib.suppress(Exception):
                asking.lock(folder)
            shutil.rmtree(base, ignore_errors=True)
        print(json.dumps({"name": name, "problem": problem, "seconds": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    main()
    os._exit(0)  # with doors still open, as an agent ends
