# SPDX-License-Identifier: Apache-2.0
"""``sandyk`` before anything heavy is loaded: the emergency wipe as a command, the version, pipes and interrupts."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.fake_vault import blocks_changed, files_in, make_fake_vault
from vault.entry import first_word
from vault.version import VERSION

BEFORE_THE_KEYS_ARE_GONE = {
    "vault", "vault.entry", "vault.language", "vault.panic", "vault.killing", "vault.place", "vault.disk",
    "vault.layout", "vault.output", "keys", "keys.layout",
}  # fmt: skip
IN_ALL = BEFORE_THE_KEYS_ARE_GONE | {
    "vault.medium", "vault.wiping", "vault.discard", "vault.report", "vault.counter", "vault.beside", "vault.nv",
    "vault.agent", "vault.agent.process", "vault.agent.runtime", "vault.agent.protocol", "vault.errors",
    "vault.view_sweep", "vault.view_places", "vault.refusals", "vault.windows_files",
}  # fmt: skip
SLOW = {
    "argparse", "contextlib", "ctypes", "dataclasses", "enum", "gettext", "json", "pathlib", "re", "secrets", "typing",
}  # fmt: skip
"""Modules of the standard library that cost a millisecond or more each."""


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "vault")


def sandyk(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "vault", *words], capture_output=True, text=True, **more)  # type: ignore[call-overload,no-any-return]


def loaded_in_a_fresh_process(code: str, *arguments: str) -> dict[str, set[str]]:
    """Run code that prints a JSON object of module lists."""
    run = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return {name: set(modules) for name, modules in json.loads(run.stdout.splitlines()[-1]).items()}


MODULES_UNTIL_SAID = """
import sys
start = set(sys.modules)
from vault.entry import first_word
from vault.panic import panic, parse, vault_folder
loaded = {}
panic(vault_folder(parse(["panic", "--vault", sys.argv[1]]).vault), discard=False, from_process_start=True,
      say=lambda line: loaded.update(before=set(sys.modules) - start))
loaded["all"] = set(sys.modules) - start
import json
print(json.dumps({name: sorted(modules) for name, modules in loaded.items()}))
"""

MODULES_OF_THE_COMMAND = """
import os, sys
start = set(sys.modules)
sys.argv[0] = "sandyk"
from vault.entry import main
code = main()
modules = sorted(set(sys.modules) - start)
import json
print()
print(json.dumps({"all": modules, "code": [str(code)]}))
"""


def test_until_the_keys_are_gone_almost_nothing_is_loaded(folder: str) -> None:
    make_fake_vault(folder)
    loaded = loaded_in_a_fresh_process(MODULES_UNTIL_SAID, folder)
    ours = {name for name in loaded["before"] if name.partition(".")[0] not in sys.stdlib_module_names}
    assert ours == BEFORE_THE_KEYS_ARE_GONE
    assert not loaded["before"] & SLOW


@pytest.mark.parametrize("options", [(), ("--json",), ("--keep",)])
def test_the_whole_wipe_loads_nothing_outside_the_standard_library(folder: str, options: tuple[str, ...]) -> None:
    make_fake_vault(folder)
    loaded = loaded_in_a_fresh_process(MODULES_OF_THE_COMMAND, "panic", *options, "--vault", folder)
    assert loaded["code"] == {"0"}
    assert {name for name in loaded["all"] if name.partition(".")[0] not in sys.stdlib_module_names} <= IN_ALL


def test_the_version_is_told_without_loading_the_command_line(folder: str) -> None:
    loaded = loaded_in_a_fresh_process(MODULES_OF_THE_COMMAND, "--version")
    assert {name for name in loaded["all"] if name.partition(".")[0] not in sys.stdlib_module_names} == {
        "vault", "vault.entry", "vault.language", "vault.output", "vault.version",
    }  # fmt: skip
    assert sandyk("--version").stdout == f"sandyk {VERSION}\n"


def test_the_version_is_the_packages() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["version"] == VERSION


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], None),
        (["panic"], "panic"),
        (["--vault", "x", "panic"], "panic"),
        (["--vault=x", "--json", "panic", "--now"], "panic"),
        (["--vault", "panic"], None),
        (["--vault", "panic", "list"], "list"),
        (["add", "case", "panic"], "add"),
        (["--", "panic"], None),
    ],
)
def test_the_command_is_the_first_word_that_is_no_option(argv: list[str], expected: str | None) -> None:
    assert first_word(argv) == expected


def test_panic_says_first_that_the_keys_are_gone_and_leaves_nothing(folder: str) -> None:
    make_fake_vault(folder)
    run = sandyk("--vault", folder, "panic", "--now")
    assert run.returncode == 0
    assert run.stdout.startswith("KEYS GONE within ")
    assert "the counter says 14 documents filed here, 12 of them sealed" in run.stdout
    assert "can be a crime" in run.stdout
    assert run.stderr == ""
    assert not os.path.lexists(folder)


def test_the_environment_names_the_vault(folder: str) -> None:
    make_fake_vault(folder)
    assert sandyk("panic", env={**os.environ, "SANDYK_VAULT": folder}).returncode == 0
    assert not os.path.lexists(folder)


@pytest.mark.parametrize(
    "words",
    [
        ["panic", "--yes"],
        ["panic", "now"],
        ["panic", "--keep=1"],
        ["panic", "panic"],
        ["--verbose", "panic"],
        ["panic", "--vault"],
        ["panic", "-k"],
        ["panic", ""],
        ["panic", "--", "--keep"],
        ["panic", "--help", "--nonsense"],
    ],
)
def test_words_that_are_not_known_destroy_nothing(folder: str, words: list[str]) -> None:
    before = make_fake_vault(folder)
    run = sandyk(*words, env={**os.environ, "SANDYK_VAULT": folder})
    assert run.returncode == 2
    assert run.stdout == ""
    assert "hint: nothing was destroyed" in run.stderr
    assert files_in(folder) == before


def test_help_destroys_nothing(folder: str) -> None:
    before = make_fake_vault(folder)
    run = sandyk("panic", "--vault", folder, "--help", "--now")
    assert run.returncode == 0
    assert run.stdout.startswith("Usage: sandyk panic")
    assert files_in(folder) == before


def test_where_there_is_no_vault_the_exit_code_says_so(tmp_path: Path) -> None:
    run = sandyk("panic", "--vault", str(tmp_path))
    assert run.returncode == 10
    assert run.stdout == ""
    assert run.stderr.startswith("error: no vault in ")
    assert json.loads(sandyk("panic", "--json", "--vault", str(tmp_path)).stdout)["keys_gone"] is False


def test_json_is_one_document_with_the_documented_names(folder: str) -> None:
    make_fake_vault(folder)
    Path(folder, "strange\x1b[31m.txt").write_bytes(b"x")
    run = sandyk("panic", "--json", "--vault", folder)
    document = json.loads(run.stdout)
    assert run.returncode == 0
    assert set(document) == {
        "keys_gone", "keys_gone_ms", "counted_from", "verified", "past_the_cache", "kept", "destroyed", "done_as_well",
        "not_done", "best_effort_not_done", "medium", "abroad", "left_behind", "traces_removed",
    }  # fmt: skip
    assert (document["keys_gone"], document["verified"], document["kept"]) == (True, True, False)
    assert document["counted_from"] == "start"
    assert 0 < document["keys_gone_ms"] < 60_000
    assert document["destroyed"]["packs"] == 2
    assert document["left_behind"] == ["strange\\x1b[31m.txt"]


def test_what_could_not_be_done_makes_the_exit_code_1(folder: str) -> None:
    make_fake_vault(folder)
    os.unlink(f"{folder}/keyring")
    run = sandyk("panic", "--vault", folder)
    assert run.returncode == 1
    assert run.stdout.startswith("KEYS NOT OVERWRITTEN: there is no keyring file here.")
    assert "COULD NOT BE DONE:" in run.stdout


def test_nobody_listening_stops_nothing(folder: str) -> None:
    """Standard output is a pipe that nobody reads any more."""
    make_fake_vault(folder)
    reader, writer = os.pipe()
    os.close(reader)
    run = subprocess.run([sys.executable, "-m", "vault", "panic", "--vault", folder], stdout=writer, stderr=writer)
    os.close(writer)
    assert run.returncode == 0
    assert not os.path.lexists(folder)


def test_without_any_standard_streams_the_vault_dies_all_the_same(folder: str) -> None:
    make_fake_vault(folder)
    command = 'exec "$0" -m vault panic --vault "$1" <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", command, sys.executable, folder]).returncode == 0
    assert not os.path.lexists(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_an_interrupt_after_the_keys_are_gone_does_not_stop_the_rest(folder: str, number: int) -> None:
    make_fake_vault(folder)
    with subprocess.Popen([sys.executable, "-m", "vault", "panic", "--vault", folder], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline().startswith(b"KEYS GONE")
        run.send_signal(number)
        run.stdout.read()
    assert run.returncode == 0
    assert not os.path.lexists(folder)


def test_the_vault_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xd1\x81\xff\n -x")
    make_fake_vault(folder)
    run = sandyk("panic", f"--vault={folder}", env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"})
    assert (run.returncode, run.stderr) == (0, "")
    assert not os.path.lexists(folder)


def test_a_relative_folder_is_found_from_where_one_is(folder: str) -> None:
    make_fake_vault(folder)
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    assert sandyk("panic", "--vault", "vault", cwd=os.path.dirname(folder), env=env).returncode == 0
    assert not os.path.lexists(folder)


@pytest.mark.parametrize("options", [(), ("--keep",)])
def test_a_drill_passes_and_leaves_the_real_vault_and_nothing_else(folder: str, options: tuple[str, ...]) -> None:
    before = make_fake_vault(folder)
    run = sandyk("panic", "--drill", *options, "--vault", folder)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "  | KEYS GONE within" in run.stdout
    assert "ms after the program was started" in run.stdout
    assert run.stdout.endswith("DRILL PASSED\n")
    assert files_in(folder) == before
    assert os.listdir(os.path.dirname(folder)) == ["vault"]


def test_a_drill_needs_no_vault_and_tells_its_times_as_json(tmp_path: Path) -> None:
    run = sandyk("panic", "--drill", "--json", "--vault", str(tmp_path / "not/yet/there"))
    document = json.loads(run.stdout)
    assert set(document) == {
        "drill", "passed", "spawn_to_keys_gone_ms", "whole_ms", "exit_code", "removed", "error",
    }  # fmt: skip
    assert (run.returncode, document["passed"], document["removed"]) == (0, True, True)
    assert 0 < document["spawn_to_keys_gone_ms"] <= document["whole_ms"]
    assert os.listdir(tmp_path) == []


def test_a_drill_that_cannot_be_made_fails_in_words(tmp_path: Path) -> None:
    if not os.path.isdir("/proc"):
        pytest.skip("needs a folder in which nothing can be made")
    run = sandyk("panic", "--drill", "--vault", "/proc/vault")
    assert run.returncode == 1
    assert "DRILL FAILED" in run.stdout
    assert run.stderr == ""


def test_keep_as_a_command_leaves_what_looks_like_a_locked_vault(folder: str) -> None:
    before = make_fake_vault(folder)
    run = sandyk("panic", "--keep", "--vault", folder)
    after = files_in(folder)
    assert run.returncode == 0
    assert "Everything else was left in its place" in run.stdout
    assert blocks_changed(before.pop("keyring"), after.pop("keyring"))
    assert after == before


def test_the_console_script_is_this_program(folder: str) -> None:
    script = Path(sys.executable).parent / "sandyk"
    if not script.exists():
        pytest.skip("the package is not installed")
    make_fake_vault(folder)
    run = subprocess.run([script, "panic", "--vault", folder], capture_output=True, text=True)
    assert run.returncode == 0
    assert not os.path.lexists(folder)
