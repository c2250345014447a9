# SPDX-License-Identifier: Apache-2.0
"""Talking with a person at a terminal.

- What needs an answer goes to the terminal itself, never to standard output.
- What another program may read goes to standard output; everything else to standard error.
- A passphrase is read without echo into a buffer that is zeroed afterwards.
- Nothing depends on colour, and text from evidence is escaped before it gets here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC
from functools import cache
from gettext import gettext as _
from typing import BinaryIO

from keys.secret import Secret
from keys.words import normalise, normalise_new
from vault.errors import BadInput
from vault.language import ENGLISH, spoken
from vault.refusals import refusal

MAX_TYPED = 1024


class NoTerminal(BadInput):
    """Raised when a question has to be asked and nobody can answer."""


def say(text: str = "") -> None:
    """A line for the person, on standard error."""
    print(text, file=sys.stderr, flush=True)


def ask_passphrase(prompt: str = "", hint: str = "") -> Secret:
    """Ask for an existing passphrase. Raises NoTerminal with the hint, Malformed."""
    return normalise(_read_hidden(prompt or _("Passphrase: "), hint))


def ask_new_passphrase(generate: Callable[[], Secret], how_to_type: str) -> Secret:
    """Ask for a new passphrase, twice; an empty answer has one generated and shown once, with how to type it."""
    first = _read_hidden(_("New passphrase (press Enter and one is made for you): "))
    if not first:
        return _show_generated(generate(), how_to_type)
    new = normalise_new(first)
    if normalise(_read_hidden(_("The same once more: "))) != new:
        raise BadInput(_("the two passphrases differ"), _("nothing was changed; run the command again"))
    return new


def show_once(heading: str, secret: Secret, *below: str) -> None:
    """Show a secret on the terminal itself, never on standard output. Raises NoTerminal."""
    with _terminal() as (__, out):
        out.write(f"\n{heading}\n\n    ".encode() + secret.expose() + b"\n\n")
        out.write("".join(f"{line}\n" for line in below).encode())
        out.flush()


def expect_somebody(*hints: str) -> None:
    """Raises NoTerminal with the hints unless something can be shown to somebody."""
    with _terminal(*hints):
        return


def _show_generated(passphrase: Secret, how_to_type: str) -> Secret:
    show_once(
        _("Your passphrase:"),
        passphrase,
        _("Learn it by heart; it is not shown again, and nobody can recover it."),
        how_to_type,
    )
    for __ in range(5):
        if normalise(_read_hidden(_("Type it once, so that you know it is right: "))) == passphrase:
            return passphrase
        say(_("that is not it; try again"))
    raise BadInput(_("the passphrase was not repeated"), _("nothing was changed; run the command again"))


def ask(prompt: str, *hints: str) -> str:
    """Ask a question that may be seen; nothing when the terminal goes away. Raises NoTerminal with the hints."""
    return _asked(prompt, hints).decode("utf-8", "replace").strip()


def ask_and_erase(prompt: str, *hints: str) -> str:
    """Ask for what may be seen while it is typed, and not afterwards: where a terminal can, its line is erased.

    Raises NoTerminal with the hints, also when the terminal goes away or on Ctrl-D.
    """
    typed = _asked(prompt, hints)
    if not typed:
        raise NoTerminal(_("no answer was given"), *hints)
    text = typed.decode("utf-8", "replace").rstrip("\n")
    if os.name == "posix" and os.environ.get("TERM", "") not in ("", "dumb"):
        with _terminal(*hints) as (source, out):
            rows = -(-len(prompt + text) // max(1, os.get_terminal_size(source.fileno()).columns))
            out.write(f"\x1b[{rows}A\r\x1b[J".encode())  # cursor up, and erase below (ECMA-48, CUU and ED)
    return text.strip()


def _asked(prompt: str, hints: tuple[str, ...]) -> bytes:
    with _terminal(*hints) as (source, out):
        out.write(prompt.encode())
        out.flush()
        return source.readline(MAX_TYPED)


_YES = frozenset(("y", "yes", "д", "да", "da", "о", "ооба", "ooba", "h", "ha", "ҳа", "ха"))
"""Also as they are spelled on the other keyboard. A single letter counts in its own alphabet alone: н is no, and o is
where щ is."""


def confirm(prompt: str, *hints: str) -> bool:
    """Ask for yes or no; anything but a yes is a no. ``hints`` say what to do where nobody can be asked."""
    return means_yes(ask(_("{question} [y/N] ").format(question=prompt), *hints))


def means_yes(typed: str) -> bool:
    """Whether an answer is a yes, in any of the languages. A ``y`` is none in Uzbek, where no is *yo‘q*."""
    answer = typed.casefold()
    return answer in _YES and not (answer == "y" and spoken() == "uz")


def read_passphrase_file(path: str) -> Secret:
    """The first line of a file, or of standard input for ``-``. Raises BadInput, Malformed."""
    try:
        if path == "-":
            line = sys.stdin.buffer.readline(MAX_TYPED + 1)
        else:
            with open(path, "rb") as f:
                line = f.readline(MAX_TYPED + 1)
    except OSError as exc:
        raise BadInput(_("the passphrase file cannot be read: {reason}").format(reason=refusal(exc).lower())) from exc
    # Windows editors put a byte order mark in front; nobody would type one at a prompt.
    return normalise(_text(line.removeprefix(b"\xef\xbb\xbf")))


def _text(typed: bytes) -> str:
    if len(typed) > MAX_TYPED:
        raise BadInput(_("a passphrase has at most {max_typed} bytes").format(max_typed=MAX_TYPED))
    try:
        return typed.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise BadInput(_("the passphrase is not UTF-8 text")) from None


def _read_hidden(prompt: str, hint: str = "") -> str:
    hint = hint or _("in a script: --passphrase-file FILE, or - for standard input")
    with _terminal(hint) as (source, out), _without_echo(source):
        try:
            out.write(prompt.encode())
            out.flush()
            typed = source.readline(MAX_TYPED + 1)
        finally:
            out.write(b"\n")
            out.flush()
    if not typed:  # Ctrl-D, or the terminal went away: not the same as Enter, which may mean something
        raise NoTerminal(_("no answer was given"), _("nothing was changed"))
    return _text(typed)


@contextmanager
def _without_echo(source: BinaryIO) -> Iterator[None]:
    """While this lasts the terminal does not show what is typed. Raises NoTerminal."""
    if os.name == "nt":
        from vault import console

        with console.without_echo(source):
            yield
        return
    import termios

    fd = source.fileno()
    try:
        before = termios.tcgetattr(fd)
    except termios.error:
        raise NoTerminal(_("this is no terminal")) from None
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    try:
        termios.tcsetattr(fd, termios.TCSAFLUSH, silent)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSAFLUSH, before)


@contextmanager
def _terminal(*hints: str) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The controlling terminal, for reading and writing. Raises NoTerminal with the hints."""
    if os.name == "nt":
        from vault import console

        with ExitStack() as held:
            try:
                ends = held.enter_context(console.console())
            except OSError:
                raise NoTerminal(_("nobody is at the terminal to be asked"), *hints) from None
            yield ends
        return
    try:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        raise NoTerminal(_("nobody is at the terminal to be asked"), *hints) from None
    with os.fdopen(fd, "rb", buffering=0, closefd=False) as source, os.fdopen(fd, "wb", buffering=0) as out:
        yield source, out


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error that appears after a second, only at a terminal. Yields a function of (count, bytes)."""
    if not sys.stderr.isatty():
        yield lambda count, size: None
        return
    bar = _Bar(what, total)
    try:
        yield bar.advance
    finally:
        bar.stop()


class _Bar:
    def __init__(self, what: str, total: int | None) -> None:
        import time
        from threading import Lock

        self._showing = Lock()
        self._what, self._total, self._count, self._size = what, total, 0, 0
        self._clock = time.monotonic
        self._start = self._shown = self._clock()
        self._rich: object | None = None

    def advance(self, count: int, size: int) -> None:
        self._count += count
        self._size += size
        now = self._clock()
        if now - self._start < 1 or now - self._shown < 0.1:
            return
        self._shown = now
        if self._showing.acquire(blocking=False):  # several threads tell how far they are, and one shows it
            try:
                self._show()
            finally:
                self._showing.release()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        if self._rich is None:
            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
            self._rich = bar = Progress(*columns, console=Console(stderr=True), transient=True)
            bar.add_task(self._what, total=self._total)
            bar.start()
        assert isinstance(self._rich, Progress)
        self._rich.update(self._rich.task_ids[0], completed=self._size, description=f"{self._what} {self._count}")

    def stop(self) -> None:
        if self._rich is not None:
            with suppress(Exception):  # a terminal that went away must not turn a finished command into a failed one
                self._rich.stop()  # type: ignore[attr-defined]


def size_text(size: int) -> str:
    """A size for a person: 1536 is ``1.5 KiB``, in the words and with the decimal mark of the language."""
    bytes_, *units = _units(spoken())
    if size < 1024:
        return bytes_.format(number=size)
    value, place = size / 1024, 0
    while round(value, 1) >= 1024 and place + 1 < len(units):
        value, place = value / 1024, place + 1
    return units[place].format(number=_decimal(value))


@cache
def _units(_language: str) -> tuple[str, ...]:
    """Looked up once: gettext takes microseconds for each text, and a listing may have a million lines."""
    return _("{number} B"), _("{number} KiB"), _("{number} MiB"), _("{number} GiB"), _("{number} TiB")


def _decimal(value: float) -> str:
    if spoken() == ENGLISH:
        return f"{value:.1f}"
    from babel.numbers import format_decimal  # about 20 ms, which English need not wait for

    return str(format_decimal(value, format="0.0", locale=spoken()))


def span_text(seconds: int) -> str:
    """A span of time for a person, in the largest of hours, minutes and seconds that has no fraction."""
    if seconds and seconds % 3600 == 0:
        return _("{number} h").format(number=seconds // 3600)
    if seconds and seconds % 60 == 0:
        return _("{number} min").format(number=seconds // 60)
    return _("{number} s").format(number=seconds)


def time_text(ns: int | None) -> str:
    """A time for a person, in the machine's own time zone; ``-`` when unknown.

    Day, month and year with points between them, as they are written where Kyrgyz, Russian and Uzbek are spoken. Not
    by CLDR, whose short dates are two digits short there, or put the day before the month behind the year.
    """
    return _local(ns, "%Y-%m-%d %H:%M" if spoken() == ENGLISH else "%d.%m.%Y %H:%M")


def plain_time_text(ns: int | None) -> str:
    """The same in every language, for JSON and for documents that are handed on."""
    return _local(ns, "%Y-%m-%d %H:%M")


def _local(ns: int | None, form: str) -> str:
    from datetime import datetime

    if ns is None:
        return "-"
    try:
        return datetime.fromtimestamp(ns // 10**9, UTC).astimezone().strftime(form)
    except (OverflowError, ValueError, OSError):
        return "-"
