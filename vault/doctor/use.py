# SPDX-License-Identifier: Apache-2.0
"""The judge of how a vault is used: who holds its keys now, whether the wipe is at hand, what waits. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from gettext import gettext as _

from keys.primitives import DEFAULT, Cost
from vault.counter import Counter
from vault.doctor.finding import Finding, good, look, weak


@dataclass(frozen=True, slots=True)
class UseFacts:
    """What was seen. None: could not be found out."""

    cost: Cost
    agents: int | None
    """Processes that hold the keys."""
    agent_since: str | None
    guard: str | None
    command: str | None
    """Where the shell finds `sandyk`."""
    panic_key: str | None
    """A file of settings in which a key calls the wipe."""
    histories: tuple[tuple[str, int], ...]
    """Histories of shells, and how many of their entries call this program."""
    drops: int | None
    counter: Counter
    left_over: tuple[str, ...]
    """Throw-away vaults of rehearsals that were interrupted, and views that were killed."""


def judge(facts: UseFacts) -> Iterator[Finding]:
    """Each check's finding."""
    yield _format(facts.cost)
    yield _agent(facts.agents, facts.agent_since)
    yield _guard(facts.guard)
    yield _command(facts.command)
    yield _panic_key(facts.panic_key)
    yield from _histories(facts.histories)
    yield _drops(facts.drops)
    yield _exports(facts.counter)
    yield _left_over(facts.left_over)


def _format(cost: Cost) -> Finding:
    if cost.memory_kib * cost.passes >= DEFAULT.memory_kib * DEFAULT.passes:
        return good("format", _("the vault is of format 1, the newest; guessing a passphrase costs what it should"))
    return look(
        "format",
        _("a try of a passphrase costs {kib} KiB and {passes} passes here, less than what new vaults ask").format(
            kib=cost.memory_kib, passes=cost.passes
        ),
        _("whoever copies the disk guesses faster"),
        _("use a generated passphrase, whose seven words are out of reach: sandyk journalist passwd"),
    )  # fmt: skip


def _agent(agents: int | None, since: str | None) -> Finding:
    if agents is None:
        return look(
            "agent", _("whether an agent holds the keys could not be found out"),
            _("while one does, whoever sits here reads what you can"), _("to be sure: sandyk lock"),
        )  # fmt: skip
    if not agents:
        return good("agent", _("no agent holds the keys"))
    text = (
        _("the vault is unlocked: an agent holds the keys since {since}").format(since=since)
        if since
        else _("the vault is unlocked: an agent holds the keys")
    )
    return look(
        "agent", text, _("while one does, whoever sits here reads what you can"), _("to forget them: sandyk lock")
    )


def _guard(guard: str | None) -> Finding:
    if guard is not None:
        return good("guard", _("a guard is watching: {what}").format(what=guard))
    return look(
        "guard", _("no guard is watching"), _("nothing locks the vault when a stick leaves or nobody works"),
        _("if you want one: sandyk guard"),
    )  # fmt: skip


def _command(path: str | None) -> Finding:
    if path is None:
        return weak(
            "wipe", _("the shell does not find `sandyk` by its name"),
            _("on the worst day `sandyk panic` must work wherever you are"),
            _("put its folder into PATH, then rehearse: sandyk panic --drill"),
        )  # fmt: skip
    return look(
        "wipe",
        _("the wipe is at hand: {path} panic. Whether you rehearsed it is written down nowhere").format(path=path),
        _("a hand that has not practised is slow"), _("if it was more than a month ago: sandyk drill"),
    )  # fmt: skip


def _panic_key(path: str | None) -> Finding:
    if path is not None:
        return good("panic-key", _("a key for the wipe seems to be set up, in {path}").format(path=path))
    return look(
        "panic-key", _("no key that calls the wipe was found in the settings of the desktops that are known"),
        _("typing takes seconds that you may not have"),
        _("the guide says how to set one up: docs/guide/en/panic-key.md"),
    )  # fmt: skip


def _histories(found: tuple[tuple[str, int], ...]) -> Iterator[Finding]:
    if not found:
        yield good("history", _("no shell history that was found has this program's commands"))
    for path, count in found:
        yield look(
            "history", _("{count} command(s) of this program stand in {path}").format(count=count, path=path),
            _("they tell names of cases, people and files to whoever reads the disk"),
            _("keep them out (bash, zsh: a space before the command, if set up), and take out those that are there; "
              "`sandyk panic --traces` does it after a wipe"),
        )  # fmt: skip


def _drops(waiting: int | None) -> Finding:
    if waiting is None:
        return look(
            "outbox", _("the outbox could not be looked into"), _("sealed files may wait there"), _("sandyk status")
        )
    if not waiting:
        return good("outbox", _("nothing waits in the outbox"))
    return look(
        "outbox", _("{count} sealed file(s) wait in the outbox").format(count=waiting),
        _("only what has left is safe from this machine's loss"), _("send them: sandyk status names them"),
    )  # fmt: skip


def _exports(counter: Counter) -> Finding:
    only_here = counter.filed - max(counter.sealed, counter.safe)
    if only_here > 0:
        return look(
            "exports", _("{count} document(s) were in no export yet, by the public counter").format(count=only_here),
            _("what is only here is lost with this machine, or by the wipe"),
            _("see which: sandyk list --only-here; seal them for an editor: sandyk export"),
        )  # fmt: skip
    if counter.safe < counter.filed:
        return look(
            "exports",
            _("{count} document(s) were exported, and no receipt came back").format(count=counter.filed - counter.safe),
            _("nobody knows whether they arrived"), _("ask the editor for a receipt: sandyk receipt take"),
        )  # fmt: skip
    return good("exports", _("everything that was filed is covered by receipts, by the public counter"))


def _left_over(paths: tuple[str, ...]) -> Finding:
    if not paths:
        return good("left-over", _("nothing of rehearsals or views that were killed lies about"))
    return weak(
        "left-over", _("left over by a rehearsal or a view that was killed: {paths}").format(paths=", ".join(paths)),
        _("a view's folder has a document in clear; a rehearsal's shows that this program is used"),
        _("views: sandyk lock; rehearsals: sandyk panic --vault FOLDER, for each folder that is named"),
    )  # fmt: skip
