# SPDX-License-Identifier: Apache-2.0
"""Nothing is said to people that has not gone through gettext: found in the sources themselves."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*(ROOT / "keys").rglob("*.py"), *(ROOT / "vault").rglob("*.py")])
PROGRAMMING = {
    "ArithmeticError", "AssertionError", "AttributeError", "BlockingIOError", "EOFError", "Exit", "FileExistsError",
    "FileNotFoundError", "IsADirectoryError", "KeyError", "KeyboardInterrupt", "NotImplementedError", "OSError",
    "PermissionError", "RuntimeError", "SystemExit", "TypeError", "ValueError",
}  # fmt: skip
"""What is raised for this program's own mistakes, or to be caught before anybody sees it."""
ELSEWHERE = {
    "vault/receipt_proof.py": "a receipt in clear is for strangers, in one language",
    "vault/bundle_readme.py": "has its own languages, all of them in the bundle",
    "vault/catalogue.py": "has its own languages, all of them in the page",
}
"""Texts that are kept or handed on, not said."""
RECOGNISED = ("vault/cleaning/", "vault/extracting/", "vault/confined/")
"""What runs confined speaks English, and is recognised when it is shown: vault/overheard.py."""
KEPT = {
    "vault/refusals.py": "says them",
    "vault/sources.py": "asks only whether there are any",
    "vault/guard_kill.py": "keeps them in English until they are shown",
    "vault/agent/pipes.py": "hands them on in English, as the agent of other systems does",
}
"""Modules that speak, and look at the system's own words for an error all the same."""
SAID = {"say", "confirm", "ask", "ask_line", "ask_passphrase", "show_once", "expect_somebody", "progress", "complain"}
TEXT = re.compile(r"[A-Za-z]{2,}.*[A-Za-z]")


def literal(node: ast.AST) -> str | None:
    """A string that stands there as it is, an f-string with ``{}`` for its fields; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def bare(node: ast.AST) -> Iterator[str]:
    """The texts in an expression that no function has had in its hands: through choices, lists and joins."""
    text = literal(node)
    if text is not None:
        yield text
    elif isinstance(node, ast.IfExp):
        yield from bare(node.body)
        yield from bare(node.orelse)
    elif isinstance(node, ast.BoolOp | ast.Tuple | ast.List):
        for one in node.values if isinstance(node, ast.BoolOp) else node.elts:
            yield from bare(one)
    elif isinstance(node, ast.BinOp):
        yield from bare(node.left)
        yield from bare(node.right)
    elif isinstance(node, ast.Starred):
        yield from bare(node.value)
    elif isinstance(node, ast.ListComp | ast.GeneratorExp):
        yield from bare(node.elt)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        yield from bare(node.func.value)


def name_of(call: ast.Call) -> str:
    """What is called, without what it belongs to."""
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def said_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every bare text that is raised, asked, said or answered, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            if name_of(node.exc) not in PROGRAMMING:
                for argument in node.exc.args:
                    yield from ((node.lineno, text) for text in bare(argument))
        elif isinstance(node, ast.Call) and name_of(node) in SAID:
            for argument in node.args:
                yield from ((node.lineno, text) for text in bare(argument))
        elif isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg == "lines":
                    yield from ((node.lineno, text) for text in bare(keyword.value))


COMMAND = re.compile(r"sandyk( [a-z]+)+( --?[a-z-]+| [A-Z]+)*")


def is_prose(text: str) -> bool:
    """Whether there are words in it: fields, punctuation, the program's own name, and a command alone are none."""
    return not COMMAND.fullmatch(text) and bool(TEXT.search(re.sub(r"\{\}|^sandyk: |SHA-256|KEYS GONE", "", text)))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_said_goes_through_gettext(path: Path) -> None:
    where = path.relative_to(ROOT).as_posix()
    if where in ELSEWHERE or where.startswith(RECOGNISED):
        return
    bare_texts = [(line, text) for line, text in said_in(ast.parse(path.read_text("utf-8"))) if is_prose(text)]
    assert not bare_texts, "\n".join(f"{where}:{line}: {text!r}" for line, text in bare_texts)


SENTENCE = re.compile(r"(?:^|[^A-Za-z_])[a-z']+,? [a-z']+,? [a-z']+")
NOT_SAID = (
    ("keys/labels.py", "sandyk .* v1", "labels of derivations"),
    ("keys/share_text.py", "One share of a key", "stands in a file that is handed on"),
    ("vault/agent/lease.py", ".*", "why the agent ends, which nobody is told"),
    ("vault/catalogue_words.py", "(?s).*", "has its own languages, all of them in the page"),
    ("vault/cli/coercion.py", "Read the passphrase from", "help, gathered from the commands"),
    ("vault/cli/completion.py", "sandyk completion ", "a command to be typed"),
    ("vault/cli/completion_scripts.py", "(?s).*", "scripts for shells"),
    ("vault/cli/exits.py", ".*", "the table in docs/cli.md"),
    ("vault/cli/guard.py", "# Save as ", "a file for systemd"),
    ("vault/discard.py", "there is none", "compared, never shown"),
    ("vault/exported_custody.py", "clean copy of a document", "the custody record"),
    ("vault/lookups.py", "(?s).*", "SQL"),
    ("vault/index_file.py", "unable to open", "compared with what SQLite says"),
    ("vault/sqlcipher.py", "unable to open", "compared with what SQLite says"),
    ("vault/texts.py", "(?s).*", "SQL"),
    ("vault/manifest.py", "sandyk pack v1", "a format's name"),
    ("vault/opening.py", "age file, unsigned", "the custody record"),
    ("vault/repairing.py", "pack .* block", "the custody record"),
    ("vault/screen/leaving.py", "a defect of this program", "the name of a case, never shown"),
    ("vault/wiping.py", "remove the folder", "the same text again, as a key"),
    ("vault/working_copies.py", "clean copy of SHA-256", "the custody record"),
    ("vault/working_copies.py", "it is larger than", "recognised when it is shown: vault/overheard.py"),
)
"""Sentences that nobody is told: where, how they begin, and what they are."""
MARKS = {"_", "later", "Option", "Argument", "Typer", "compile"}


def sentences_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Texts of three words and more that stand in no call which marks them, or which is a programming error's."""
    above = {below: node for node in ast.walk(tree) for below in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        text, parent = literal(node), above.get(node)
        if (
            text is None
            or not SENTENCE.search(text)
            or isinstance(parent, ast.Expr | ast.JoinedStr | ast.FormattedValue)
        ):
            continue
        while parent is not None and not (isinstance(parent, ast.Call) and name_of(parent) in MARKS | PROGRAMMING):
            parent = above.get(parent)
        if parent is None:
            yield node.lineno, text


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_sentence_stands_anywhere_unmarked(path: Path) -> None:
    where = path.relative_to(ROOT).as_posix()
    if where in ELSEWHERE or where.startswith(RECOGNISED):
        return
    known = [begins for file, begins, _why in NOT_SAID if file == where]
    found = [
        (line, text)
        for line, text in sentences_in(ast.parse(path.read_text("utf-8")))
        if not any(re.match(begins, text) for begins in known)
    ]
    assert not found, "\n".join(f"{where}:{line}: {text!r}" for line, text in found)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_but_gettext_is_called_underscore(path: Path) -> None:
    """A throw-away variable of that name would take its place, in the middle of a function that says something."""
    tree = ast.parse(path.read_text("utf-8"))
    speaks = any(
        alias.asname == "_" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    )
    taken = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "_" and isinstance(node.ctx, ast.Store | ast.Del)
    ]
    assert not speaks or not taken, f"{path.relative_to(ROOT)}: lines {taken}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_words_of_the_system_are_not_said_in_english(path: Path) -> None:
    """A module that speaks has them from ``vault.refusals``. The emergency wipe translates them as it prints them."""
    where = path.relative_to(ROOT).as_posix()
    tree = ast.parse(path.read_text("utf-8"))
    speaks = any(isinstance(node, ast.ImportFrom) and node.module == "gettext" for node in ast.walk(tree))
    raw = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "strerror" and ast.unparse(node) != "os.strerror"
    ]
    assert not speaks or not raw or where in KEPT, f"{where}: lines {raw}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_text_is_translated_before_the_language_is_known(path: Path) -> None:
    """While a module is loaded: a constant is marked with ``later`` instead, and translated where it is shown."""
    early = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        parts: list[ast.AST] = []
        if isinstance(node, ast.Module | ast.ClassDef):
            parts += [one for one in node.body if not isinstance(one, ast.FunctionDef | ast.ClassDef)]
        elif isinstance(node, ast.FunctionDef):
            parts += [*node.args.defaults, *(one for one in node.args.kw_defaults if one), *node.decorator_list]
        early += [
            call.lineno
            for part in parts
            for call in ast.walk(part)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "_"
        ]
    assert not early, f"{path.relative_to(ROOT)}: lines {early}"


def test_the_rules_find_what_they_are_for() -> None:
    tree = ast.parse(
        'raise BadInput(f"nothing {x}", _("fine"))\n'
        'say("so it is" if a else _("fine"))\n'
        'answer(d, lines=[*(f"it has {n} things" for n in m)])\n'
        'raise ValueError("ours alone")\n'
        'say(f"{name}: {n}")\n'
    )
    found = {text for _line, text in said_in(tree) if is_prose(text)}
    assert found == {"nothing {}", "so it is", "it has {} things"}
