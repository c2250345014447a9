# SPDX-License-Identifier: Apache-2.0
"""`unlock`, `lock`, `status` and `guard` as a person types them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from keys.primitives import FLOOR
from keys.secret import Secret
from tests.support.agents import ends, runtime_folder
from tests.support.fake_vault import files_in
from vault.disk import Disk
from vault.founding import found

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "correct horse battery staple"


@pytest.fixture(autouse=True)
def runtime_dir() -> Iterator[Path]:
    with runtime_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("founded") / "vault"
    found(str(folder), Secret(PASSPHRASE.encode()), None, disk=Disk(), label="Айгүл", now_ns=1, cost=FLOOR)
    return folder


@pytest.fixture
def folder(founded: Path, tmp_path: Path) -> str:
    return str(shutil.copytree(founded, tmp_path / "vault"))


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    return str(path)


def sandyk(folder: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command with nobody at the terminal: it fails where it would ask."""
    return subprocess.run(
        [sys.executable, "-m", "vault", *words, "--vault", folder], capture_output=True, text=True, cwd=ROOT,
        stdin=subprocess.DEVNULL, start_new_session=True, timeout=120,
    )  # fmt: skip


def document(run: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert isinstance(found, dict)
    return found


def test_between_unlock_and_lock_no_command_asks(folder: str, file: str) -> None:
    assert sandyk(folder, "journalist", "list").returncode == 2
    unlocked = sandyk(folder, "unlock", "--passphrase-file", file)
    assert (unlocked.returncode, "sandyk lock" in unlocked.stdout) == (0, True)
    assert "Айгүл (you)" in sandyk(folder, "journalist", "list").stdout
    locked = sandyk(folder, "lock")
    assert (locked.returncode, locked.stdout) == (0, "locked: the agent that held the keys has ended\n")
    assert sandyk(folder, "journalist", "list").returncode == 2
    again = sandyk(folder, "lock")
    assert (again.returncode, again.stdout) == (0, "nothing was unlocked, as far as can be seen from here\n")


def test_lock_works_where_there_is_no_vault(tmp_path: Path) -> None:
    assert sandyk(str(tmp_path / "nowhere"), "lock").returncode == 0


def test_status_says_whether_it_is_unlocked_and_until_when(folder: str, file: str) -> None:
    before = document(sandyk(folder, "status", "--json"))
    assert (before["locked"], before["unlocked_until"], before["guard"]) == (True, None, None)
    answer = document(sandyk(folder, "unlock", "--for", "2h", "--idle", "45s", "--passphrase-file", file, "--json"))
    assert (answer["seconds"], answer["idle_seconds"]) == (7200, 45)
    during = document(sandyk(folder, "status", "--json"))
    assert during["locked"] is False
    assert during["unlocked_until"] is not None and during["idle_at"] is not None
    assert "UNLOCKED until" in sandyk(folder, "status").stdout
    assert document(sandyk(folder, "lock", "--json")) == {"was_unlocked": True, "views_ended": 0}
    assert document(sandyk(folder, "status", "--json"))["locked"] is True


@pytest.mark.parametrize("words", [("passwd",), ("add", "Бакыт"), ("remove", "Бакыт")])
def test_who_opens_the_vault_is_never_changed_without_a_passphrase(
    folder: str, file: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Else whoever finds the machine unlocked could make a lasting way in."""
    before = files_in(folder)
    assert sandyk(folder, "unlock", "--passphrase-file", file).returncode == 0
    run = sandyk(folder, "journalist", *words)
    assert (run.returncode, "nobody is at the terminal" in run.stderr) == (2, True)
    after = files_in(folder)
    after.pop("lock")
    assert after == before


def test_a_passphrase_that_is_named_is_used_and_not_the_agent(folder: str, file: str, tmp_path: Path) -> None:
    assert sandyk(folder, "unlock", "--passphrase-file", file).returncode == 0
    wrong = tmp_path / "wrong"
    wrong.write_text("another horse entirely\n")
    assert sandyk(folder, "journalist", "list", "--passphrase-file", str(wrong)).returncode == 11
    assert sandyk(folder, "unlock", "--passphrase-file", str(wrong)).returncode == 11
    assert sandyk(folder, "journalist", "list").returncode == 0


def test_a_new_passphrase_locks(folder: str, file: str, tmp_path: Path) -> None:
    assert sandyk(folder, "unlock", "--passphrase-file", file).returncode == 0
    new = tmp_path / "new"
    new.write_text("entirely different words here\n")
    changed = sandyk(folder, "journalist", "passwd", "--passphrase-file", file, "--new-passphrase-file", str(new))
    assert changed.returncode == 0, changed.stderr
    assert sandyk(folder, "journalist", "list").returncode == 2
    assert ends(folder)


def test_panic_elsewhere_ends_the_agent(folder: str, file: str) -> None:
    assert sandyk(folder, "unlock", "--passphrase-file", file).returncode == 0
    assert sandyk(folder, "panic", "--keep").returncode == 0
    assert ends(folder)
    assert sandyk(folder, "journalist", "list").returncode == 2


@pytest.mark.parametrize("time", ["", "0m", "30", "m", "-5m", "1.5h", "8d", "٣m", "99999999999s"])
@pytest.mark.parametrize("option", ["--for", "--idle"])
def test_a_time_that_cannot_be_meant_is_refused_before_anything_is_asked(folder: str, option: str, time: str) -> None:
    run = sandyk(folder, "unlock", f"{option}={time}")
    assert (run.returncode, option in run.stderr) == (2, True)


def test_a_runtime_folder_that_others_can_enter_is_named_and_not_used(
    folder: str, file: str, runtime_dir: Path
) -> None:
    (runtime_dir / "sandyk").mkdir(mode=0o755)
    for words in (("unlock", "--passphrase-file", file), ("lock",)):
        run = sandyk(folder, *words)
        assert (run.returncode, "not yours alone" in run.stderr) == (1, True)
    assert document(sandyk(folder, "status", "--json"))["locked"] is None
    assert sandyk(folder, "journalist", "list", "--passphrase-file", file).returncode == 0


def test_the_passphrase_is_asked_for_at_the_terminal_once(folder: str) -> None:
    child = pexpect.spawn(
        sys.executable, ["-m", "vault", "unlock", "--vault", folder], cwd=str(ROOT), encoding="utf-8", timeout=60
    )
    child.expect("Passphrase: ")
    child.sendline(PASSPHRASE)
    child.expect("unlocked until")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert sandyk(folder, "journalist", "list").returncode == 0


def test_an_armed_guard_is_seen_in_status(folder: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "vault", "guard", "--vault", folder, "--idle", "5", "--for", "1h"],
        stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True,
    ) as guard:  # fmt: skip
        assert guard.stderr is not None
        assert guard.stderr.readline().startswith("watching: lock on 5 idle minutes, SIGUSR1, until ")
        shown = str(document(sandyk(folder, "status", "--json"))["guard"])
        assert shown.startswith("lock on 5 idle minutes, SIGUSR1, until ")
        assert f"guard: {shown}" in sandyk(folder, "status").stdout
        guard.terminate()
    assert document(sandyk(folder, "status", "--json"))["guard"] is None


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--usb", "yubikey"), 2), (("--usb", "ffff:ffff"), 2), (("--token", "/nowhere"), 2), (("--idle", "0"), 2),
        (("--action", "wipe"), 2), (("--for", "never"), 2), (("--countdown", "-1"), 2), (("--action", "panic"), 1),
    ],
)  # fmt: skip
def test_a_guard_that_cannot_watch_does_not_start(folder: str, words: tuple[str, ...], code: int) -> None:
    run = sandyk(folder, "guard", *words)
    assert run.returncode == code, run.stderr
    assert "watching" not in run.stderr


def test_there_is_no_guard_without_a_vault(tmp_path: Path) -> None:
    assert sandyk(str(tmp_path), "guard").returncode == 10


def test_the_printed_unit_starts_the_guard_that_was_asked_for(tmp_path: Path, folder: str) -> None:
    strange = str(shutil.copytree(folder, tmp_path / 'a "b" 100% $HOME \\ д'))
    options = ("--idle", "7", "--action", "panic", "--countdown", "9", "--for", "8h")
    run = sandyk(strange, "guard", *options, "--print-unit")
    assert run.returncode == 0, run.stderr
    line = next(line for line in run.stdout.splitlines() if line.startswith("ExecStart="))
    # systemd reads quotes and backslashes as a shell does, and halves % and $ (systemd.service(5)).
    words = [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line.removeprefix("ExecStart="))]
    assert words[words.index("guard") :] == [
        "guard", "--vault", strange, "--idle", "7", "--action", "panic", "--for", "8h", "--countdown", "9",
    ]  # fmt: skip
    verify = shutil.which("systemd-analyze")
    if verify is not None:
        unit = tmp_path / "sandyk-guard.service"
        unit.write_text(run.stdout)
        checked = subprocess.run([verify, "verify", "--user", str(unit)], capture_output=True, text=True)
        assert "Failed to parse" not in checked.stderr and "Unknown" not in checked.stderr, checked.stderr


def test_lock_loads_no_cryptography(folder: str) -> None:
    code = (
        "import sys, json\n"
        "sys.argv = ['sandyk', 'lock', '--vault', sys.argv[1]]\n"
        "from vault.entry import main\n"
        "main()\n"
        "heavy = {'nacl', 'cryptography', 'sqlcipher3'}\n"
        "print(json.dumps(sorted(m for m in sys.modules if m.split('.')[0] in heavy)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


def test_the_wiped_and_the_absent_are_not_unlocked(folder: str, file: str, tmp_path: Path) -> None:
    assert sandyk(str(tmp_path / "nowhere"), "unlock", "--passphrase-file", file).returncode == 10
    os.unlink(Path(folder, "keyring"))
    assert sandyk(folder, "unlock", "--passphrase-file", file).returncode == 15


def test_the_clock_of_the_answer_is_the_persons(folder: str, file: str) -> None:
    answer = document(sandyk(folder, "unlock", "--for", "1s", "--passphrase-file", file, "--json"))
    assert str(answer["until"])[:4] == time.strftime("%Y")
