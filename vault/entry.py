# SPDX-License-Identifier: Apache-2.0
"""The way in: decides, with the standard library's smallest modules, whether the rest has to be loaded at all.

``sandyk panic`` must not wait for a command-line framework, for cryptography or for a database; ``--version`` need
not. Owns what holds for every command: what Ctrl-C, a closed pipe and a defect of this program look like.
"""

from __future__ import annotations

import os
import sys

from vault import language
from vault.language import said as _
from vault.output import ERR, OUT, put

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""


def main() -> int:
    """The console script ``sandyk``. Returns the exit code."""
    argv, named = language.take_option(sys.argv[1:])
    sys.argv[1:] = argv
    os.umask(0o077)  # what is written is for its owner alone, also where somebody else's code creates the file
    panicking = first_word(argv) == "panic"
    # Put off, because nothing may be loaded for it before the keys are gone, and --version says nothing.
    language.speak_when_asked(named if named in language.LANGUAGES else language.of_the_environment(os.environ))
    try:
        if named is not None and named not in language.LANGUAGES and not panicking:
            return _unknown_language(named)
        code = _dispatch(argv, panicking=panicking)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        _say(_("interrupted: unless KEYS GONE was printed, run it again") if panicking else _("interrupted"))
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more at its end, and would complain (docs.python.org, signal, SIGPIPE).
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except Exception as exc:  # a defect of ours: where it is, and never what, because messages may quote evidence
        text = (
            _(
                "sandyk: a defect of this program stopped the command: {kind} in {where}; unless KEYS GONE was "
                "printed, run it again"
            )
            if panicking
            else _("sandyk: a defect of this program stopped the command: {kind} in {where}")
        )
        _say(text.format(kind=type(exc).__name__, where=where(exc)))
        return 1


def where(error: BaseException) -> str:
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f"{os.path.basename(at.tb_frame.f_code.co_filename)}, line {at.tb_lineno}" if at else "?"


def _say(text: str) -> None:
    put(ERR, f"{text}\n")


def _unknown_language(named: str) -> int:
    _say(_("sandyk: no such language: {language}").format(language=ascii(named)))
    _say(_("hint: --lang takes en, ky, ru or uz"))
    return 2


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

        put(OUT, f"sandyk {VERSION}\n")
        return 0
    language.speak_now()
    from vault.cli.app import run  # type: ignore[import-not-found,unused-ignore]

    code: object = run()
    return code if isinstance(code, int) else 0
