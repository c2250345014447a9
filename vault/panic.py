# SPDX-License-Identifier: Apache-2.0
"""The emergency wipe: the order in which a vault dies, and the command ``sandyk panic``.

Owns the sequence (docs/decisions/0007-emergency-wipe.md) and nothing else of it: ``wiping`` deletes, ``medium``
gathers facts, ``discard`` asks the file system to forget, ``report`` words what happened. It asks nothing, waits for no
lock, reads no database, opens no connection, and before the keys are gone it imports the standard library's smallest
modules only, because each millisecond of loading is one in which the door can be opened.

    (1) kill area of the keyring overwritten in place and synced       from here every interruption is fine
    (2) said so
    (3) what the file system says about the keyring's blocks           while there still is a keyring
    (4) the rest of the keyring, in place and synced
    (5) the kill area read back and compared; agents ended, a half in the TPM undefined     ``--keep`` ends here
    (6) rosters, books, access files, index headers overwritten; everything of ours deleted; keyring and VAULT last;
        ``--traces``: then this program's own traces outside the vault
    (7) reported, and only then the file system asked to flush and to discard, for a bounded time

Run again after an interruption it goes on where it was: VAULT goes last, so that a half wiped vault is still found.
"""

from __future__ import annotations

import os
import stat
import sys
import time

from keys.layout import KEYRING_SIZE
from vault.disk import Disk
from vault.killing import Kill, kill_keys, overwrite_rest, verify_killed
from vault.language import later
from vault.language import said as _
from vault.layout import COUNTER, HEADER, KEYRING
from vault.output import put
from vault.place import NoPlace, vault_folder

TYPE_CHECKING = False  # the same as typing's, without its import
if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.medium import Extents, Medium
    from vault.report import Report
    from vault.wiping import Tally


def _now() -> float:
    """Seconds on the clock that /proc counts a process's start on, where there is one."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


_LOADED = _now()

DONE, FAILED, USAGE, NO_VAULT = 0, 1, 2, 10
"""Exit codes, from the one table of docs/cli.md."""

_HEADER_START = b"sandyk vault "

HELP = later("""\
Usage: sandyk panic [--vault DIR] [--keep] [--traces] [--token tpm:INDEX]
                    [--json] [--now]
       sandyk panic --drill [--keep] [--json] [--vault DIR]

Make the vault unreadable at once: its keys first, then everything else. Asks
nothing.

  --vault DIR  the vault folder (else SANDYK_VAULT, else the user's data
               folder)
  --keep       stop after the keyring: overwrite it and leave everything in its
               place, so that the wiped vault looks like a locked one
  --traces     afterwards also remove this program's own traces outside the
               vault: lines of shell histories that call it, completions, what
               rehearsals left behind
  --token tpm:INDEX  once the keys are gone, undefine this outside half in the
               TPM; without it the one that SANDYK_TOKEN names, if --vault is
               not given
  --drill      rehearse on a throw-away vault made beside the real one, which
               is not touched
  --json       one JSON document on standard output
  --now        nothing more than without it; for key bindings
  --help       this text; nothing is destroyed

Exit codes: 0 all done, 1 something could not be done, 2 wrong usage (nothing
destroyed), 10 no vault here.
""")


class NoVaultHere(Exception):
    """Raised when neither VAULT, nor a keyring, nor remains of a vault lie in the folder. Nothing was touched."""


class WrongUsage(Exception):
    """Raised when the words after ``sandyk panic`` cannot be meant. Nothing was touched."""


class Arguments:
    """What ``sandyk panic`` was told."""

    __slots__ = ("drill", "help", "json", "keep", "token", "traces", "vault")

    def __init__(self) -> None:
        self.vault: str | None = None
        self.token: str | None = None
        self.keep = self.drill = self.json = self.help = self.traces = False


def panic(
    folder: str,
    *,
    keep: bool = False,
    disk: Disk | None = None,
    say: Callable[[str], None] = lambda _line: None,
    before_requests: Callable[[Report], None] = lambda _report: None,
    from_process_start: bool = False,
    discard: bool = True,
    traces: bool = False,
    half: str | None = None,
) -> Report:
    """Wipe the vault in ``folder`` and report. ``say`` is called once, as soon as the keys are gone (or could not be).

    A folder that is a link is followed (its vault is the one that ``--vault`` names), a keyring that is a link never.
    Times count from the call, or from the start of the process if ``from_process_start``. ``discard`` says whether
    the file system is asked to flush and forget afterwards, which may take seconds: ``before_requests`` gets the report
    as it is until then. With ``traces`` this program's own traces outside the vault go too. ``half`` names an outside
    half in the TPM (``tpm:0x01812345``) that goes too; "" when nobody knows whether there is one. Raises NoVaultHere,
    and nothing else that can be foreseen: what could not be done is in the report.
    """
    began = _now()
    disk = disk or Disk()
    disk.patience = 0  # what somebody has open stays open: the rest must not wait for it
    given, folder = folder, os.path.realpath(folder) if os.path.islink(folder) else folder
    if not _vault_here(folder):
        raise NoVaultHere(folder)
    keyring = os.path.join(folder, KEYRING)

    kill = kill_keys(disk, keyring)  # (1)
    milliseconds, counted_from = _elapsed(began, _now(), from_process_start)  # (2)
    say(_first_line(kill, milliseconds, counted_from, keep=keep))

    from vault import medium, wiping  # from here on there is time to load what is needed
    from vault.agent.process import mark_at

    tally, agents = wiping.Tally(), mark_at(keyring)
    extents, no_cow = medium.extents(keyring), medium.is_no_cow(keyring)  # (3)
    overwrite_rest(disk, keyring, kill, tally)  # (4)
    verify_killed(disk, keyring, kill)  # (5)
    beside = _beside(agents, half, tally)
    untrusted_counter = _read_counter(disk, folder)
    facts = _facts(folder, extents, no_cow)
    if not keep:
        wiping.clear(folder, disk, tally)  # (6)
        if kill.problem:  # a full file system that writes anew has room again
            kill = kill_keys(disk, keyring)
            milliseconds, counted_from = _elapsed(began, _now(), from_process_start)
            overwrite_rest(disk, keyring, kill, tally)
            verify_killed(disk, keyring, kill)
        wiping.finish(folder, disk, tally)
        if given != folder:
            wiping.unlink_link(given, disk, tally)

    gone = None
    if traces:
        from vault.traces import remove

        gone = remove(folder, disk)

    from vault import report

    def as_it_is(asked: tuple[tuple[str, str], ...]) -> Report:
        return report.make(
            kill=kill,
            keys_gone_ms=milliseconds,
            counted_from=counted_from,
            kept=keep,
            tally=tally,
            medium=facts,
            asked=(*beside, *asked),
            untrusted_counter=untrusted_counter,
            traces=gone,
        )

    if keep or not discard:
        return as_it_is(())
    before_requests(as_it_is(()))
    from vault.discard import ask

    return as_it_is(ask(facts))  # (7)


def run(argv: list[str]) -> int:
    """The command ``sandyk panic``: ``argv`` without the program's name. Returns the exit code."""
    try:
        arguments = parse(argv)
        folder = vault_folder(arguments.vault)
    except (WrongUsage, NoPlace) as error:
        put(2, _("error: {problem}\nhint: nothing was destroyed\nhint: sandyk panic --help\n").format(problem=error))
        return USAGE
    if arguments.help:
        put(1, _(HELP))
        return DONE
    if arguments.drill:
        from vault.drill import drill

        return drill(folder, keep=arguments.keep, json=arguments.json, say=lambda line: put(1, line + "\n"))
    return _wipe(folder, arguments)


def parse(argv: list[str]) -> Arguments:
    """Read the words after ``sandyk``. Raises WrongUsage for any that is not known, so that nothing is destroyed."""
    arguments, named = Arguments(), False
    words = iter(argv)
    for word in words:
        if word == "panic" and not named:
            named = True
        elif word == "--vault" or word.startswith("--vault="):
            value = word[len("--vault=") :] if "=" in word else next(words, "")
            if not value or (word == "--vault" and value.startswith("-")):
                raise WrongUsage(_("--vault needs a folder"))
            if arguments.vault is not None:
                raise WrongUsage(_("--vault is given twice"))
            arguments.vault = value
        elif word == "--token" or word.startswith("--token="):
            arguments.token = _half_named(word[len("--token=") :] if "=" in word else next(words, ""), arguments)
        elif word in ("--keep", "--drill", "--json", "--traces"):
            setattr(arguments, word[2:], True)
        elif word in ("--help", "-h"):
            arguments.help = True
        elif word != "--now":
            raise WrongUsage(_("panic does not know {word}").format(word=ascii(word)))
    if arguments.drill and (arguments.traces or arguments.token):
        raise WrongUsage(_("--traces and --token cannot be rehearsed"))
    return arguments


def _half_named(word: str, arguments: Arguments) -> str:
    """A word after ``--token``, for the shape alone: the tools need the number, a slip must destroy nothing."""
    digits = word[len("tpm:") :].lower().removeprefix("0x")
    if not word.startswith("tpm:") or not 0 < len(digits) <= 8 or digits.strip("0123456789abcdef"):
        raise WrongUsage(_("--token takes tpm:INDEX here; a half in a file is for you to take away"))
    if arguments.token is not None:
        raise WrongUsage(_("--token is given twice"))
    return word


def half_of(token: str | None, vault: str | None) -> str:
    """The half in the TPM to take away, from what was given for ``--token`` and ``--vault``: the one that was named,
    else that of one's usual vault; "" if not known."""
    usual = os.environ.get("SANDYK_TOKEN", "") if vault is None else ""
    named = usual if token is None else token
    return named if named.startswith("tpm:") else ""


def _wipe(folder: str, arguments: Arguments) -> int:
    def say(line: str) -> None:
        _ignore_interrupts()
        if not arguments.json:
            put(1, line + "\n")

    reported: list[Report] = []

    def before_requests(so_far: Report) -> None:
        from vault import report

        if not arguments.json:
            reported.append(so_far)
            put(1, report.as_text(so_far) + _(report.REQUESTS_FOLLOW))

    try:
        outcome = panic(
            folder,
            keep=arguments.keep,
            say=say,
            before_requests=before_requests,
            from_process_start=True,
            traces=arguments.traces,
            half=half_of(arguments.token, arguments.vault),
        )
    except NoVaultHere:
        from vault import report

        put(1, report.no_vault_json() if arguments.json else "")
        where = report.shown(folder)
        put(2, _("error: no vault in {folder}\nhint: nothing was touched\n").format(folder=where))
        return NO_VAULT
    from vault import report

    if arguments.json:
        put(1, report.as_json(outcome))
    else:
        put(1, report.as_text_since(reported[0], outcome) if reported else report.as_text(outcome))
    return FAILED if outcome.not_done else DONE


def _ignore_interrupts() -> None:
    """A closed terminal or a Ctrl-C after the keys are gone saves nothing: the rest may as well be finished."""
    import signal

    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _vault_here(folder: str) -> bool:
    """A VAULT that begins as ours do, or a keyring of the right size; failing both, files that only a vault has.

    Other people have files called VAULT and ``keyring``, and nothing of theirs may die because a folder was mistyped.
    """
    try:
        header = os.path.join(folder, HEADER)
        if stat.S_ISREG(os.lstat(header).st_mode):
            with open(header, "rb", buffering=0) as f:
                if f.read(len(_HEADER_START)) == _HEADER_START:
                    return True
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError:
        return os.path.isdir(folder)  # one that we may not look into: try, and report
    try:
        status = os.lstat(os.path.join(folder, KEYRING))
        if stat.S_ISREG(status.st_mode) and status.st_size == KEYRING_SIZE:
            return True
    except OSError:
        pass
    from vault.wiping import has_remains

    return has_remains(folder)


def _read_counter(disk: Disk, folder: str) -> bytes | None:
    try:
        return disk.read(os.path.join(folder, COUNTER), limit=4096)
    except OSError:
        return None


def _beside(agents: str | None, half: str | None, tally: Tally) -> tuple[tuple[str, str], ...]:
    from vault.beside import take_away

    try:
        return take_away(agents, half, tally)
    except Exception as error:  # whatever a strange /proc or tool answers, it must not stop the wipe
        tally.note(_("find what holds keys beside the disk: {kind}").format(kind=type(error).__name__))
        return ()


def _facts(folder: str, extents: Extents, no_cow: bool | None) -> Medium:
    from vault import medium

    try:
        return medium.gather(folder, extents, no_cow)
    except Exception:  # whatever a strange system shows in /proc or /sys, it must not stop the wipe
        return medium.nothing_known(extents, no_cow)


def _first_line(kill: Kill, milliseconds: float, counted_from: str, *, keep: bool) -> str:
    if kill.problem:
        text = (
            _("KEYS NOT OVERWRITTEN: {problem}. Nothing else is done, because of --keep: run it again without.")
            if keep
            else _("KEYS NOT OVERWRITTEN: {problem}. Going on with the rest.")
        )
        return text.format(problem=_(kill.problem))
    text = {
        "call": _("KEYS GONE within {milliseconds} ms: {kib} KiB overwritten in place and flushed."),
        "start": _(
            "KEYS GONE within {milliseconds} ms of this program's start: {kib} KiB overwritten in place and flushed."
        ),
        "loading": _(
            "KEYS GONE within {milliseconds} ms of this program's loading: {kib} KiB overwritten in place and flushed."
        ),
    }[counted_from]
    return text.format(milliseconds=f"{milliseconds:.0f}", kib=kill.size >> 10)


def _elapsed(began: float, at: float, from_process_start: bool) -> tuple[float, str]:
    """Milliseconds until ``at``, and since what. /proc rounds a start down to 10 ms, so no number is too small."""
    if not from_process_start:
        return (at - began) * 1000, "call"
    try:
        with open("/proc/self/stat", "rb") as f:  # proc(5): starttime is field 22, the 20th after the name's bracket
            ticks = int(f.read().rpartition(b")")[2].split()[19])
        started = ticks / os.sysconf("SC_CLK_TCK")
        if started <= at:
            return (at - started) * 1000, "start"
    except (OSError, ValueError, IndexError, AttributeError):
        pass
    return (at - _LOADED) * 1000, "loading"


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
