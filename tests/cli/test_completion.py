# SPDX-License-Identifier: Apache-2.0
"""What `completion` prints, in the shells that it is for: at a real prompt, with the tab key."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from tests.support.cli_docs import commands
from tests.support.commands import SCRIPT
from tests.support.tools import need

SHELLS = ("bash", "zsh", "fish", "powershell")
PROMPT = "ready> "


@functools.cache
def script(shell: str) -> str:
    return subprocess.run([SCRIPT, "completion", shell], capture_output=True, check=True).stdout.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A current folder with a file and a folder, and the scripts elsewhere."""
    here = tmp_path / "here"
    (here / "sub").mkdir(parents=True)
    (here / "share one.age").write_bytes(b"")
    for shell in SHELLS:
        (tmp_path / shell).write_text(script(shell), "utf-8")
    return here


def bash_offers(folder: Path, *words: str) -> list[str]:
    """What bash's own completion function answers for the last of these words."""
    lines = f'source {folder.parent}/bash\nCOMP_WORDS=("$@")\nCOMP_CWORD=$(($# - 1))\n_sandyk\n'
    run = subprocess.run(
        [need("bash"), "--norc", "-c", lines + 'printf "%s\\n" "${COMPREPLY[@]}"', "bash", *words],
        capture_output=True, check=True, cwd=folder,
    )  # fmt: skip
    assert run.stderr == b""
    return run.stdout.decode().split()


def fish_offers(folder: Path, line: str) -> list[str]:
    run = subprocess.run(
        [need("fish"), "--no-config", "-c", f"source {folder.parent}/fish; complete -C{_quoted(line)}"],
        capture_output=True, check=True, cwd=folder, env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert run.stderr == b""
    return [offer.partition("\t")[0] for offer in run.stdout.decode().splitlines()]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "\\'") + "'"


@contextmanager
def prompt(shell: str, folder: Path) -> Iterator[pexpect.spawn]:
    """An interactive shell that has read its script."""
    start = {
        "bash": (["--norc", "--noprofile", "-i"], f"source {folder.parent}/bash"),
        "zsh": (["-f", "-i"], f"autoload -Uz compinit; compinit -u -D; unsetopt zle_bracketed_paste; "
                              f"source {folder.parent}/zsh; bindkey -e"),
    }[shell]  # fmt: skip
    environment = {
        "HOME": str(folder), "PATH": "/usr/bin:/bin", "TERM": "dumb", "LC_ALL": "C.UTF-8", "INPUTRC": "/dev/null",
    }  # fmt: skip
    child = pexpect.spawn(need(shell), start[0], env=environment, cwd=str(folder), encoding="utf-8", timeout=30,
                          dimensions=(100, 200), echo=False)  # fmt: skip
    try:
        child.sendline(f"{start[1]}; PS1='{PROMPT}'; PS2=; echo begin-$((1 + 1))")
        child.expect("begin-2")
        child.expect_exact(PROMPT)
        yield child
    finally:
        child.close(force=True)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("sandyk jour", "sandyk journalist"),
        ("sandyk key recov", "sandyk key recover"),
        ("sandyk key split --thre", "sandyk key split --threshold"),
        ("sandyk --vault . key spl", "sandyk --vault . key split"),
        ("sandyk export --as news", "sandyk export --as newsroom"),
        ("sandyk key check shar", "sandyk key check share\\ one.age"),
        ("sandyk add Naryn shar", "sandyk add Naryn share\\ one.age"),
        ("sandyk list --vault s", "sandyk list --vault sub"),
        ("sandyk panic --dri", "sandyk panic --drill"),
    ],
)
def test_a_tab_completes_at_a_real_prompt(shell: str, typed: str, becomes: str, folder: Path) -> None:
    with prompt(shell, folder) as child:
        # What was typed is taken back by what a shell prints when it completes: the last of it is what counts.
        child.send("sandyk() { printf 'run:'; printf ' %q' \"$@\"; printf ' :done\\n'; }\n")
        child.expect_exact(PROMPT)
        child.send(f"{typed}\t\n")
        child.expect("run:(.*?):done")
        assert child.match is not None
        # A shell may take the slash after a folder away again when the line ends.
        assert child.match[1].replace("\r\n", "").strip().removesuffix("/") == becomes.removeprefix("sandyk ").strip()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_where_a_name_is_expected_nothing_is_offered(shell: str, folder: Path) -> None:
    with prompt(shell, folder) as child:
        child.send("sandyk() { printf 'run:'; printf ' %q' \"$@\"; printf ' :done\\n'; }\n")
        child.expect_exact(PROMPT)
        for typed in ("sandyk export s", "sandyk key split --to s"):
            child.send(f"{typed}\t\n")
            child.expect("run:(.*?):done")
            assert child.match is not None
            assert child.match[1].split() == typed.split()[1:]


def test_bash_offers_what_the_tree_has(folder: Path) -> None:
    assert bash_offers(folder, "sandyk", "key", "") == ["split", "list", "ask", "check", "show", "recover", "revoke"]
    assert bash_offers(folder, "sandyk", "--lang", "") == ["en", "ky", "ru", "uz"]
    assert bash_offers(folder, "sandyk", "--lang", "ky", "compl") == ["completion"]
    assert bash_offers(folder, "sandyk", "key", "split", "--to", "anna", "--un") == ["--unverified"]
    assert bash_offers(folder, "sandyk", "export", "Naryn", "--to", "") == []
    assert bash_offers(folder, "sandyk", "completion", "") == list(SHELLS)
    assert bash_offers(folder, "sandyk", "verify", "--repair", "--js") == ["--json"]


def test_fish_offers_what_the_tree_has(folder: Path) -> None:
    assert set(fish_offers(folder, "sandyk key ")) == {"split", "list", "ask", "check", "show", "recover", "revoke"}
    assert fish_offers(folder, "sandyk --vault /x key rec") == ["recover"]
    assert fish_offers(folder, "sandyk key split --unv") == ["--unverified"]
    assert set(fish_offers(folder, "sandyk export --as ")) == {"me", "newsroom"}
    assert set(fish_offers(folder, "sandyk completion ")) == set(SHELLS)
    assert fish_offers(folder, "sandyk key check sh") == ["share one.age"]
    assert fish_offers(folder, "sandyk list --vault s") == ["sub/"]
    assert fish_offers(folder, "sandyk export s") == []
    assert fish_offers(folder, "sandyk key split --to s") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_option_is_in_every_script(shell: str) -> None:
    """PowerShell's script was never run by these tests: that it names everything, and closes what it opens, is all."""
    text = script(shell)
    for command in commands()[1:]:
        *_, name = command.split()
        assert re.search(rf"(?<![a-z-]){name}(?![a-z-])", text), command
    for option in ("--threshold", "--unverified", "--challenge", "--drill", "--lang", "--passphrase-file"):
        assert option.lstrip("-") in text
    if shell == "powershell":
        for opening, closing in ("{}", "()", "[]"):
            assert text.count(opening) == text.count(closing)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_runs_no_program_of_ours(shell: str) -> None:
    """What is in a vault cannot be offered by what never asks one."""
    lines = [line for line in script(shell).splitlines() if not line.startswith("#")]
    assert not [line for line in lines if re.search(r"[`$]\(?\(?sandyk\b", line)]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_itself_finds_no_mistake(shell: str, folder: Path) -> None:
    assert subprocess.run([need(shell), "-n", folder.parent / shell], capture_output=True, check=True).stderr == b""


def test_zsh_takes_it_from_its_own_folder_of_functions(folder: Path) -> None:
    """As a file in $fpath, which is how it is kept."""
    functions = folder.parent / "functions"
    functions.mkdir()
    (functions / "_sandyk").write_text(script("zsh"), "utf-8")
    lines = f"fpath=({functions} $fpath); autoload -Uz compinit; compinit -u -D; print $_comps[sandyk]"
    run = subprocess.run([need("zsh"), "-f", "-c", lines], capture_output=True, check=True, env={"HOME": str(folder)})
    assert run.stdout == b"_sandyk\n"


def test_at_a_terminal_it_says_where_the_script_goes_and_writes_nothing(folder: Path) -> None:
    child = pexpect.spawn(
        str(SCRIPT), ["completion", "fish"], cwd=str(folder), encoding="utf-8", timeout=60,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    child.expect(pexpect.EOF)
    assert "sandyk completion fish > ~/.config/fish/completions/sandyk.fish" in child.before
    assert "sees that sandyk was here" in child.before
    assert sorted(path.name for path in folder.iterdir()) == ["share one.age", "sub"]


def test_the_script_is_the_same_wherever_it_goes() -> None:
    run = subprocess.run([SCRIPT, "completion", "bash"], capture_output=True, check=True, env={"LC_ALL": "C"})
    assert run.stdout.decode() == script("bash")
    assert run.stderr == b""


def test_an_unknown_shell_is_refused() -> None:
    assert subprocess.run([SCRIPT, "completion", "tcsh"], capture_output=True).returncode == 2
