# SPDX-License-Identifier: Apache-2.0
"""The way in: decides, with the standard library's smallest modules, whether the rest has to be loaded at all.

``sandyk panic`` must not wait for a command-line framework, for cryptography or for a database; ``--version`` need
not. Owns what holds for every command: what Ctrl-C, a closed pipe and a defect of this program look like.
"""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""


def main() -> int:
    """The console script ``sandyk``. Returns the exit code."""
    argv = sys.argv[1:]
    os.umask(0o077)  # what is written is for its owner alone, also where somebody else's code creates the file
    panicking = first_word(argv) == "panic"
    try:
        code = _dispatch(argv, panicking=panicking)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        after = ": unless KEYS GONE was printed, run it again" if panicking else ""
        os.write(2, f"interrupted{after}\n".encode())
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more at its end, and would complain (docs.python.org, signal, SIGPIPE).
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except Exception as exc:  # a defect of ours: where it is, and never what, because messages may quote evidence
        after = "; unless KEYS GONE was printed, run it again" if panicking else ""
        _say(f"sandyk: a defect of this program stopped the command: {type(exc).__name__} in {_where(exc)}{after}\n")
        return 1


def _where(error: BaseException) -> str:
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f"{os.path.basename(at.tb_frame.f_code.co_filename)}, line {at.tb_lineno}" if at else "?"


def _say(text: str) -> None:
    try:
        os.write(2, text.encode("utf-8", "backslashreplace"))
    except OSError:
        return  # nobody listens


def first_word(argv: list[str]) -> str | None:
    """The command: the first word that is neither an option nor the folder after ``--vault``."""
    words = iter(argv)
    for word in words:
        if word == "--vault":
            next(words, None)
        elif word == "--":
            return None
        elif not word.startswith("-"):
            return word
    return None


def _dispatch(argv: list[str], *, panicking: bool) -> int:
    if panicking:
        from vault.panic import run as panic

        return panic(argv)
    if argv == ["--version"]:
        from vault.version import VERSION

        os.write(1, f"sandyk {VERSION}\n".encode())
        return 0
    from vault.cli.app import run  # type: ignore[import-not-found,unused-ignore]

    code: object = run()
    return code if isinstance(code, int) else 0
