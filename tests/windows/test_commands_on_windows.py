# SPDX-License-Identifier: Apache-2.0
"""The program in a real Python for Windows, under Wine, which is no Windows: a journalist's day, and what differs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from importlib import resources
from io import BytesIO
from pathlib import Path

import pexpect
import pytest

from keys.layout import KILL_AREA_SIZE
from tests.support import windows
from tests.support.commands import LETTER, Desk, desk
from tests.support.tools import need, need_hybrid_age
from tests.support.windows import START, environment, need_windows, run, run_python, windows_path

CASE = "Road works"
REPORT = "Отчёт о взятке.txt"
WIPE_KEY = "\x1c"
IMPORT_ALL = """
import importlib, pkgutil, keys, vault
for package in (keys, vault):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            try:
                importlib.import_module(module.name)
            except BaseException as error:
                print(module.name, repr(error))
"""
HELP_OF_ALL = """
import sys, typer
from typer.main import get_command
from vault.cli.app import app
def walk(words, command):
    yield words
    for name in getattr(command, "commands", {}):
        yield from walk([*words, name], command.commands[name])
for words in walk([], get_command(app)):
    if words != ["panic"]:
        try:
            app([*words, "--help"], prog_name="sandyk", standalone_mode=False)
        except BaseException as error:
            print("FAILED", words, repr(error))
"""


@pytest.fixture(scope="module")
def aida(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A machine whose vault was founded on Linux; every document in it is filed on Windows."""
    need_windows()
    at = desk(tmp_path_factory.mktemp("windows"), "aida")
    at.run("case", "new", CASE)
    at.write("notes.txt", LETTER)
    at.write(f"Папка/{REPORT}", "взятка\n")
    at.write("Папка/page[1].html", "<p>мост</p>")
    _on_windows(at, "add", CASE, "notes.txt", "Папка\\*.html")
    _on_windows(at, "add", CASE, windows_path(at.home / "Папка"))
    return at


def _on_windows(at: Desk, *words: str, code: int = 0, **more: str) -> str:
    return run(
        *words, "--vault", windows_path(at.vault), "--passphrase-file", windows_path(at.passphrase),
        cwd=at.home, code=code, **more,
    )  # fmt: skip


def _names(text: str) -> set[str]:
    return {item["name"] for item in json.loads(text)["items"]}


def test_every_module_of_the_program_loads(tmp_path: Path) -> None:
    assert run_python("-c", IMPORT_ALL, cwd=tmp_path).stdout == b""


def test_every_command_shows_its_help(tmp_path: Path) -> None:
    done = run_python("-c", HELP_OF_ALL, cwd=tmp_path, PYTHONIOENCODING="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b"Usage: sandyk") > 40
    assert b"FAILED" not in done.stdout


def test_what_was_filed_on_windows_is_read_on_linux_under_names_with_slashes(aida: Desk) -> None:
    assert _names(aida.run("list", CASE, "--json").out) == {
        "notes.txt", "page[1].html", "Папка/page[1].html", f"Папка/{REPORT}",
    }  # fmt: skip
    assert "whole" in aida.run("verify").out
    assert "whole" in _on_windows(aida, "verify")


def test_documents_are_found_by_what_is_in_them_and_shown_in_utf_8(aida: Desk) -> None:
    _on_windows(aida, "index")
    found = _on_windows(aida, "search", "взят*")
    assert "«взятка»" in found and f"Папка/{REPORT}" in found


def test_a_vault_is_made_and_used_from_first_to_last_on_windows(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("correct horse battery staple orange\n")
    vault, words = windows_path(tmp_path / "vault"), ("--passphrase-file", "words")
    said = run("init", "--name", "Айгүл", "--new-passphrase-file", "words", "--vault", vault, cwd=tmp_path)
    assert f"vault made in {vault}\n" in said, "and no backslash is doubled"
    run("case", "new", CASE, *words, cwd=tmp_path, SANDYK_VAULT=vault)
    assert CASE in run("case", "list", *words, cwd=tmp_path, SANDYK_VAULT=vault)
    assert "not be looked at on this system" in run("status", cwd=tmp_path, SANDYK_VAULT=vault)
    run("doctor", *words, cwd=tmp_path, code=4, SANDYK_VAULT=vault)


def test_a_bundle_sealed_on_windows_opens_with_stock_age_on_linux(aida: Desk, tmp_path: Path) -> None:
    age = need_hybrid_age()
    subprocess.run([age / "age-keygen", "-pq", "-o", tmp_path / "key"], check=True, capture_output=True)
    public = subprocess.run([age / "age-keygen", "-y", tmp_path / "key"], check=True, capture_output=True).stdout
    (tmp_path / "to").write_bytes(public)
    sealed = tmp_path / "bundle.age"
    _on_windows(aida, "export", CASE, "-o", windows_path(sealed), "--recipients-file", windows_path(tmp_path / "to"))
    plain = subprocess.run([age / "age", "-d", "-i", tmp_path / "key", sealed], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", tmp_path], input=plain, check=True)
    assert [path.read_bytes() for path in tmp_path.glob("bundle-*/data/*/notes.txt")] == [LETTER]
    said = run(
        "open", "bundle.age", "--identity", "key", "-o", "opened", cwd=tmp_path, code=13
    )  # whole, and of nobody who is known
    assert "all verified" in said
    assert [path.read_bytes() for path in tmp_path.glob("opened/bundle-*/data/*/notes.txt")] == [LETTER]


def test_a_bundle_in_parts_sealed_on_linux_is_mended_and_opened_on_windows(aida: Desk, tmp_path: Path) -> None:
    age = need_hybrid_age()
    subprocess.run([age / "age-keygen", "-pq", "-o", tmp_path / "key"], check=True, capture_output=True)
    public = subprocess.run([age / "age-keygen", "-y", tmp_path / "key"], check=True, capture_output=True).stdout
    (tmp_path / "to").write_bytes(public)
    picture = os.urandom(2 << 20)
    other = tmp_path / "other"
    shutil.copytree(aida.home, other)
    at = Desk(other, other / "vault", aida.passphrase)
    at.run("add", CASE, at.write("picture.bin", picture))
    at.run(
        "export", CASE, "-o", str(tmp_path / "parts"), "--volume-size", "1MiB", "--repair", "1", "--recipients-file",
        str(tmp_path / "to"),
    )  # fmt: skip
    min((tmp_path / "parts").iterdir()).unlink()
    run("open", "parts", "--identity", "key", "-o", "opened", cwd=tmp_path, code=13)
    assert [path.read_bytes() for path in tmp_path.glob("opened/bundle-*/data/*/picture.bin")] == [picture]


def test_notes_and_searches_are_taken_as_they_were_typed(aida: Desk, tmp_path: Path) -> None:
    at = Desk(tmp_path, shutil.copytree(aida.vault, tmp_path / "vault"), aida.passphrase)
    at.write("a.txt", "a")
    note = "%PATH% $HOME ~ a*"
    _on_windows(at, "add", CASE, "a.txt", "--note", note)
    items = json.loads(at.run("list", CASE, "--json").out)["items"]
    assert note in {item["note"] for item in items}


def test_names_that_mean_something_else_on_windows_are_not_written(aida: Desk, tmp_path: Path) -> None:
    at = Desk(tmp_path, shutil.copytree(aida.vault, tmp_path / "vault"), aida.passphrase)
    bad = ["CON", "nul.txt", "a:b", "trailing.", "space ", "a\\b", "q?"]
    for name in bad:
        at.write(f"bad/{name}", "bad")
    at.run("add", CASE, str(tmp_path / "bad"))
    said = _on_windows(at, "get", "--all", CASE, "-o", "out", code=3)
    assert said.count("a name that means something else on Windows") == len(bad)
    assert {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()} == {
        "notes.txt", "page[1].html", REPORT,
    }  # fmt: skip
    first = next(i["id"] for i in json.loads(at.run("list", CASE, "--json").out)["items"] if i["name"] == "bad/CON")
    assert _on_windows(at, "get", first, "-o", "-") == "bad"


def test_nobody_is_asked_where_there_is_no_console(aida: Desk) -> None:
    said = run("list", CASE, "--vault", windows_path(aida.vault), cwd=aida.home, code=2)
    assert "nobody is at the terminal to be asked" in said


def _on_the_console(text: str) -> str:
    """A pattern for what a program writes there: Wine breaks lines wherever it thinks that its cursor was."""
    return "[\r\n]*".join(map(re.escape, text))


def _in_one_line(seen: str) -> str:
    return seen.replace("\r", "").replace("\n", "")


def test_a_passphrase_is_asked_for_at_the_console_and_not_shown(aida: Desk) -> None:
    wine, python = need_windows()
    words = ["-c", START, "list", CASE, "--vault", windows_path(aida.vault)]
    passphrase = aida.passphrase.read_text().strip()
    child = pexpect.spawn(
        wine, [python, *words], env=environment(TERM="xterm"), cwd=aida.home, encoding="utf-8", timeout=60,
        dimensions=(50, 160),
    )  # fmt: skip
    child.expect(_on_the_console("Passphrase:"))
    child.send(passphrase + "\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    said = _in_one_line(child.before)
    assert passphrase not in said and REPORT in said


def test_panic_overwrites_the_kill_area_and_leaves_nothing(aida: Desk, tmp_path: Path) -> None:
    for keep in (True, False):
        vault = tmp_path / f"vault-{keep}"
        shutil.copytree(aida.vault, vault)
        before = (vault / "keyring").read_bytes()
        words = ("panic", "--vault", windows_path(vault), *(("--keep",) if keep else ()))
        said = run(*words, cwd=tmp_path)
        assert said.startswith("KEYS GONE") and "Verified: read back" in said and "file system: unknown" in said
        if keep:
            after = (vault / "keyring").read_bytes()
            assert len(after) == len(before)
            assert all(
                after[at : at + 64] != before[at : at + 64] for at in range(0, KILL_AREA_SIZE, 64)
            ), "every part of the kill area is new"
        else:
            assert not vault.exists()


def test_a_rehearsal_starts_the_program_as_it_was_started(tmp_path: Path) -> None:
    """By the launcher that pip makes: a start for .exe, the Python to run, and a script in a ZIP."""
    python = windows_path(Path(need_windows()[1]))
    launcher = Path(str(resources.files("pip._vendor.distlib").joinpath("t64.exe"))).read_bytes()
    script = "import sys\nfrom vault.entry import main\n"
    script += "sys.argv[0] = sys.argv[0].removesuffix('.exe')\nsys.exit(main())"
    with BytesIO() as packed:
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("__main__.py", script)
        (tmp_path / "sandyk.exe").write_bytes(launcher + f"#!{python}\r\n".encode() + packed.getvalue())
    done = subprocess.run(
        [need("wine"), "sandyk.exe", "panic", "--drill", "--vault", "сейф\\vault"], stdin=subprocess.DEVNULL,
        capture_output=True, cwd=tmp_path, env=environment(), timeout=120, check=False,
    )  # fmt: skip
    said = done.stdout.decode()
    assert done.returncode == 0 and said.endswith("DRILL PASSED\n"), said
    assert f"DRILL on a throw-away vault, {windows_path(tmp_path)}\\.sandyk-drill-" in said
    assert [path.name for path in tmp_path.iterdir()] == ["sandyk.exe"]


def test_what_is_not_built_says_so_and_asks_for_no_passphrase(tmp_path: Path) -> None:
    for words in (["view", "1a2b"], ["view", "1a2b", "--with", "notepad", "--on-disk"]):
        assert "view is not built for this system" in run(*words, cwd=tmp_path, code=1)


def test_the_screen_opens_the_vault_at_a_console_and_wipes_it_by_its_key(aida: Desk, tmp_path: Path) -> None:
    vault = shutil.copytree(aida.vault, tmp_path / "vault")
    # Wine's console takes function keys from a terminal for nothing, and leaves Ctrl + backslash to it.
    start = ["-c", 'stty quit undef; exec "$@"', "sh", *need_windows(), "-c", START]
    child = pexpect.spawn(
        "sh", [*start, "browse", "--vault", windows_path(vault)],
        env=environment(TERM="xterm-256color"), cwd=tmp_path, encoding="utf-8", timeout=60, dimensions=(40, 140),
    )  # fmt: skip
    child.expect(_on_the_console("Type your passphrase"))
    child.send(aida.passphrase.read_text().strip() + "\r")
    child.expect(_on_the_console("Search"))
    child.send(WIPE_KEY)
    child.send(WIPE_KEY)
    child.expect(pexpect.EOF)
    child.close()
    assert not (vault / "keyring").exists()
    # The index that the screen itself had open is not deleted there, and nothing else stays without being named.
    if left := [path.name for path in vault.rglob("*") if path.is_file()]:
        assert {name.partition("-")[0] for name in left} == {"index"} and child.exitstatus == 1
        said = _in_one_line(child.before)
        assert "not everything could be wiped: delete" in said and "run it again: sandyk panic" in said
        run("panic", "--vault", windows_path(vault), cwd=tmp_path, code=1)  # there is no keyring any more
    assert not vault.exists()


HOLD_OPEN = """
import sys
held = [open(path, "rb") for path in sys.argv[1:]]
print("held", flush=True)
sys.stdin.read()
"""


def test_panic_destroys_the_keys_while_others_have_the_files_open_and_names_what_stays(
    aida: Desk, tmp_path: Path
) -> None:
    vault = shutil.copytree(aida.vault, tmp_path / "vault")
    before = (vault / "keyring").read_bytes()
    pack = next((vault / "cases").glob("*/packs/*.age"))
    holder = subprocess.Popen(
        [*need_windows(), "-c", HOLD_OPEN, windows_path(vault / "keyring"), windows_path(pack)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(),
    )  # fmt: skip
    try:
        assert holder.stdout is not None and holder.stdout.readline().strip() == b"held"
        said = run("panic", "--vault", windows_path(vault), cwd=tmp_path, code=1)
        assert said.startswith("KEYS GONE")
        assert "COULD NOT BE DONE" in said and pack.name in said
        left = (vault / "keyring").read_bytes()
        assert left[:KILL_AREA_SIZE] != before[:KILL_AREA_SIZE] and pack.exists()
    finally:
        holder.communicate(timeout=60)
    run("panic", "--vault", windows_path(vault), cwd=tmp_path)
    assert not vault.exists()


LOCKS = """
import os, sys
from vault.disk import Disk
path = sys.argv[1]
with Disk().lock(path):
    with open(path, "r+b") as other:  # a lock on Windows keeps others from what is locked: these bytes are not
        other.write(b"written")
    try:
        with Disk().lock(path, wait=False):
            print("taken twice")
    except BlockingIOError:
        print("refused")
with Disk().lock(path, wait=False):
    print(open(path, "rb").read().decode())
"""


def test_a_lock_is_one_among_ourselves_and_stops_no_reader(tmp_path: Path) -> None:
    done = run_python("-c", LOCKS, windows_path(tmp_path / "lock"), cwd=tmp_path)
    assert done.stdout.split() == [b"refused", b"written"], done.stderr


PATIENCE = """
import os, sys
from vault.disk import Disk
folder = sys.argv[1]
old, new = os.path.join(folder, "old"), os.path.join(folder, "new")
for path in (old, new):
    with open(path, "w") as f:
        f.write(os.path.basename(path))
scanner = open(old)
tries = []
real = os.replace
def replace(a, b):
    tries.append(a)
    if len(tries) == 2:
        scanner.close()
    real(a, b)
os.replace = replace
Disk().publish(new, old)
print(len(tries), open(old).read())
"""


def test_a_file_that_a_scanner_looks_at_for_a_moment_is_replaced_all_the_same(tmp_path: Path) -> None:
    done = run_python("-c", PATIENCE, windows_path(tmp_path), cwd=tmp_path)
    assert done.stdout.split() == [b"2", b"new"], done.stderr


SYNCS = """
import os, sys
from vault.disk import sync_file_system
synced = []
real = os.fsync
def fsync(fd):
    real(fd)
    synced.append(os.fstat(fd).st_size)
os.fsync = fsync
sync_file_system(sys.argv[1])
print(sorted(synced))
"""


def test_documents_are_on_the_medium_before_their_folder_gets_its_name(tmp_path: Path) -> None:
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    for size, name in enumerate(("a", "deep/b", "deep/deeper/c"), start=1):
        (tmp_path / name).write_bytes(bytes(size))
    done = run_python("-c", SYNCS, windows_path(tmp_path), cwd=tmp_path)
    assert done.stdout.strip() == b"[1, 2, 3]", done.stderr


def test_the_language_is_the_one_of_the_user_s_region(tmp_path: Path) -> None:
    code = "from vault import language; print(language._of_windows())"
    said = run_python("-c", code, cwd=tmp_path, LC_ALL="ru_RU.UTF-8").stdout
    assert said.strip() == b"ru_RU"


def test_the_tests_never_use_a_vault_of_this_machine() -> None:
    assert not {"SANDYK_VAULT", "LOCALAPPDATA", "LANG"} & set(windows.environment())
