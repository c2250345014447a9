# SPDX-License-Identifier: Apache-2.0
"""Pictures read by tesseract, and another program confined: what it reaches, and what it costs."""

from __future__ import annotations

import io
import os
import platform
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import msgpack
from PIL import Image

from tests.support import papers
from tests.support.tools import need
from tests.vault.test_confined import ends, verdict
from vault.confined import bpf, program
from vault.confined.program import Program
from vault.confined.protocol import Job, Limits
from vault.confined.worker import Worker
from vault.errors import ConfinedFailed
from vault.extracting import ocr
from vault.extracting.answer import FAILED, READ, WAITING
from vault.extracting.ocr import Ocr
from vault.extracting.pgm import is_plain_pgm
from vault.extracting.reader import Reader

linux = pytest.mark.skipif(sys.platform != "linux", reason="Landlock and seccomp are Linux's")
QUICK = Limits(seconds=20, cpu_seconds=10, output=10_000)
PYTHON = os.path.realpath(sys.executable)
PYTHON_READS = (
    sysconfig.get_paths()["stdlib"],
    *([sysconfig.get_config_var("LIBDIR")] if sysconfig.get_config_var("Py_ENABLE_SHARED") else []),
)


@pytest.fixture
def tesseract() -> Ocr:
    need("tesseract")
    found = ocr.installed()
    if found is None:
        pytest.skip("tesseract has none of our languages")
    return found


def python(code: str, *, data: bytes = b"", limits: Limits = QUICK) -> bytes:
    """What a Python that became the confined program prints."""
    return program.run(Program(PYTHON, ("-I", "-S", "-c", code), PYTHON_READS), data, limits)


def attempt(code: str) -> bytes:
    return python(f"try:\n {code}\n print('done', end='')\nexcept OSError as e: print('refused', end='')")


def test_bytes_go_in_and_out() -> None:
    assert python("import sys; print(sys.stdin.read()[::-1], end='')", data=b"abc") == b"cba"


@linux
@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ", "/proc/1/environ", __file__, "/root", "/tmp"])
def test_the_program_reads_no_file_but_its_own(path: str) -> None:
    act = f"__import__('os').listdir({path!r})" if os.path.isdir(path) else f"open({path!r})"
    assert attempt(act) == b"refused"
    assert attempt(f"open({PYTHON_READS[0]!r} + '/os.py')") == b"done"


@linux
def test_the_program_writes_nothing_and_reaches_no_network(tmp_path: Path) -> None:
    assert attempt(f"open({str(tmp_path / 'x')!r}, 'w')") == b"refused"
    assert not list(tmp_path.iterdir())
    for family in ("AF_INET", "AF_UNIX"):
        socket_of = f"import ctypes\nprint(ctypes.CDLL(None).socket({int(getattr(socket, family))}, 1, 0), end='')"
        assert python(socket_of) == b"-1"


@linux
def test_the_program_starts_no_other_and_no_process() -> None:
    assert attempt("import os; os.execv('/bin/sh', ['sh', '-c', 'echo x'])") == b"refused"
    assert attempt("import os; os.fork()") == b"refused"
    assert attempt("import os; os.kill(1, 0)") == b"refused"


def test_the_program_has_our_variables_and_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDYK_VAULT", "/secret")
    one = Program(PYTHON, ("-I", "-S", "-c", "import os; print(dict(os.environ), end='')"), PYTHON_READS, ("A=b=c",))
    said = program.run(one, b"", QUICK)
    assert b"'A': 'b=c'" in said and b"SANDYK" not in said and b"HOME" not in said


@pytest.mark.parametrize(
    ("code", "words"),
    [("while True: pass", "crashed|longer"),
     ("import _thread as t; l = t.allocate_lock(); l.acquire(); l.acquire()", "longer than 1 seconds"),
     ("print('x' * 20_000)", "nonsense"), ("import os; os._exit(3)", "crashed"), ("bytearray(3 << 30)", "crashed")],
)  # fmt: skip
def test_a_program_that_goes_astray_is_one_error(code: str, words: str) -> None:
    seconds = 1 if "acquire" in code else 20
    with pytest.raises(ConfinedFailed, match=words):
        python(code, limits=Limits(seconds=seconds, cpu_seconds=1, memory=1 << 30, output=10_000))


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_for_a_program_allows_files_and_no_network_process_or_tracing(machine: str) -> None:
    filter_ = bpf.program(machine, for_a_program=True)
    assert filter_ is not None
    column, here = (0, 0xC000003E) if machine == "x86_64" else (1, 0xC00000B7)
    refused = {
        "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "sendto": (44, 206), "clone": (56, 220),
        "clone3": (435, 435), "kill": (62, 129), "ptrace": (101, 117), "io_uring_setup": (425, 425),
        "unlinkat": (263, 35), "mount": (165, 40), "process_vm_readv": (310, 270),
    }  # fmt: skip
    for name, numbers in refused.items():
        assert verdict(filter_, here, numbers[column]) == 0x00050001, name
    assert verdict(filter_, here, bpf._FOR_A_PROGRAM["openat"][column]) == 0x7FFF0000


@linux
def test_on_this_machine_the_filter_exists() -> None:
    assert bpf.program(platform.machine(), for_a_program=True) is not None


def test_pictures_are_read_in_the_languages_that_tesseract_has(tesseract: Ocr) -> None:
    lines = ("Договор о строительстве дороги", "Бул документ жол куруу жөнүндө", "Contract for the road")
    picture = papers.picture(*lines)
    with Reader(tesseract) as reader:
        found = reader.read(b"scan.png", len(picture), lambda: [picture])
    assert (found.state, found.kind) == (READ, "image")
    assert "строительстве дороги" in found.text and "the road" in found.text
    if "kir" in tesseract.languages:
        assert "жөнүндө" in found.text


@pytest.mark.parametrize("form", ["JPEG", "TIFF", "GIF", "WEBP"])
def test_every_form_of_picture_is_read(tesseract: Ocr, form: str) -> None:
    picture = papers.picture("Договор о строительстве", form=form)
    with Reader(tesseract) as reader:
        assert "строительстве" in reader.read(b"x", len(picture), lambda: [picture]).text


def test_every_page_of_a_fax_is_read(tesseract: Ocr) -> None:
    pages = [Image.open(io.BytesIO(papers.picture(word))) for word in ("договор", "протокол", "решение")]
    out = io.BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    with Reader(tesseract) as reader:
        found = reader.read(b"fax.tif", out.tell(), lambda: [out.getvalue()])
    assert [word for word in ("договор", "протокол", "решение") if word in found.text.lower()] == [
        "договор", "протокол", "решение",
    ]  # fmt: skip


def test_pages_of_a_pdf_that_are_pictures_are_read(tesseract: Ocr) -> None:
    scan = papers.scanned_pdf("Договор о строительстве дороги")
    with Reader() as without, Reader(tesseract) as reader:
        assert without.read(b"a.pdf", len(scan), lambda: [scan]).state == WAITING
        found = reader.read(b"a.pdf", len(scan), lambda: [scan])
    assert (found.state, found.detail) == (READ, "")
    assert "строительстве дороги" in found.text


@pytest.mark.parametrize("size", [(2480, 3508), (60_000, 40), (9, 9)])
def test_a_page_of_any_size_is_drawn_within_the_limits(size: tuple[int, int]) -> None:
    out = io.BytesIO()
    Image.new("L", size, 255).save(out, "PDF")
    with Worker(Job("vault.extracting.pdf", "pages")) as child:
        (drawn,) = msgpack.decode(child.run([out.getvalue()], msgpack.encode([0])))
    assert is_plain_pgm(drawn)


def test_a_picture_that_is_none_is_a_document_that_failed(tesseract: Ocr) -> None:
    with Reader(tesseract) as reader:
        found = reader.read(b"a.png", 20, lambda: [b"\x89PNG\r\n\x1a\n" + bytes(12)])
    assert found.state == FAILED and "picture" in found.detail


def test_a_tesseract_that_fails_costs_its_picture(tesseract: Ocr) -> None:
    picture = papers.picture("Договор")
    with Reader(Ocr("/bin/false", tesseract.folder, tesseract.languages)) as reader:
        found = reader.read(b"a.png", len(picture), lambda: [picture])
    assert found.state == FAILED and "1 picture(s) of it could not be read" in found.detail


def test_without_tesseract_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ocr.installed() is None


def test_pictures_that_take_too_long_together_are_given_up_and_said(tesseract: Ocr) -> None:
    picture = papers.picture("Договор")
    with Reader(tesseract, patience=-1) as reader:
        found = reader.read(b"a.png", len(picture), lambda: [picture])
    assert found.state == FAILED and "took longer than" in found.detail


@linux
def test_when_the_program_crashes_no_picture_of_a_page_is_handed_to_whoever_collects_core_dumps() -> None:
    resource = pytest.importorskip("resource")
    code = "import resource as r; print(r.getrlimit(r.RLIMIT_CORE)[0], end='')"
    allowed = resource.getrlimit(resource.RLIMIT_CORE)[1] != 0  # who set it to 0 before us has it so
    assert python(code) == (b"1" if allowed else b"0"), "0 does not hold for a dump that goes to a program (core(5))"


@linux
def test_the_program_changes_limits_of_no_other_process() -> None:
    asked = "import ctypes\nprint(ctypes.CDLL(None).prlimit({}, 7, None, ctypes.create_string_buffer(16)), end='')"
    assert python(asked.format(0)) == b"0"
    assert python(asked.format(os.getpid())) == b"-1"
    for machine, column, here in (("x86_64", 0, 0xC000003E), ("aarch64", 1, 0xC00000B7)):
        filter_ = bpf.program(machine, for_a_program=True)
        assert filter_ is not None
        number = bpf._OF_ITSELF["prlimit64"][column]
        assert verdict(filter_, here, number) == 0x7FFF0000
        assert verdict(filter_, here, number, whose=1) == 0x00050001
        assert verdict(bpf.program(machine) or b"", here, number) == 0x00050001


SPINS = "import sys\nwhile True: pass"


@linux
def test_the_program_does_not_outlive_the_process_that_asks() -> None:
    code = f"""
import subprocess
from vault.confined import program
from vault.confined.protocol import Limits
one = program.Program({PYTHON!r}, ("-I", "-S", "-c", {SPINS!r}), {PYTHON_READS!r})
told = lambda end: print(end.args[0].pid, flush=True)
program.run(one, b"", Limits(seconds=500, cpu_seconds=500), told)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as asking:
        assert asking.stdout is not None
        group = int(asking.stdout.readline())
        while Path(f"/proc/{group}/cmdline").read_bytes().split(b"\0")[-2] != SPINS.encode():
            pass  # until it has become the program
        asking.kill()
    assert ends(group)


class Spinning(Ocr):
    """A page that takes tesseract longer than anybody waits."""

    def read(self, picture: bytes, started: Callable[[Callable[[], None]], None] = lambda end: None) -> str:
        one = Program(PYTHON, ("-I", "-S", "-c", SPINS), PYTHON_READS)
        return program.run(one, picture, Limits(seconds=500, cpu_seconds=500), started).decode()


def test_closing_a_reader_ends_the_program_that_reads_a_page_for_it() -> None:
    picture, begun = papers.picture("Договор"), threading.Event()
    reader = Reader(Spinning("", "", ()))
    tell = reader._program_started
    reader._program_started = lambda end: (tell(end), begun.set())[0]  # type: ignore[method-assign]
    reading = threading.Thread(target=reader.read, args=(b"a.png", len(picture), lambda: [picture]), daemon=True)
    reading.start()
    assert begun.wait(60)
    reader.close()
    reading.join(60)
    assert not reading.is_alive()
