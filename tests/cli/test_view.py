# SPDX-License-Identifier: Apache-2.0
"""`view`: what a program and a terminal get to see, and that nothing of it is left, however the view ended."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.cli.test_terminal import end, terminal
from tests.support.commands import SCRIPT, Desk
from tests.support.mounts import need_root
from tests.support.telling_documents import picture
from tests.support.tools import need
from vault import view_places, view_sweep
from vault.agent.process import mark_at

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no folder in memory but on Linux")

LETTER = "Кат: тинтүү 07:15те башталды\n"
LOOKS = """
import json, os, stat, sys
path = sys.argv[-1]
mode = lambda p: stat.S_IMODE(os.stat(p).st_mode)
open(os.path.expanduser("~/recently-used.xbel"), "w").write(path)
print(json.dumps({"path": path, "text": open(path).read(), "mode": mode(path), "folder": mode(os.path.dirname(path)),
                  "env": dict(os.environ), "words": sys.argv[1:-1]}))
"""
STAYS = """
import signal, sys
print("READY", flush=True)
signal.pause()
"""
LEAVES_ONE_BEHIND = """
import os, signal, sys
if os.fork() == 0:
    os.setsid()
    print(os.getpid(), flush=True)
    signal.pause()
"""
LEAVES_ONE_WITHOUT_AN_ENVIRONMENT = """
import os
if os.fork() == 0:
    os.setsid()
    os.execve("/bin/sh", ["sh", "-c", "echo $$; exec sleep 1000"], {})
"""


def mark(at: Desk) -> str | None:
    return mark_at(str(at.vault / "keyring"))


def views(at: Desk) -> tuple[str, ...]:
    return view_places.found(mark(at))


def program(code: str, *options: str) -> str:
    return shlex.join([sys.executable, "-c", code, *options])


@pytest.fixture
def filed(one: Desk) -> Iterator[Desk]:
    """A vault with a letter, a PDF and a picture in it."""
    one.more = {"PYTHONDONTWRITEBYTECODE": "1", "COLORTERM": "truecolor", "TERM": "xterm-256color"}
    one.write("Каттар/letter.txt", LETTER)
    paths = [one.write("informant.PDF", b"%PDF-1.7\n" + bytes(99)), one.write("photo.png", picture("PNG"))]
    one.run("add", "Road works", str(one.home / "Каттар"), *paths)
    before = mark(one)
    yield one
    view_sweep.sweep(before)


@contextmanager
def running(at: Desk, code: str, item: str = "informant.PDF") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A view whose program has printed its first line."""
    with subprocess.Popen(
        at.words("view", item, "--with", program(code)), env=at.environment(), cwd=at.home, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as view:  # fmt: skip
        try:
            assert view.stdout is not None
            yield view, view.stdout.readline().strip()
        finally:
            with suppress(ProcessLookupError):
                view.kill()


def is_gone(number: int) -> bool:
    """Whether a process has ended, or is about to be waited for by whoever has to."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(") ")[2][0] in "ZX"
    except OSError:
        return True


# With a program


def test_a_program_finds_the_document_in_memory_under_a_name_that_says_nothing(filed: Desk) -> None:
    done = filed.run("view", "Каттар/letter.txt", "--with", program(LOOKS, "--fullscreen"))
    seen = json.loads(done.out)
    assert seen["text"] == LETTER
    assert os.path.basename(seen["path"]) == "document.txt"
    assert view_places.kind_in_memory(str(Path(seen["path"]).parents[2])) is not None
    assert (seen["mode"], seen["folder"]) == (0o400, 0o700)
    assert seen["words"] == ["--fullscreen"]
    assert "Каттар" not in json.dumps(seen["env"], ensure_ascii=False)


def test_the_ending_of_the_name_stays_because_programs_go_by_it(filed: Desk) -> None:
    code = "import os, sys; print(os.path.basename(sys.argv[1]))"
    assert filed.run("view", "informant.PDF", "--with", program(code)).out == "document.pdf\n"


def test_all_that_the_program_could_remember_lies_beside_the_document_and_goes_with_it(filed: Desk) -> None:
    seen = json.loads(filed.run("view", "Каттар/letter.txt", "--with", program(LOOKS)).out)
    folder = os.path.dirname(seen["path"])
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME",
                 "XDG_RUNTIME_DIR"):  # fmt: skip
        assert seen["env"][name].startswith(folder + "/"), name
    assert not os.path.exists(seen["env"]["DBUS_SESSION_BUS_ADDRESS"].partition("=")[2])
    assert not os.path.lexists(folder)
    assert not os.path.lexists(folder + view_places.HELD)
    assert views(filed) == ()


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder that is not below /tmp, of which programs get one of their own."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)


def test_the_program_can_write_nowhere_else(filed: Desk, elsewhere: Path) -> None:
    other = str(elsewhere / "other.txt")
    Path(other).write_text("as it was")
    code = f"""
import os, sys
for act in (lambda: open({str(elsewhere / "new")!r}, "w"), lambda: open({other!r}, "w"), lambda: os.unlink({other!r}),
            lambda: os.truncate({other!r}, 0), lambda: open("/dev/shm/new-{os.getpid()}", "w"),
            lambda: os.link(sys.argv[1], {str(elsewhere / "linked")!r})):
    try:
        act()
    except OSError as error:
        print(type(error).__name__)
    else:
        print("DONE")
"""
    done = filed.run("view", "informant.PDF", "--with", program(code))
    if "the system lets the program write to no file elsewhere" not in done.err:
        pytest.skip("this kernel has no Landlock")
    assert "DONE" not in done.out
    assert len(done.out.split()) == 6
    assert Path(other).read_text() == "as it was"


def test_the_program_has_a_tmp_of_its_own_that_goes_with_the_view(filed: Desk) -> None:
    name = f"/tmp/sandyk-test-{os.getpid()}"
    probe = subprocess.run(["unshare", "--user", "--mount", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("user namespaces are not allowed here")
    # The shell, for it never lies in /tmp itself: a program that does would lose what it is made of.
    shell = shlex.join(["/bin/sh", "-c", f"ls -A /tmp; echo x >{name}; cat {name}"])
    done = filed.run("view", "informant.PDF", "--with", shell)
    assert done.out.split() in (["x"], [".X11-unix", "x"])
    assert not os.path.exists(name)


def test_an_office_suite_opens_a_document(filed: Desk) -> None:
    """It makes a socket in /tmp, settings in its home, and starts processes of its own."""
    need("soffice")
    filed.run("add", "Road works", filed.write("note.rtf", r"{\rtf1 handed over in person}"))
    done = filed.run("view", "note.rtf", "--with", "soffice --headless --cat")
    assert "handed over in person" in done.out
    assert views(filed) == ()


def test_the_program_finds_neither_the_vault_nor_the_agent(filed: Desk, elsewhere: Path) -> None:
    """Whoever reaches the agent's socket has the keys: a document that takes its viewer over must not."""
    probe = subprocess.run(["unshare", "--user", "--mount", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("user namespaces are not allowed here")
    filed.more["XDG_RUNTIME_DIR"] = str(elsewhere)
    filed.run("unlock")
    try:
        base = str(elsewhere / "sandyk")
        assert [name for name in os.listdir(base) if name.endswith(".sock")]
        code = f"import os; print(os.listdir({str(filed.vault)!r}), os.listdir({base!r}))"
        python = filed.home / "python"  # a program below /tmp, so that /tmp as a whole is not hidden
        python.symlink_to(sys.executable)
        assert filed.run("view", "informant.PDF", "--with", shlex.join([str(python), "-c", code])).out == "[] []\n"
    finally:
        lock(filed)


def test_the_program_has_no_network_unless_it_is_given(filed: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"""
import socket
try:
    socket.create_connection(("127.0.0.1", {server.getsockname()[1]}), 5)
    print("CONNECTED")
except OSError:
    print("CUT OFF")
"""
        alone = filed.run("view", "informant.PDF", "--with", program(code))
        assert alone.out == "CUT OFF\n" or "note: nothing keeps the program from the network" in alone.err
        assert filed.run("view", "informant.PDF", "--network", "--with", program(code)).out == "CONNECTED\n"


def test_a_program_that_forks_and_returns_is_waited_for(filed: Desk) -> None:
    with running(filed, LEAVES_ONE_BEHIND) as (view, left):
        (folder,) = views(filed)
        assert view.poll() is None
        assert os.path.exists(f"{folder}/document.pdf")
        os.kill(int(left), signal.SIGKILL)
        view.communicate(timeout=30)
        assert view.returncode == 0
        assert views(filed) == ()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_view_that_is_told_to_end_ends_its_programs_and_leaves_nothing(filed: Desk, number: signal.Signals) -> None:
    with running(filed, LEAVES_ONE_BEHIND) as (view, left):
        view.send_signal(number)
        view.communicate(timeout=30)
        assert view.returncode == 130
        assert views(filed) == ()
        assert is_gone(int(left))


def test_a_process_that_the_program_started_with_another_environment_is_ended_too(filed: Desk) -> None:
    code = """
import os, subprocess, signal
if os.fork() == 0:
    os.setsid()
    os.execve("/bin/sh", ["sh", "-c", "sleep 1000 & echo $$; sleep 1000"], {"PATH": "/usr/bin:/bin"})
"""
    with running(filed, code) as (view, first):
        view.terminate()
        view.communicate(timeout=30)
        assert is_gone(int(first))
        found = subprocess.run(["pgrep", "-P", first], capture_output=True, check=False)
        assert found.stdout == b""


def lock(at: Desk, *words: str) -> str:
    """`lock` asks nothing, so it takes no passphrase."""
    command = [str(SCRIPT), "lock", "--vault", str(at.vault), *words]
    return subprocess.run(command, env=at.environment(), capture_output=True, text=True, check=True).stdout


def kill_hard(view: subprocess.Popen[str]) -> None:
    view.kill()
    view.wait(30)


@pytest.mark.parametrize("words", [("panic",), ("panic", "--keep"), ("lock",)], ids=" ".join)
def test_what_a_killed_view_left_is_removed_by(filed: Desk, words: tuple[str, ...]) -> None:
    """With the program that it left running."""
    with running(filed, LEAVES_ONE_BEHIND) as (view, left):
        kill_hard(view)
        (folder,) = views(filed)
        assert os.path.exists(f"{folder}/document.pdf")
        assert not is_gone(int(left))
        said = lock(filed) if words == ("lock",) else filed.run(*words).out
        assert not os.path.lexists(folder)
        assert not os.path.lexists(folder + view_places.HELD)
        assert is_gone(int(left))
        assert "1 view(s)" in said


@pytest.mark.parametrize("words", [("panic",), ("lock",)], ids=" ".join)
def test_of_a_killed_view_a_program_with_an_empty_environment_is_ended_by(filed: Desk, words: tuple[str, ...]) -> None:
    probe = subprocess.run(["unshare", "--user", "--mount", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("user namespaces are not allowed here")
    with running(filed, LEAVES_ONE_WITHOUT_AN_ENVIRONMENT) as (view, left):
        kill_hard(view)
        (folder,) = views(filed)
        assert not is_gone(int(left))
        said = lock(filed) if words == ("lock",) else filed.run(*words).out
        assert is_gone(int(left))
        assert not os.path.lexists(folder)
        assert "1 view(s)" in said


def test_a_program_that_crashes_leaves_no_dump_even_where_dumps_are_handed_to_a_program(filed: Desk) -> None:
    """The kernel hands over none of a process whose limit is 1; of one whose limit is 0 it does (core(5))."""
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
    assert filed.run("view", "informant.PDF", "--with", program(code)).out == "(1, 1)\n"


def test_panic_ends_a_view_that_is_open_and_its_program(filed: Desk) -> None:
    with running(filed, LEAVES_ONE_BEHIND) as (view, left):
        (folder,) = views(filed)
        report = filed.json("panic")
        assert not os.path.lexists(folder)
        assert is_gone(int(left))
        view.communicate(timeout=30)
        assert "end 1 view(s) of documents, and remove what was shown" in report["done_as_well"], report
        assert not report["not_done"]


def test_a_rehearsal_of_the_wipe_leaves_the_views_of_the_real_vault_alone(filed: Desk) -> None:
    with running(filed, STAYS) as (view, _ready):
        filed.run("panic", "--drill")
        (folder,) = views(filed)
        assert os.path.exists(f"{folder}/document.pdf")
        assert view.poll() is None


def test_the_next_view_removes_what_a_killed_one_left_and_nothing_of_one_that_is_open(filed: Desk) -> None:
    with running(filed, STAYS) as (open_one, _ready):
        (living,) = views(filed)
        with running(filed, LEAVES_ONE_BEHIND) as (killed, left):
            kill_hard(killed)
            assert len(views(filed)) == 2
            done = filed.run("view", "informant.PDF", "--with", "true")
            assert "an earlier view was killed; what it left is removed now" in done.err
            assert views(filed) == (living,)
            assert is_gone(int(left))
        assert open_one.poll() is None
        assert os.path.exists(f"{living}/document.pdf")


def test_a_program_that_made_its_files_unreadable_does_not_keep_them(filed: Desk) -> None:
    code = """
import os
os.makedirs(os.path.expanduser("~/deep/er")); open(os.path.expanduser("~/deep/er/x"), "w")
os.symlink("/etc/hostname", os.path.expanduser("~/deep/link"))
os.chmod(os.path.expanduser("~/deep/er"), 0); os.chmod(os.path.expanduser("~/deep"), 0)
"""
    filed.run("view", "informant.PDF", "--with", program(code))
    assert views(filed) == ()
    assert os.path.exists("/etc/hostname")


def test_a_program_that_is_not_there_is_said_before_anybody_types_a_passphrase(filed: Desk) -> None:
    with terminal(filed, "view", "informant.PDF", "--with", "no-such-program") as child:
        assert end(child) == 2
        assert "Passphrase" not in child.screen.text


def test_what_is_no_program_ends_in_one_line_and_leaves_nothing(filed: Desk) -> None:
    text = Path(filed.write("no-program", b"\x7fELF nonsense"))
    text.chmod(0o700)
    done = filed.run("view", "informant.PDF", "--with", str(text), code=1)
    assert "the program could not be started: Exec format error" in done.err
    assert views(filed) == ()


def test_looking_is_not_noted_in_the_custody_record(filed: Desk) -> None:
    before = filed.json("show", "informant.PDF")["custody"]
    filed.run("view", "informant.PDF", "--with", "true")
    assert filed.json("show", "informant.PDF")["custody"] == before


def test_nothing_is_opened_for_writing_outside_of_memory_but_in_the_vault_itself(filed: Desk, tmp_path: Path) -> None:
    """As the kernel sees it, of the view and of its program; terminals and devices aside."""
    log = tmp_path / "trace"
    calls = "trace=open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink"
    command = [need("strace"), "-f", "-qq", "-s", "4096", "-o", str(log), "-e", calls]
    command += filed.words("view", "Каттар/letter.txt", "--with", program(LOOKS))
    subprocess.run(command, env=filed.environment(), cwd=filed.home, check=True, capture_output=True)
    begun = [line for line in log.read_text().splitlines() if '"' in line and " = -1 " not in line]
    reading = re.compile(r"open(at)?\((?!.*(O_WRONLY|O_RDWR|O_CREAT))")
    writing = [line for line in begun if not reading.search(line)]
    changed = [unescaped(re.findall(r'"([^"]*)"', line)[0]) for line in writing]
    assert any(path.endswith("/document.txt") for path in changed)
    allowed = (str(filed.vault), filed.environment()["XDG_RUNTIME_DIR"], "/dev/", "/run/user/", "/proc/self/")
    assert [path for path in changed if not path.startswith(allowed)] == []


def unescaped(path: str) -> str:
    """As strace writes it: bytes that are no ASCII in octal."""
    return path.encode("ascii").decode("unicode_escape").encode("latin-1").decode("utf-8")


# Where there is no memory to be had


@contextmanager
def without_memory(at: Desk) -> Iterator[list[str]]:
    """Words before a command that let it find a disk wherever a file system in memory usually is."""
    need_root()
    disk = at.home / "disk"
    disk.mkdir()
    if view_places.kind_in_memory(str(disk)) is not None:
        pytest.skip("the tests themselves lie in memory")
    covered = [path for path in ("/dev/shm", f"/run/user/{os.geteuid()}", "/tmp") if os.path.isdir(path)]
    script = [f"mount --bind {shlex.quote(str(disk))} {path}" for path in covered[:-1]]
    if view_places.kind_in_memory("/tmp") is not None:
        pytest.skip("/tmp lies in memory, and the tests in it")
    yield ["unshare", "--mount", "sh", "-c", " && ".join([*script, 'exec "$@"']), "sh"]


def test_without_a_folder_in_memory_it_refuses_and_says_what_can_be_done(filed: Desk) -> None:
    with without_memory(filed) as before:
        done = subprocess.run(
            [*before, *filed.words("view", "informant.PDF", "--with", "true")], env=filed.environment(), text=True,
            capture_output=True,
        )  # fmt: skip
    assert done.returncode == 1
    assert "no file system in memory was found on this machine" in done.stderr
    assert "hint: --on-disk puts it on the disk, where parts of it stay in free space" in done.stderr


def test_on_a_disk_it_says_what_stays_and_notes_the_copy_and_removes_it(filed: Desk) -> None:
    with without_memory(filed) as before:
        done = subprocess.run(
            [*before, *filed.words("view", "informant.PDF", "--on-disk", "--with", program(LOOKS))],
            env=filed.environment(), text=True, capture_output=True,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    path = json.loads(done.stdout)["path"]
    assert path.startswith(f"/tmp/sandyk-views-{os.geteuid()}/")
    assert not os.path.lexists(os.path.dirname(path))
    assert "the document lies in clear on the disk" in done.stderr
    assert "the disk may keep old copies" in done.stderr
    assert [event["event"] for event in filed.json("show", "informant.PDF")["custody"]][-1] == "copied out"


# In the terminal


def test_a_text_is_shown_on_the_other_screen_which_is_cleared(filed: Desk) -> None:
    with terminal(filed, "view", "Каттар/letter.txt", "--passphrase-file", str(filed.passphrase)) as child:
        child.expect_exact("тинтүү")
        child.expect_exact("all of it")
        child.send("q")
        assert end(child) == 0
        shown = child.screen.text
    assert shown.index("\x1b[?1049h") < shown.index("тинтүү") < shown.index("\x1b[3J") < shown.index("\x1b[?1049l")
    assert views(filed) == ()


def test_a_long_text_is_read_by_pages(filed: Desk) -> None:
    text = "".join(f"line {number}\n" for number in range(1, 201))
    filed.run("add", "Road works", filed.write("long.txt", text))
    with terminal(filed, "view", "long.txt", "--passphrase-file", str(filed.passphrase)) as child:
        child.expect_exact("line 49\x1b[")
        child.expect_exact("from line 1 of 200")
        child.send("  b")  # two pages on and one back, in one go
        child.expect_exact("from line 49 of 200")
        child.send("\x1b[B")
        child.expect_exact("from line 50 of 200")
        child.send("G")
        child.expect_exact("line 200")
        child.expect_exact("from line 152 of 200")
        child.send("й")
        assert end(child) == 0


def test_a_document_cannot_speak_to_the_terminal(filed: Desk) -> None:
    filed.run("add", "Road works", filed.write("hostile.txt", "\x1b]0;owned\x07 \x9b2J \u202etxt\n"))
    with terminal(filed, "view", "hostile.txt", "--passphrase-file", str(filed.passphrase)) as child:
        child.expect_exact(r"\x1b]0;owned\x07 \u009b2J \u202etxt")
        child.send("q")
        assert end(child) == 0


def test_an_old_encoding_is_said_to_be_a_guess(filed: Desk) -> None:
    filed.run("add", "Road works", filed.write("old.txt", "Акт осмотра места происшествия".encode("cp1251")))
    with terminal(filed, "view", "old.txt", "--passphrase-file", str(filed.passphrase)) as child:
        child.expect_exact("Акт осмотра")
        child.expect_exact("cp1251 by its looks, else: --encoding")
        child.send("q")
        assert end(child) == 0
    words = ("view", "old.txt", "--encoding", "koi8-r", "--passphrase-file", str(filed.passphrase))
    with terminal(filed, *words) as child:
        child.expect_exact("юЙР НЯЛНРПЮ")
        child.send("q")
        assert end(child) == 0


def test_a_picture_is_drawn_from_its_pixels(filed: Desk) -> None:
    with terminal(filed, "view", "photo.png", "--passphrase-file", str(filed.passphrase)) as child:
        child.expect("\u2580")
        child.expect_exact("any key closes it")
        child.send("x")
        assert end(child) == 0
        assert re.search(r"\x1b\[38;2;\d+;\d+;\d+;48;2;\d+;\d+;\d+m", child.screen.text)


def test_a_pdf_is_not_shown_and_the_way_to_see_it_is_said(filed: Desk) -> None:
    with terminal(filed, "view", "informant.PDF", "--passphrase-file", str(filed.passphrase)) as child:
        child.expect_exact("this is a PDF, which a terminal cannot show")
        child.expect_exact("hint: in a program, from memory alone: sandyk view ITEM --with PROGRAM")
        assert end(child) == 1


def test_lock_clears_a_text_from_the_screen(filed: Desk) -> None:
    with terminal(filed, "view", "Каттар/letter.txt", "--passphrase-file", str(filed.passphrase)) as child:
        child.expect_exact("all of it")
        assert json.loads(lock(filed, "--json"))["views_ended"] == 1
        assert end(child) == 130
        assert child.screen.text.index("all of it") < child.screen.text.index("\x1b[?1049l")
    assert views(filed) == ()


def test_into_a_pipe_nothing_is_shown(filed: Desk) -> None:
    done = filed.run("view", "Каттар/letter.txt", code=2)
    assert "hint: into a pipe: sandyk get ITEM -o -" in done.err
    assert done.out == ""
