# SPDX-License-Identifier: Apache-2.0
"""The arrows between the modules, held by reading every import statement."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("keys", "vault")
    for path in (ROOT / package).rglob("*.py")
}

JUDGES = ("vault.model", "vault.manifest", "vault.custody", "vault.padding", "vault.names", "vault.bagit", "keys.kdf",
          "vault.guard", "vault.whereabouts", "vault.agent.lease", "vault.timestamp",
          "vault.bundle_report", "vault.decoding", "vault.halfblocks", "vault.doctor.finding", "vault.doctor.place",
          "vault.doctor.machine", "vault.doctor.use")  # fmt: skip
"""Modules that decide from values alone."""
DOING = {"os", "io", "socket", "subprocess", "time", "pathlib", "shutil", "tempfile", "sqlcipher3", "vault.disk"}
NETWORK = {"socket", "ssl", "http", "urllib.request", "ftplib", "smtplib", "asyncio", "requests", "xmlrpc",
           "socketserver"}  # fmt: skip
SCREEN = "vault.screen"
"""Where Textual may be imported, and what one command alone loads."""
PARSERS = {"PIL", "pikepdf", "lxml", "pypdfium2", "olefile", "xlrd", "compressed_rtf"}
CONFINED = {f"vault.cleaning.{name}" for name in ("images", "small", "pixels", "pdf", "office", "office_xml",
                                              "package")}  # fmt: skip
CONFINED |= {f"vault.extracting.{name}" for name in ("job", "encodings", "markup", "packages", "office", "mail", "pdf",
                                                 "pictures", "found", "ole", "doc", "xls", "ppt", "msg", "rtf",
                                                 "blips")}  # fmt: skip
"""Modules that run in confined children (docs/decisions/0034-confined-cleaning.md, 0051-text-search.md)."""
TIMESTAMPING = "vault.timestamping"
"""The one module that may open a connection to another machine: when somebody asks for a time stamp."""
LOCAL_SOCKETS = "vault.agent.local"
"""The one module that may open a socket, to processes on the same machine only."""


def imports(module: str, *, top_level: bool = False) -> set[str]:
    """The modules that a module's source names in import statements."""
    tree = ast.parse(MODULES[module].read_bytes())
    nodes = tree.body if top_level else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{module} imports relatively"
            found |= {
                full if (full := f"{node.module}.{alias.name}") in MODULES else node.module for alias in node.names
            }
    return found


@pytest.mark.parametrize("module", sorted(m for m in MODULES if m.split(".")[0] == "keys"))
def test_keys_never_imports_vault(module: str) -> None:
    assert not {name for name in imports(module) if name.split(".")[0] == "vault"}


@pytest.mark.parametrize("module", JUDGES)
def test_judges_import_nothing_that_acts(module: str) -> None:
    acting = imports(module) & DOING
    # ``os.name`` and ``os.path`` tell names apart on Windows without touching a disk.
    assert acting <= ({"os"} if module == "vault.names" else set())


@pytest.mark.parametrize("module", sorted(MODULES))
def test_what_parses_hostile_documents_is_loaded_by_confined_children_only(module: str) -> None:
    """The libraries by these modules, and these modules by each other alone: a parent names them in a string."""
    parsing = {name for name in imports(module) if name.split(".")[0] in PARSERS or name in CONFINED}
    assert module in CONFINED or not parsing


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_module_can_open_a_network_connection(module: str) -> None:
    named = imports(module)
    network = (named | {name.split(".")[0] for name in named}) & NETWORK
    allowed = {LOCAL_SOCKETS: {"socket"}, TIMESTAMPING: {"http", "ssl", "urllib.request"}}
    assert network == allowed.get(module, set())


def test_the_one_module_with_a_network_is_imported_only_where_a_time_stamp_is_asked_for() -> None:
    """Inside of one function of the command line: no other command loads it, nor does `export` without the option."""
    importing = {module for module in MODULES if TIMESTAMPING in imports(module)}
    assert importing == {"vault.cli.stamps"}
    tree = ast.parse(MODULES["vault.cli.stamps"].read_bytes())
    where = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and f"from {TIMESTAMPING} import" in ast.unparse(node)
    }
    assert where == {"stamper"}
    elsewhere = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == TIMESTAMPING]
    assert elsewhere == []


def test_the_one_module_with_sockets_can_only_reach_this_machine() -> None:
    """It names nothing of ``socket`` but what Unix sockets take, and makes each socket with AF_UNIX."""
    tree = ast.parse(MODULES[LOCAL_SOCKETS].read_bytes())
    nodes = list(ast.walk(tree))
    calls = [node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) == "socket.socket"]
    assert len(calls) == 2
    assert {ast.unparse(call.args[0]) for call in calls} == {"socket.AF_UNIX"}
    used = {
        node.attr for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "socket"
    }
    assert used == {"socket", "AF_UNIX", "SOCK_STREAM", "SOL_SOCKET", "SO_PEERCRED"}
    # The name is never handed on, renamed or imported from in another way.
    names = [node for node in nodes if isinstance(node, ast.Name) and node.id == "socket"]
    attributes = [node for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "socket"]
    assert len(names) == len(attributes)
    imported = [ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [line for line in imported if "socket" in line] == ["import socket"]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_textual_is_loaded_by_the_screen_alone_and_the_screen_by_its_command_alone(module: str) -> None:
    if module == SCREEN or module.startswith(f"{SCREEN}."):
        return
    named = imports(module)
    assert not {name for name in named if name.split(".")[0] == "textual"}
    assert module == "vault.cli.browse" or not {name for name in named if name.startswith(SCREEN)}


@pytest.mark.parametrize("module", sorted(m for m in MODULES if not m.startswith("vault.cli")))
def test_nothing_below_the_command_line_knows_it(module: str) -> None:
    allowed = {"vault.cli.app"} if module == "vault.entry" else set()
    named = {name for name in imports(module) if name.startswith("vault.cli") or name.split(".")[0] == "typer"}
    assert named <= allowed


@pytest.mark.parametrize("module", sorted(m for m in MODULES if m.startswith("vault.cli")))
def test_the_command_line_does_no_cryptography_and_reads_no_packs(module: str) -> None:
    low = {"keys.age", "keys.primitives", "vault.pack", "vault.manifest", "vault.tar", "sqlcipher3", "nacl"}
    assert not imports(module) & low
    assert not {name for name in imports(module) if name.split(".")[0] == "cryptography"}


def everything_panic_imports() -> set[str]:
    """All modules of ours that ``vault.panic`` reaches, now or later in its run."""
    seen: set[str] = set()
    waiting = ["vault.panic", "vault.entry"]
    while waiting:
        module = waiting.pop()
        if module in seen or module not in MODULES:
            continue
        seen.add(module)
        waiting += [name for name in imports(module) if not name.startswith("vault.cli")]
    return seen


def test_panic_reaches_nothing_outside_the_standard_library() -> None:
    outside = {
        name.split(".")[0]
        for module in everything_panic_imports()
        for name in imports(module)
        if not name.startswith("vault.cli")
    } - {"vault", "keys"}
    assert outside <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("package", ["keys", "vault", "vault.cli"])
def test_importing_a_package_imports_nothing_heavy(package: str) -> None:
    assert imports(package, top_level=True) <= {"__future__"}


EACH_FIRST = """
import contextlib, importlib, json, os, sys
ours, theirs = json.loads(sys.argv[1])
for name in theirs:
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
for name in ours:
    if os.fork() == 0:
        try:
            importlib.import_module(name)
        except ImportError as exc:  # a library that is not here, or a module that is for another system and says so
            if str(exc) and (exc.name or "vault").split(".")[0] in ("keys", "vault"):
                print(name, repr(exc))
        sys.stdout.flush()
        os._exit(0)
    os.wait()
"""
"""Each of our modules in a process that has loaded none of them yet, but what others wrote."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_every_module_can_be_the_first_that_is_loaded() -> None:
    """Which comes first hangs on the command, and no two may wait for each other."""
    ours = sorted(module for module in MODULES if not module.endswith(".__main__"))
    theirs = {name for module in ours for name in imports(module)} - set(MODULES)
    done = subprocess.run(
        [sys.executable, "-c", EACH_FIRST, json.dumps([ours, sorted(theirs)])], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_module_says_what_it_owns(module: str) -> None:
    source = MODULES[module].read_text()
    assert source.startswith("# SPDX-License-Identifier: Apache-2.0\n")
    assert ast.get_docstring(ast.parse(source))
