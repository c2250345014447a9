# SPDX-License-Identifier: Apache-2.0
"""Removing this program's own traces: of histories exactly the entries that call it; of files only its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fake_vault import make_fake_vault
from tests.support.tools import need
from vault.disk import Disk
from vault.layout import KEYRING
from vault.panic import WrongUsage, panic, parse
from vault.report import as_text
from vault.traces import (
    DRILL_PREFIX,
    bash_entries,
    calls_us,
    fish_entries,
    histories,
    powershell_entries,
    remove,
    zsh_entries,
)

OURS = (
    "sandyk panic", "sandyk", "  sandyk status --json", "/home/a/.local/bin/sandyk add 'Case' x", "sudo sandyk panic",
    "sudo -u anna sandyk status", "cd /tmp && sandyk list", "ls | sandyk add C -", "time sandyk verify",
    "$(sandyk list)", "A=b sandyk list", "'sandyk' list", "if sandyk status; then echo; fi",
    "export SANDYK_VAULT=/media/stick",
    "echo `sandyk list`", "uv run sandyk list", "nohup sandyk verify &", "for x in 1; do sandyk list; done",
    "sandyk.exe list",
)  # fmt: skip
OTHERS = (
    "ls", "", "echo sandyk", "vim sandyk.md", "cd ~/src/sandyk", "man sandyk", "grep -r sandyk .",
    "git clone x/sandyk",
    "sandykx list", "mysandyk", "which sandyk", "cat sandyk-notes", "pip install sandyk", "# sandyk",
    "echo 'не sandyk'",
)  # fmt: skip


@pytest.mark.parametrize("line", OURS)
def test_a_command_that_runs_the_program_is_recognised(line: str) -> None:
    assert calls_us(line.encode() + b"\n")
    assert calls_us(b": 1763700000:0;" + line.encode() + b"\n")
    assert calls_us(b"- cmd: " + line.encode() + b"\n  when: 1763700000\n")


@pytest.mark.parametrize("line", OTHERS)
def test_a_command_that_only_mentions_it_stays(line: str) -> None:
    assert not calls_us(line.encode() + b"\n")
    assert not calls_us(b"- cmd: " + line.encode() + b"\n  when: 1763700000\n  paths:\n    - sandyk\n")


@pytest.mark.parametrize("entries", [bash_entries, zsh_entries, fish_entries, powershell_entries])
@given(text=st.lists(st.sampled_from([b"ls", b"#1763700000", b"\\", b"`", b"\n", b"- cmd: x", b": 1:0;x", b"\xff"])))
def test_a_history_is_all_of_its_entries(entries: object, text: list[bytes]) -> None:
    """Nothing is lost or moved by splitting it."""
    whole = b"".join(text)
    assert b"".join(entries(whole)) == whole  # type: ignore[operator]


def test_an_entry_of_several_lines_is_one() -> None:
    timed = (
        b"#1763700001\nls\n#1763700002\nsandyk add C \\\n  secret-name.pdf\n#1763700003\nfor x in 1; do\n  ls\ndone\n"
    )
    assert [calls_us(e) for e in bash_entries(timed)] == [False, True, False]
    assert [calls_us(e) for e in bash_entries(b"ls\nsandyk add C \\\n  secret.pdf\nls\n")] == [False, True, False]
    assert [calls_us(e) for e in zsh_entries(b": 1:0;ls\n: 2:0;sandyk add \\\nsecret\n: 3:0;ls\n")] == [
        False,
        True,
        False,
    ]
    assert [calls_us(e) for e in powershell_entries(b"ls\nsandyk add `\nsecret\nls\n")] == [False, True, False]
    fish = b"- cmd: ls\n  when: 1\n- cmd: sandyk add secret\n  when: 2\n  paths:\n    - secret\n- cmd: ls\n  when: 3\n"
    assert [calls_us(e) for e in fish_entries(fish)] == [False, True, False]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}


def made_by(shell: str, home: Path) -> Path:
    """A history as the shell itself writes it."""
    program = need(shell)
    histories_of = {"bash": ".bash_history", "zsh": ".zsh_history", "fish": ".local/share/fish/fish_history"}
    path = home / histories_of[shell]
    commands = {
        "bash": "HISTTIMEFORMAT=x; HISTFILE=~/.bash_history; history -c; history -s 'echo before'; "
        "history -s 'sandyk add Case secret-name.pdf'; history -s 'echo after'; history -w",
        "zsh": "HISTSIZE=9; SAVEHIST=9; setopt extendedhistory; print -s 'echo before'; "
        "print -s 'sandyk add Case secret-name.pdf'; print -s $'for x in 1; do\\n sandyk get secret-name.pdf\\ndone'; "
        "print -s 'echo after'; fc -W ~/.zsh_history",
        "fish": "echo",
    }  # fmt: skip
    if shell == "fish":
        path.parent.mkdir(parents=True)
        path.write_text(
            "- cmd: echo before\n  when: 1763700000\n- cmd: sandyk add Case secret-name.pdf\n  when: 1763700001\n"
            "  paths:\n    - secret-name.pdf\n- cmd: echo after\n  when: 1763700002\n"
        )
    mode = ["-f", "-i"] if shell == "zsh" else []  # zsh keeps no history unless it is interactive
    subprocess.run([program, *mode, "-c", commands[shell]], check=True, env={**os.environ, "HOME": str(home)}, cwd=home)
    return path


def read_by(shell: str, home: Path) -> str:
    """What the shell itself finds in its history."""
    commands = {
        "bash": "HISTFILE=~/.bash_history; history -c; history -r; history",
        "zsh": "HISTSIZE=9; setopt extendedhistory; fc -R ~/.zsh_history; fc -l 1",
        "fish": "history",
    }
    run = subprocess.run(
        [need(shell), *{"fish": ["-i"], "zsh": ["-f", "-i"]}.get(shell, []), "-c", commands[shell]],
        check=True, capture_output=True, text=True, env={**os.environ, "HOME": str(home), "TERM": "dumb"}, cwd=home,
    )  # fmt: skip
    return run.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_real_shell_reads_its_history_without_our_entries(shell: str, home: Path, tmp_path: Path) -> None:
    path = made_by(shell, home)
    assert "secret-name" in path.read_text()
    inode = path.stat().st_ino
    os.link(path, tmp_path / "same file")
    done = remove(str(tmp_path / "vault"), Disk(), environment(home))
    assert done.failed == ()
    assert done.lines == ((str(path), 2 if shell == "zsh" else 1),)
    assert (path.stat().st_ino, "secret-name" in path.read_text(), "sandyk" in path.read_text()) == (
        inode,
        False,
        False,
    )
    shown = read_by(shell, home)
    assert "echo before" in shown
    assert "echo after" in shown
    assert "secret-name" not in shown


def test_the_old_text_is_overwritten_before_the_file_is_cut(home: Path, tmp_path: Path) -> None:
    """The blocks that the cut sets free hold none of it: the first sync comes before the cut."""
    path = home / ".bash_history"
    path.write_bytes(b"ls\n" + b"sandyk add Case secret\n" * 1000)
    log = tmp_path / "trace"
    code = f"from vault.traces import remove; from vault.disk import Disk; remove({str(tmp_path)!r}, Disk())"
    subprocess.run(
        [need("strace"), "-f", "-o", str(log), "-e", "trace=write,ftruncate,fdatasync", sys.executable, "-c", code],
        check=True, env={**os.environ, **environment(home)}, capture_output=True,
    )  # fmt: skip
    calls = [line.split(None, 1)[1].partition("(")[0] for line in log.read_text().splitlines() if "(" in line]
    assert calls[-5:] == ["write", "fdatasync", "write", "ftruncate", "fdatasync"]
    assert path.read_bytes() == b"ls\n"


def test_histories_that_do_not_name_us_are_not_written_to(home: Path, tmp_path: Path) -> None:
    path = home / ".bash_history"
    path.write_bytes(b"ls\necho sandyk\n")
    path.chmod(0o400)
    before = path.stat()
    assert remove(str(tmp_path / "vault"), Disk(), environment(home)).lines == ()
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_history_that_is_a_link_is_not_followed_and_named(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles"
    target.write_bytes(b"sandyk list\n")
    (home / ".bash_history").symlink_to(target)
    [(path, why)] = remove(str(tmp_path / "vault"), Disk(), environment(home)).failed
    assert path.endswith(".bash_history")
    assert why
    assert target.read_bytes() == b"sandyk list\n"


def test_own_files_and_leftovers_go_and_nothing_else(home: Path, tmp_path: Path) -> None:
    mine = [
        ".config/fish/completions/sandyk.fish", ".zfunc/_sandyk", ".local/share/bash-completion/completions/sandyk",
        ".cache/sandyk/deep/er", ".config/systemd/user/sandyk-guard.service", ".config/sandyk/x",
    ]  # fmt: skip
    others = [".config/fish/completions/git.fish", ".config/sandyk2/x", ".cache/other", ".zfunc/_git"]
    for name in (*mine, *others):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(b"x")
    vault = home / "vault"
    leftover = home / f"{DRILL_PREFIX}0011223344556677"
    make_fake_vault(str(leftover))
    done = remove(str(vault), Disk(), environment(home))
    assert done.failed == ()
    assert sorted(str(p.relative_to(home)) for p in home.rglob("*") if p.is_file()) == sorted(others)
    assert len(done.removed) == len(mine) + 1


def test_another_vault_in_a_folder_of_our_name_is_not_touched(home: Path) -> None:
    before = make_fake_vault(str(home / ".config/sandyk/vault"))
    done = remove(str(home / "gone"), Disk(), environment(home))
    assert [why for _, why in done.failed] == ["a vault lies in it"]
    assert (home / ".config/sandyk/vault" / KEYRING).read_bytes() == before[KEYRING]


def test_panic_removes_traces_only_when_asked_and_after_the_keys(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(home).items():
        monkeypatch.setenv(name, value)
    (home / ".bash_history").write_bytes(b"sandyk list\nls\n")
    make_fake_vault(str(tmp_path / "one"))
    text = as_text(panic(str(tmp_path / "one"), discard=False))
    assert (home / ".bash_history").read_bytes() == b"sandyk list\nls\n"
    assert "are not removed" in text
    make_fake_vault(str(tmp_path / "two"))
    then: list[bytes] = []
    said = lambda line: then.append((home / ".bash_history").read_bytes())  # noqa: E731
    report = panic(str(tmp_path / "two"), discard=False, traces=True, say=said)
    assert then == [b"sandyk list\nls\n"]
    assert (home / ".bash_history").read_bytes() == b"ls\n"
    assert report.traces_removed == (f"1 entries taken out of {home}/.bash_history",)
    assert "shells that run now write their history again" in as_text(report)
    shutil.rmtree(home)


def test_traces_cannot_be_rehearsed() -> None:
    with pytest.raises(WrongUsage):
        parse(["panic", "--drill", "--traces"])


def test_on_windows_the_history_of_powershell_is_known() -> None:
    [(path, entries)] = histories({"APPDATA": "C:\\A"}, "win32")
    assert path.endswith("ConsoleHost_history.txt")
    assert entries is powershell_entries
