# SPDX-License-Identifier: Apache-2.0
"""The agent as a process: who gets the slot from it, and everything that makes it end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keys import keyring
from keys.keyring import HeldSlot
from keys.secret import Secret
from tests.support.agents import agent_number, ends, place, runtime_folder
from tests.support.duress import DECOY, DURESS, with_duress
from tests.support.newsroom import CHEAP, PASSPHRASE, files_below, newsroom, unlock
from tests.support.process_memory import copies_in, need_root_on_linux
from tests.support.strangers import run_as_stranger, stranger
from vault import decoys, founding
from vault.agent import asking, client, local, protocol, runtime
from vault.disk import Disk
from vault.errors import DoesNotOpen, NotAllowed, VaultError, Wiped
from vault.panic import panic
from vault.vaults import LockedVault, Vault

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def runtime_dir() -> Iterator[Path]:
    with runtime_folder() as folder:
        yield folder


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return newsroom(tmp_path / "vault", case=None)


def locked(folder: str) -> LockedVault:
    return LockedVault.at(folder, disk=Disk(), floor=CHEAP)


def start(folder: str, *, lasts: int = 600, idle: int = 600) -> None:
    with unlock(folder) as vault:
        client.start(vault, lasts=lasts, idle=idle)


def opens(folder: str) -> bool:
    """Whether the agent opens the vault."""
    vault = client.resume(locked(folder))
    if vault is None:
        return False
    with vault:
        return vault.my_entry().label == "Айгүл"


def raw(folder: str, *pieces: bytes) -> bytes:
    """What the agent answers to these bytes."""
    answer = bytearray()
    with local.connect(place(folder).socket, timeout=5) as connection:
        for piece in pieces:
            connection.sendall(piece)
        with contextlib.suppress(ConnectionResetError):
            while got := connection.recv(65536):
                answer += got
    return bytes(answer)


def test_commands_open_the_vault_through_the_agent_until_it_is_locked(folder: str) -> None:
    assert not opens(folder)
    start(folder)
    assert opens(folder) and opens(folder)
    assert asking.lock(folder)
    assert not opens(folder)
    assert not os.path.lexists(place(folder).socket)
    assert not asking.lock(folder)


def test_locking_a_vault_that_nobody_ever_unlocked_does_nothing(tmp_path: Path) -> None:
    assert not asking.lock(str(tmp_path / "nowhere"))
    assert asking.standing(str(tmp_path / "nowhere")) is None


def test_the_agent_says_how_long_it_goes_on(folder: str) -> None:
    start(folder, lasts=500, idle=300)
    standing = asking.standing(folder)
    assert standing is not None
    assert 0 < standing.left <= 500
    assert 0 < standing.idle_left <= 300
    assert asking.lock(folder)
    assert asking.standing(folder) is None


def test_a_second_unlock_takes_the_place_of_the_first(folder: str) -> None:
    start(folder, lasts=600)
    first = agent_number(folder)
    start(folder, lasts=60)
    assert agent_number(folder) != first
    standing = asking.standing(folder)
    assert standing is not None and standing.left <= 60


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_to_end_ends_it_and_takes_the_socket_away(folder: str, number: int) -> None:
    start(folder)
    os.kill(agent_number(folder), number)
    assert ends(folder)
    assert not os.path.lexists(place(folder).socket)


def test_it_ends_when_its_time_is_over(folder: str) -> None:
    start(folder, lasts=1)
    assert ends(folder)


def test_it_ends_when_nobody_uses_it(folder: str) -> None:
    start(folder, idle=1)
    assert ends(folder)


@pytest.mark.parametrize("keep", [True, False])
def test_it_ends_by_itself_when_the_vault_is_wiped_elsewhere(folder: str, keep: bool) -> None:
    start(folder)
    panic(folder, keep=keep, discard=False)
    assert ends(folder)


def test_it_ends_when_the_passphrase_is_changed(folder: str) -> None:
    start(folder)
    with unlock(folder) as vault:
        vault.change_passphrase(Secret(b"quite another one"))
    assert not opens(folder)
    assert ends(folder)


def test_it_ends_when_the_vault_is_moved_away(folder: str) -> None:
    start(folder)
    shutil.move(folder, folder + ".elsewhere")
    assert ends(folder)


def test_it_ends_when_its_socket_is_removed_because_lock_could_not_reach_it(folder: str) -> None:
    start(folder)
    os.unlink(place(folder).socket)
    assert ends(folder)


def test_lock_kills_an_agent_that_was_stopped(folder: str) -> None:
    start(folder)
    os.kill(agent_number(folder), signal.SIGSTOP)
    assert asking.lock(folder)
    assert not opens(folder)


def test_one_that_was_killed_leaves_nothing_in_the_next_ones_way(folder: str) -> None:
    start(folder)
    os.kill(agent_number(folder), signal.SIGKILL)
    assert ends(folder)
    assert os.path.lexists(place(folder).socket)
    assert not opens(folder)
    start(folder)
    assert opens(folder)


def test_no_key_is_given_out_after_the_keyring_changed_even_before_the_agent_looked(folder: str) -> None:
    """It looks again before each answer, so its pause between two looks is no gap."""
    start(folder)
    number = agent_number(folder)
    os.kill(number, signal.SIGSTOP)
    with local.connect(place(folder).socket, timeout=5) as connection:
        connection.sendall(protocol.encode_request(protocol.GET))
        panic(folder, keep=True, discard=False)
        os.kill(number, signal.SIGCONT)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(65536) == b""
    assert ends(folder)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"\0\0\0\2\2",), (b"\0\0\0\2\2\0",), (b"\0\0\0\2\2\xff",), (b"\0\0\0\2\1\1",),
        (b"\xff\xff\xff\xff",), (b"GET / HTTP/1.1\r\n\r\n",), (b"\0\0\0\2\2\3\0",), (os.urandom(1 << 16),),
    ],
)  # fmt: skip
def test_hostile_bytes_get_no_slot_and_stop_nothing(folder: str, pieces: tuple[bytes, ...]) -> None:
    start(folder)
    with contextlib.suppress(BrokenPipeError, TimeoutError, ConnectionResetError):
        assert len(raw(folder, *pieces)) <= protocol.ANSWER_HEAD_SIZE
    assert opens(folder)


def test_many_silent_connections_do_not_keep_a_command_waiting(folder: str) -> None:
    start(folder)
    silent = []
    try:
        for _ in range(40):
            silent.append(local.connect(place(folder).socket, timeout=5))
            silent[-1].sendall(b"\0\0")
        assert opens(folder)
    finally:
        for connection in silent:
            connection.close()
    assert asking.lock(folder)


def test_a_request_may_come_in_pieces(folder: str) -> None:
    start(folder)
    request = protocol.encode_request(protocol.STATUS)
    answer = raw(folder, *(request[i : i + 1] for i in range(len(request))))
    assert len(answer) == protocol.ANSWER_HEAD_SIZE + 13


def test_another_user_who_reaches_the_socket_gets_nothing(folder: str, runtime_dir: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    start(folder)
    socket = place(folder).socket
    for path in (runtime_dir, runtime_dir / "sandyk"):
        path.chmod(0o755)
    os.chmod(socket, 0o666)
    code = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
        "try:\n    s.sendall(bytes.fromhex('000000020201')); print(len(s.recv(65536)))\n"
        "except OSError: print(0)\n"
    )
    assert run_as_stranger(code, socket).stdout == "0\n"
    (runtime_dir / "sandyk").chmod(0o700)
    assert opens(folder)


def test_an_agent_of_another_user_is_not_listened_to(folder: str, runtime_dir: Path) -> None:
    """The folder is ours, but the process that listens there is not."""
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    there = runtime.place_of(folder)
    code = (
        "import os, socket, sys\n"
        "s = socket.socket(fileno=int(sys.argv[1])); s.listen(); print('ready', flush=True); s.accept()\n"
    )
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(there.socket)
        number = listener.fileno()
        with stranger(code, str(number), pass_fds=[number], stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "ready\n"
            with pytest.raises(NotAllowed, match="another user"):
                local.connect(there.socket, timeout=5)
            other.kill()


def serve_once(path: str, answer: bytes) -> threading.Thread:
    """Something that listens where an agent would and answers the first question with these bytes."""
    listener = local.listen(path)
    listener.setblocking(True)

    def run() -> None:
        connection, _ = listener.accept()
        connection.recv(64)
        connection.sendall(answer)
        connection.close()
        listener.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def held(vault: Vault) -> HeldSlot:
    return keyring.hold(vault.keyring_file, vault.opened)


def slot_answer(slot: HeldSlot) -> bytes:
    blob = slot.encode()
    return protocol.answer_head(protocol.DONE, len(blob)) + bytes(blob)


@pytest.mark.parametrize("lie", ["none", "another vault's life", "another slot", "cut off", "noise", "too long"])
def test_a_slot_from_an_agent_counts_only_while_the_keyring_confirms_it(folder: str, lie: str) -> None:
    with unlock(folder) as vault:
        answer = {
            "none": slot_answer(held(vault)),
            "another vault's life": slot_answer(replace(held(vault), alive=b"x" * 32)),
            "another slot": slot_answer(replace(held(vault), sealed=b"x" * 32)),
            "cut off": slot_answer(held(vault))[:-1],
            "noise": protocol.answer_head(protocol.DONE, protocol.SLOT_BLOB_SIZE) + os.urandom(protocol.SLOT_BLOB_SIZE),
            "too long": protocol.answer_head(protocol.DONE, 1 << 30),
        }[lie]
    thread = serve_once(runtime.place_of(folder).socket, answer)
    assert opens(folder) == (lie == "none")
    thread.join()


def test_resuming_says_apart_a_wiped_vault_and_another_passphrase(folder: str) -> None:
    with unlock(folder) as vault:
        before = held(vault)
        vault.change_passphrase(Secret(b"quite another one"))
        with pytest.raises(DoesNotOpen):
            locked(folder).resume(before)
    panic(folder, keep=True, discard=False)
    with pytest.raises(Wiped):
        locked(folder).resume(before)


def test_nobody_starts_an_agent_for_a_passphrase_that_was_changed_meanwhile(folder: str) -> None:
    with unlock(folder) as vault:
        with unlock(folder) as other:
            other.change_passphrase(Secret(b"quite another one"))
        with pytest.raises(DoesNotOpen):
            client.start(vault, lasts=60, idle=60)
    assert runtime.note_of_holder(place(folder).agent) is None


def test_an_agent_s_keys_change_nobody_s_passphrase(folder: str) -> None:
    start(folder)
    before = files_below(folder)
    vault = client.resume(locked(folder))
    assert vault is not None
    new = Secret(b"quite another one")
    with vault:
        for change in (
            lambda: vault.change_passphrase(new),
            lambda: vault.add_journalist("Бек", new),
            lambda: decoys.set_up(vault, new, Secret(DECOY.encode()), Secret(DURESS.encode()), "Decoy"),
            lambda: vault.opened,
        ):
            with pytest.raises(NotAllowed, match="nobody's passphrase"):
                change()
    assert files_below(folder) == before


def test_after_duress_the_agent_answers_byte_by_byte_as_after_the_decoy_s_own_passphrase(tmp_path: Path) -> None:
    """GET in full; STATUS but for its three times; the files of its runtime folder; what the kernel shows of it."""
    folder = with_duress(tmp_path / "vault")
    seen = []
    for passphrase in (DECOY, DURESS):
        with unlock(folder, passphrase) as vault:
            client.start(vault, lasts=600, idle=600)
        there, number = place(folder), agent_number(folder)
        files = {name: os.stat(os.path.join(there.base, name)).st_size for name in os.listdir(there.base)}
        files[os.path.basename(there.agent)] -= len(str(number))
        status = raw(folder, protocol.encode_request(protocol.STATUS))
        shown = Path(f"/proc/{number}/cmdline").read_bytes() if os.path.exists("/proc/self/cmdline") else b""
        seen.append((raw(folder, protocol.encode_request(protocol.GET)), status[:6], status[18:], files, shown))
        assert asking.lock(folder)
    assert seen[0] == seen[1]
    with pytest.raises(DoesNotOpen):
        unlock(folder)  # it was the duress passphrase that was typed


def test_a_vault_that_the_agent_opened_after_duress_is_the_decoy_until_its_passphrase_changes(tmp_path: Path) -> None:
    folder = with_duress(tmp_path / "vault")
    with unlock(folder, DURESS) as vault:
        client.start(vault, lasts=600, idle=600)
        slot = held(vault)
    resumed = client.resume(locked(folder))
    assert resumed is not None
    with resumed, unlock(folder, DECOY) as decoy:
        assert (resumed.me, resumed.home, resumed.book()) == (decoy.me, decoy.home, decoy.book())
        decoy.change_passphrase(Secret(b"quite another one"))
    with pytest.raises(DoesNotOpen):
        locked(folder).resume(slot)


def test_without_the_outside_half_a_resumed_vault_does_not_lose_its_need_of_one(tmp_path: Path) -> None:
    folder, half = str(tmp_path / "vault"), Secret(b"h" * 32)
    founding.found(
        folder, Secret(PASSPHRASE.encode()), half, disk=Disk(), label="Айгүл", now_ns=1, cost=CHEAP, floor=CHEAP
    )
    with locked(folder).unlock(Secret(PASSPHRASE.encode()), half) as vault:
        client.start(vault, lasts=60, idle=60)
    resumed = client.resume(locked(folder))
    assert resumed is not None
    with resumed, pytest.raises(NotAllowed, match="nobody's passphrase"):
        resumed.change_passphrase(Secret(b"quite another one"))
    with pytest.raises(DoesNotOpen):
        locked(folder).unlock(Secret(PASSPHRASE.encode()))


def test_neither_keys_nor_the_vaults_name_are_in_its_command_line_or_environment(folder: str) -> None:
    start(folder)
    number = agent_number(folder)
    command = Path(f"/proc/{number}/cmdline")
    if not command.exists():
        pytest.skip("needs /proc")
    with unlock(folder) as vault:
        secrets = [vault.opened.journalist.device_secret.expose(), vault.me.age_seed.expose()]
    shown = command.read_bytes() + Path(f"/proc/{number}/environ").read_bytes()
    assert os.fsencode(folder) not in command.read_bytes()
    assert not any(form in shown for s in secrets for form in (s, s.hex().encode(), s.hex().upper().encode()))


def test_it_keeps_no_terminal_no_folder_and_no_core_dumps(folder: str) -> None:
    start(folder)
    proc = Path(f"/proc/{agent_number(folder)}")
    if not proc.exists():
        pytest.skip("needs /proc")
    assert os.readlink(proc / "cwd") == "/"
    assert {os.readlink(proc / "fd" / fd) for fd in "012"} == {"/dev/null"}
    (line,) = [line for line in (proc / "limits").read_text().splitlines() if line.startswith("Max core file size")]
    assert line.split()[4:6] == ["1", "1"]  # bytes: no file, and nothing for a program that collects dumps (core(5))
    assert int((proc / "stat").read_text().rpartition(")")[2].split()[3]) == int(proc.name)  # a session of its own


def test_it_loads_no_cryptography_and_no_database(folder: str) -> None:
    start(folder)
    maps = Path(f"/proc/{agent_number(folder)}/maps")
    if not maps.exists():
        pytest.skip("needs /proc")
    loaded = maps.read_text()
    assert "/_socket" in loaded or "python" in loaded
    assert not [name for name in ("nacl", "sodium", "cryptography", "_rust", "sqlcipher", "zstd") if name in loaded]


def test_a_package_named_vault_in_the_current_folder_is_not_run(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = tmp_path / "evidence" / "vault" / "agent"
    hostile.mkdir(parents=True)
    for package in (hostile, hostile.parent):
        (package / "__init__.py").write_text("open('/tmp/never', 'x')")
    monkeypatch.chdir(tmp_path / "evidence")
    monkeypatch.setenv("PYTHONPATH", ".")
    start(folder)
    assert opens(folder)


def test_every_socket_of_client_and_agent_is_a_unix_socket(folder: str) -> None:
    """Watched by the interpreter itself (``sys.addaudithook``), in processes that unlock, list and lock."""
    code = (
        "import sys, json, os\n"
        "families = []\n"
        "def hook(event, args):\n"
        "    if event == 'socket.__new__': families.append(int(args[1]))\n"
        "sys.addaudithook(hook)\n"
        "from vault.agent import asking, client, local\n"
        "from vault.agent import runtime\n"
        "folder = sys.argv[1]\n"
        "asking.standing(folder)\n"
        "listener = local.listen(runtime.place_of(folder).socket + '2')\n"
        "asking.lock(folder)\n"
        "print(json.dumps(families))\n"
    )
    start(folder)
    run = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, cwd=ROOT, timeout=60)
    import socket

    assert set(json.loads(run.stdout)) == {int(socket.AF_UNIX)}


@pytest.mark.parametrize("size", [0, 1, protocol.START_SIZE - 1, protocol.START_SIZE, protocol.START_SIZE + 3, -1])
def test_an_agent_that_is_not_told_everything_does_not_start(folder: str, size: int) -> None:
    with unlock(folder) as vault:
        message = whole_message(folder, held(vault))
    run = subprocess.run(
        [sys.executable, "-m", "vault.agent"], input=message[:size], capture_output=True, cwd=ROOT, timeout=60
    )
    assert (run.stdout, run.stderr) == (b"", b"")
    assert runtime.note_of_holder(place(folder).agent) is None


def test_an_agent_of_a_vault_that_changed_meanwhile_ends_at_once(folder: str) -> None:
    with unlock(folder) as vault:
        message = whole_message(folder, held(vault))
    panic(folder, keep=True, discard=False)
    subprocess.run([sys.executable, "-m", "vault.agent"], input=message, capture_output=True, cwd=ROOT, timeout=60)
    assert ends(folder)


def test_nobody_starts_an_agent_of_a_wiped_vault(folder: str) -> None:
    with unlock(folder) as vault:
        panic(folder, keep=True, discard=False)
        with pytest.raises(Wiped):
            client.start(vault, lasts=60, idle=60)
    assert runtime.note_of_holder(place(folder).agent) is None


@pytest.mark.parametrize(("lasts", "idle"), [(0, 1), (1, 0), (-1, 1), (client.MAX_SECONDS + 1, 1)])
def test_a_time_that_cannot_be_meant_starts_nothing(folder: str, lasts: int, idle: int) -> None:
    with unlock(folder) as vault, pytest.raises(ValueError, match="lasts"):
        client.start(vault, lasts=lasts, idle=idle)


def whole_message(folder: str, slot: HeldSlot) -> bytes:
    there = runtime.place_of(folder)
    stamp = runtime.stamp_of(os.path.join(folder, "keyring"))
    head = protocol.encode_start(protocol.Start(60, 60, stamp, there.folder, there.base))
    return head + bytes(slot.encode())


@pytest.mark.parametrize("secretmem", [True, False])
def test_the_agent_holds_each_secret_once_and_no_piece_of_it_elsewhere(folder: str, secretmem: bool) -> None:
    """Read through /proc/PID/mem; with memfd_secret the kernel gives even that one copy to nobody."""
    need_root_on_linux()
    with unlock(folder) as vault:
        message = whole_message(folder, held(vault))
        seeds = [vault.me.age_seed.expose(), vault.me.signing_seed.expose(), vault.device_secret.expose()]
    code = f"from vault.agent.server import main; main(secretmem={secretmem})"
    subprocess.run([sys.executable, "-c", code], input=message, capture_output=True, cwd=ROOT, timeout=60, check=True)
    number = agent_number(folder)
    standing = asking.standing(folder)
    assert standing is not None
    expected = 0 if standing.memory == 2 else 1
    assert standing.memory != 2 or secretmem
    for _ in range(2):
        for seed in seeds:
            assert copies_in(number, seed) == expected
            assert copies_in(number, seed[8:24]) == expected
        assert opens(folder)  # it was handed out, and is looked for again


def test_a_zeroed_buffer_leaves_no_copy_in_a_process_that_goes_on() -> None:
    need_root_on_linux()
    code = (
        "import os\n"
        "from vault.agent.buffer import SecretBuffer\n"
        "from vault.agent.protocol import SLOT_BLOB_SIZE\n"
        "b = SecretBuffer(SLOT_BLOB_SIZE, secretmem=False)\n"
        "b.fill_from(0); os.write(1, b'full'); os.read(0, 1)\n"
        "b.zero(); os.write(1, b'zero'); os.read(0, 1)\n"
    )
    secret = os.urandom(protocol.SLOT_BLOB_SIZE)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd=ROOT
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(secret)
        assert child.stdout.read(4) == b"full"
        assert copies_in(child.pid, secret[100:132]) == 1
        child.stdin.write(b"x")
        assert child.stdout.read(4) == b"zero"
        assert copies_in(child.pid, secret[100:132]) == 0
        child.stdin.write(b"x")


def test_an_answer_that_never_comes_is_no_agent(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE", 0.05)
    start(folder)
    number = agent_number(folder)
    os.kill(number, signal.SIGSTOP)
    assert not opens(folder)
    os.kill(number, signal.SIGCONT)
    assert opens(folder)


def test_errors_of_agents_are_ours(folder: str) -> None:
    runtime.place_of(folder)
    with pytest.raises((OSError, VaultError)):
        asking.ask(place(folder), protocol.GET)
