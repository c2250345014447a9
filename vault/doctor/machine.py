# SPDX-License-Identifier: Apache-2.0
"""The judge of the machine and of how this program runs on it: memory, clock, terminal, libraries. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from gettext import gettext as _

from vault.doctor.finding import Finding, good, look, weak

FIRST_DAY_NS = 1_767_225_600 * 10**9
"""1 January 2026: this program is younger, so a clock that says less is wrong."""
_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What was seen. None: could not be found out, or this system has no such thing."""

    core_limit: int | None
    """Bytes that a crash dump of a program started here may have; -1 for no limit."""
    core_pattern: str | None
    """Where the kernel puts crash dumps (core(5)); a program behind a ``|`` gets them whatever the limit is."""
    ptrace_scope: int | None
    memory_lock: int | None
    """Bytes that a program may keep out of swap; -1 for no limit."""
    root: bool
    encoding: str
    """Of the terminal's letters."""
    now_ns: int
    newest_ns: int | None
    """When the newest file of the vault was changed."""
    in_memory: str | None
    """A place in memory for documents that are viewed."""
    changeable_by_others: bool | None
    """Whether others on this machine may change this program's code."""
    missing: tuple[tuple[str, str], ...]
    """Extras that are not installed, and what they are for."""
    tesseract: bool


def judge(facts: MachineFacts) -> Iterator[Finding]:
    """Each check's finding."""
    yield _core_dumps(facts.core_limit, facts.core_pattern)
    yield _tracing(facts.ptrace_scope)
    yield _memory_lock(facts.memory_lock)
    yield _root(facts.root)
    yield _program(facts.changeable_by_others)
    yield _clock(facts.now_ns, facts.newest_ns)
    yield _letters(facts.encoding)
    yield _view(facts.in_memory)
    yield from _extras(facts)


def _core_dumps(limit: int | None, pattern: str | None) -> Finding:
    why = _("a viewer that crashes leaves a copy of the document on the disk")
    if pattern is None:
        return look(
            "crash-dumps", _("whether crashed programs leave dumps could not be found out"), why,
            _("see the system's own settings"),
        )  # fmt: skip
    if pattern.startswith("|"):
        return look(
            "crash-dumps", _("the system hands crash dumps to a program, which may keep them"), why,
            _("have it keep none; with systemd: Storage=none in coredump.conf"),
        )  # fmt: skip
    if limit == 0 or not pattern:
        return good("crash-dumps", _("programs that are started from here leave no crash dumps"))
    return look(
        "crash-dumps", _("programs that are started from here may leave crash dumps"), why,
        _("put `ulimit -c 0` into the shell's start-up file; this program and what `view` starts do so by themselves"),
    )  # fmt: skip


def _tracing(scope: int | None) -> Finding:
    if scope:
        return good("tracing", _("programs may not look into the memory of others of yours (ptrace_scope)"))
    return look(
        "tracing", _("nothing was found that keeps your programs from looking into each other's memory"),
        _("a hostile program of yours can read a document out of its viewer; on Linux this one closes its memory"),
        _("on Linux: set kernel.yama.ptrace_scope to 1"),
    )  # fmt: skip


def _memory_lock(limit: int | None) -> Finding:
    if limit == -1:
        return good("memory-lock", _("this program may keep all of its memory out of swap"))
    return look(
        "memory-lock", _("this program may not keep all of its memory out of swap"),
        _("what commands have in memory may be swapped out; the agent's keys are kept apart from it"),
        _("have no bare swap; or raise the limit memlock to unlimited in limits.conf"),
    )  # fmt: skip


def _root(root: bool) -> Finding:
    if not root:
        return good("root", _("you are not working as the administrator"))
    return look(
        "root", _("you are working as the administrator (root)"),
        _("a hostile document that takes a viewer over has the whole machine"), _("work as an ordinary user"),
    )  # fmt: skip


def _program(changeable: bool | None) -> Finding:
    why = _("whoever changes it gets every passphrase that is typed")
    if changeable is None:
        return look(
            "program", _("whether others on this machine may change this program could not be found out"), why,
            _("install it for yourself, in a folder of your own"),
        )  # fmt: skip
    if changeable:
        return weak(
            "program", _("others on this machine may change this program"), why,
            _("install it for yourself, in a folder of your own with mode 0700"),
        )  # fmt: skip
    return good("program", _("others may not change this program's files, as far as their modes say"))


def _clock(now_ns: int, newest_ns: int | None) -> Finding:
    if now_ns < FIRST_DAY_NS or (newest_ns is not None and newest_ns > now_ns + _DAY_NS):
        return weak(
            "clock", _("the machine's clock is behind: the vault, or this program, is younger than it says"),
            _("the custody record tells when things were done by this clock"), _("set the clock"),
        )  # fmt: skip
    return good("clock", _("the clock is not behind the vault's files"))


def _letters(encoding: str) -> Finding:
    if encoding.lower().replace("-", "").replace("_", "") == "utf8":
        return good("letters", _("the terminal is set up for letters of every script"))
    return look(
        "letters", _("the terminal is set up for {encoding}").format(encoding=encoding or _("an unknown encoding")),
        _("names in other scripts show as escapes"), _("use a UTF-8 locale, such as LANG=en_US.UTF-8"),
    )  # fmt: skip


def _view(place: str | None) -> Finding:
    if place is not None:
        return good("view", _("documents can be viewed from memory alone, in {place}").format(place=place))
    return look(
        "view", _("no file system in memory was found for documents that are viewed"),
        _("`sandyk view --with` refuses, and copies in clear are made on the disk instead"),
        _("on Linux: mount a tmpfs on /dev/shm"),
    )  # fmt: skip


def _extras(facts: MachineFacts) -> Iterator[Finding]:
    if not facts.missing:
        yield good("extras", _("every optional part of the program is installed"))
    for name, purpose in facts.missing:
        yield look(
            "extras", _("the optional part {name} is not installed").format(name=name), purpose,
            _("if you need it: pip install 'sandyk[{name}]'").format(name=name),
        )  # fmt: skip
    if facts.tesseract:
        yield good("ocr", _("tesseract is installed, which reads pictures of texts for the search"))
    else:
        yield look(
            "ocr", _("tesseract was not found"), _("the search does not find words in pictures and scans"),
            _("if you need it, install tesseract with the languages that you read"),
        )  # fmt: skip
