# SPDX-License-Identifier: Apache-2.0
"""A confined child, from inside: what hostile code in it can reach, and what it costs the others."""

from __future__ import annotations

import errno
import os
import platform
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.confined import bpf, worker
from vault.confined.protocol import Job, Limits
from vault.confined.worker import Worker, confinement
from vault.errors import ConfinedFailed, ConfinedRefused

linux = pytest.mark.skipif(sys.platform != "linux", reason="Landlock and seccomp are Linux's")
QUICK = Limits(seconds=1, cpu_seconds=30)


def hostile(name: str) -> Job:
    return Job("tests.support.hostile_jobs", name)


def run(name: str, *pieces: bytes, argument: bytes = b"", limits: Limits = Limits()) -> bytes:
    return worker.run(hostile(name), pieces, argument, limits=limits)


@linux
def test_everything_holds_on_this_system() -> None:
    holds = confinement()
    assert holds.no_new_privileges
    assert holds.seccomp
    assert holds.no_files
    assert holds.no_network
    assert holds.no_programs
    assert set(holds.limits) == {"CORE", "FSIZE", "NPROC", "CPU", "AS", "NOFILE"}


@linux
@pytest.mark.parametrize("path", [b"/etc/passwd", b"/proc/self/environ", b"/proc/1/mem", os.fsencode(__file__)])
def test_no_file_can_be_read(path: bytes) -> None:
    assert run("open_file", argument=path) == b"refused: EPERM"


@linux
def test_no_file_can_be_written_and_no_folder_listed(tmp_path: Path) -> None:
    assert run("write_file", argument=bytes(tmp_path / "x")) == b"refused: EPERM"
    assert run("list_folder", argument=bytes(tmp_path)) == b"refused: EPERM"
    assert not list(tmp_path.iterdir())


@linux
@pytest.mark.parametrize(("job", "kind"), [("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)])
def test_no_socket_on_this_machine_can_be_reached(job: str, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as listening:
        listening.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            listening.listen()
        listening.setblocking(False)
        assert run(job, argument=str(listening.getsockname()[1]).encode()) == b"refused: EPERM"
        with pytest.raises(BlockingIOError):
            listening.accept() if kind is socket.SOCK_STREAM else listening.recv(1)


@linux
@pytest.mark.parametrize(
    "act", ["unix_socket", "execute", "fork", "leave_the_session", "executable_memory", "io_uring", "trace"]
)
def test_no_other_program_process_or_way_around_can_be_had(act: str) -> None:
    assert run(act) == b"refused: EPERM"


@linux
def test_no_other_process_can_be_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        assert run("kill_others", argument=str(other.pid).encode()) == b"refused: EPERM"
        assert other.poll() is None


@linux
def test_it_has_two_pipes_and_nothing_else() -> None:
    with open(__file__, "rb") as kept:
        os.set_inheritable(kept.fileno(), True)
        assert run("descriptors") == b"0,1"


def test_neither_environment_nor_command_line_say_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDYK_VAULT", "/secret")
    said = run("surroundings", b"evidence", argument=b"telling name")
    assert b"SANDYK" not in said
    assert b"telling" not in said
    assert b"HOME" not in said


@linux
def test_no_document_meets_another_in_its_process() -> None:
    with Worker(hostile("remember")) as child:
        assert [child.run([text]) for text in (b"one", b"two", b"three")] == [b"one", b"two", b"three"]


@given(argument=st.binary(max_size=40), pieces=st.lists(st.binary(max_size=3000), max_size=5))
def test_what_goes_in_is_what_arrives(argument: bytes, pieces: list[bytes]) -> None:
    assert _echo().run(pieces, argument) == argument + b"".join(pieces)


_ECHO: list[Worker] = []


def _echo() -> Worker:
    """One child for all examples."""
    if not _ECHO:
        _ECHO.append(Worker(hostile("echo")))
    return _ECHO[0]


@pytest.fixture(scope="module", autouse=True)
def _no_child_is_left() -> object:
    yield
    while _ECHO:
        _ECHO.pop().close()


def test_large_documents_go_both_ways() -> None:
    whole = os.urandom(5 << 20)
    assert run("echo", whole[: 3 << 20], b"", whole[3 << 20 :]) == whole


@pytest.mark.parametrize(
    ("act", "words"),
    [
        ("sleep", "longer than 1 seconds"),
        ("endless_answer", "crashed or answered nonsense"),
        ("garbage", "crashed or answered nonsense"),
        ("half_an_answer", "crashed or answered nonsense|longer than"),
        ("crash", "crashed or answered nonsense"),
        ("die", "crashed or answered nonsense"),
        ("eat_memory", r"gave up \(MemoryError\)"),
        ("eat_memory_slowly", r"gave up \(MemoryError\)|crashed"),
        ("stumble", r"gave up \(RecursionError\)"),
    ],
)
def test_a_document_that_takes_its_reader_down_ends_as_one_error(act: str, words: str) -> None:
    limits = Limits(seconds=1 if act in ("sleep", "half_an_answer") else 60, memory=1 << 30)
    with pytest.raises(ConfinedFailed, match=words) as refused:
        run(act, b"document", limits=limits)
    assert "secret text" not in str(refused.value)


@linux
def test_an_answer_with_another_behind_it_is_no_answer() -> None:
    with pytest.raises(ConfinedFailed):
        run("answer_twice")


def test_one_that_spins_ends_at_its_processor_time_or_on_the_wall() -> None:
    with pytest.raises(ConfinedFailed, match="processor time"):
        run("spin", limits=Limits(cpu_seconds=1))
    with pytest.raises(ConfinedFailed, match="longer than 1 seconds"):
        run("spin", limits=QUICK)


@pytest.mark.parametrize("act", ["crash", "die", "garbage", "answer_twice"])
def test_the_next_document_does_not_suffer(act: str) -> None:
    with Worker(hostile(act)) as child:
        with pytest.raises(ConfinedFailed):
            child.run([b"bad"])
        child._job = hostile("echo")
        assert child.run([b"good"]) == b"good"


def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    def pieces() -> object:
        yield bytes(1 << 20)
        yield b"x"
        raise AssertionError("read on")

    with pytest.raises(ConfinedRefused, match="larger than 1 MiB"):
        worker.run(hostile("echo"), pieces(), limits=Limits(input=1 << 20))  # type: ignore[arg-type]


def test_an_answer_beyond_the_limit_is_none() -> None:
    with pytest.raises(ConfinedFailed):
        run("echo", bytes(2000), limits=Limits(output=1999))


def test_a_refusal_comes_with_its_words_and_not_too_many() -> None:
    with pytest.raises(ConfinedRefused, match="it is encrypted") as refused:
        run("refuse")
    assert len(str(refused.value)) <= 2000


def test_code_that_is_not_there_is_the_same_error() -> None:
    with pytest.raises(ConfinedFailed):
        worker.run(Job("tests.support.no_such_module", "x"), [b"x"])


@linux
def test_nothing_of_a_child_is_left_running() -> None:
    child = Worker(hostile("echo"))
    child.run([b"x"])
    assert child._process is not None
    group = child._process.pid
    assert processes_of(group)
    child.close()
    child.close()
    assert ends(group)


@linux
def test_when_memory_runs_out_linux_ends_readers_first() -> None:
    with Worker(hostile("echo")) as child:
        child.run([b"x"])
        assert child._process is not None
        pids = processes_of(child._process.pid)
        assert pids and all(Path(f"/proc/{pid}/oom_score_adj").read_text() == "1000\n" for pid in pids)


@linux
@pytest.mark.parametrize("act", ["spin", "echo"])
def test_a_child_does_not_outlive_the_process_that_asks(act: str) -> None:
    code = f"""
import threading
from vault.confined.worker import Worker
from vault.confined.protocol import Job, Limits
child = Worker(Job("tests.support.hostile_jobs", {act!r}), Limits(seconds=500, cpu_seconds=500))
child._running()
print(child._process.pid, flush=True)
child.run([b"x"])
input()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as asking:
        assert asking.stdout is not None
        group = int(asking.stdout.readline())
        while len(processes_of(group)) < 2:
            pass  # until the process for the document is there
        asking.kill()
    assert ends(group)


@linux
def test_a_python_without_pidfd_open_reads_one_document_after_another() -> None:
    with Worker(Job("tests.support.older_python", "echo")) as child:
        assert [child.run([name]) for name in (b"first", b"second")] == [b"first", b"second"]


def ends(group: int) -> bool:
    """Whether every process of a group ends, now or soon."""
    for pid in processes_of(group):
        with suppress(ProcessLookupError):
            one = os.pidfd_open(pid)
            ended = select.select([one], [], [], 30)[0]
            os.close(one)
            if not ended:
                return False
    return not processes_of(group)


def processes_of(group: int) -> list[int]:
    """The processes of a group that are no zombies."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                state, _, number = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
                if int(number) == group and state != "Z":
                    found.append(int(entry.name))
    return found


def headers() -> list[tuple[str, Path, str]]:
    x86 = next(Path("/usr/include").rglob("asm/unistd_64.h"), Path("/none"))
    return [("x86_64", x86, r"__NR_{}\s+(\d+)"), ("aarch64", Path("/usr/include/asm-generic/unistd.h"),
            r"__NR(?:3264)?_{}\s+(\d+)")]  # fmt: skip


@pytest.mark.parametrize(("machine", "path", "pattern"), headers())
def test_the_numbers_of_system_calls_are_the_kernel_s(machine: str, path: Path, pattern: str) -> None:
    if not path.exists():
        pytest.skip("the kernel's headers are not installed")
    text, column = path.read_text(), ["x86_64", "aarch64"].index(machine)
    for name, numbers in (bpf._NUMBERS | bpf._WITHOUT_EXECUTING | bpf._OF_ITSELF).items():
        found = re.search(pattern.format(name), text)
        assert found and int(found.group(1)) == numbers[column], name


def verdict(program: bytes, architecture: int, number: int, protection: int = 0, whose: int = 0) -> int:
    """What a filter says, by the semantics of classic BPF."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, whose, 0, protection, 0, 0, 0)
    accumulator, at = 0, 0
    for _ in range(4096):
        code, if_true, if_false, value = struct.unpack_from("=HBBI", program, 8 * at)
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, value)
            case 0x15:
                at += if_true if accumulator == value else if_false
            case 0x35:
                at += if_true if accumulator >= value else if_false
            case 0x45:
                at += if_true if accumulator & value else if_false
            case 0x06:
                return value
    raise AssertionError("no verdict")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_allows_its_list_and_nothing_else(machine: str) -> None:
    program, column = bpf.program(machine), ["x86_64", "aarch64"].index(machine)
    assert program is not None
    here, other = (0xC000003E, 0xC00000B7)[:: 1 - 2 * column]
    allowed = {numbers[column] for numbers in bpf._NUMBERS.values()}
    guarded = {numbers[column] for numbers in bpf._WITHOUT_EXECUTING.values()}
    for number in range(600):
        expected = 0x7FFF0000 if number in allowed | guarded else 0x00050001
        assert verdict(program, here, number, protection=3) == expected
        assert verdict(program, here, number, protection=7) == (0x00050001 if number in guarded else expected)
        assert verdict(program, other, number) == 0x80000000
        assert verdict(program, here, number | 0x40000000) == 0x80000000


def test_a_machine_without_a_list_is_said_to_have_none() -> None:
    assert bpf.program("riscv64") is None
    assert bpf.program(platform.machine()) is not None or shutil.which("uname") is None


def test_loading_the_asking_side_loads_no_parser() -> None:
    code = "import vault.confined.worker, sys; print(sorted(m for m in sys.modules if m in {'PIL','pikepdf','lxml'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("before", [0, 1, 3])
def test_bytes_that_cannot_be_had_are_no_fault_of_the_reader(before: int) -> None:
    def pieces() -> Iterator[bytes]:
        yield from [b"x" * 100_000] * before
        raise OSError(errno.EIO, "Input/output error")

    with Worker(hostile("echo")) as child:
        with pytest.raises(OSError, match="Input/output error"):
            child.run(pieces())
        assert child.run([b"next"]) == b"next"
