# SPDX-License-Identifier: Apache-2.0
"""Which language the program speaks.

Owns the choice (docs/decisions/0050-languages.md): ``--lang`` before ``SANDYK_LANG`` before what the system is set
to. Everything else is gettext's: modules take ``gettext.gettext`` as ``_``, and its global domain is ours once
``speak`` was called. English needs no catalogue, so for English nothing is opened and nothing set. What is written
to disk, sent to others or read by programs is never translated. Imports nothing but ``os``: the emergency wipe goes
through here.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # the same as typing's, without its import
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ENGLISH = "en"
LANGUAGES = (ENGLISH, "ky", "ru", "uz")
OPTION = "--lang"
VARIABLE = "SANDYK_LANG"
DOMAIN = "sandyk"
_OF_THE_SYSTEM = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""As gettext(3) looks for them; the first that is set decides."""


class UnknownLanguage(Exception):
    """Raised when ``--lang`` names a language that the program does not speak. Its text is that name."""


def later(text: str) -> str:
    """A text that is kept, sent or compared in English, and translated only where it is shown."""
    return text


def take_option(words: Iterable[str]) -> tuple[list[str], str | None]:
    """The words of a command line without ``--lang``, and what it names; what follows ``--`` is left alone.

    Raises UnknownLanguage, also for a ``--lang`` that nothing follows.
    """
    rest: list[str] = []
    named = None
    left = iter(words)
    for word in left:
        if word == "--":
            rest += [word, *left]
        elif word == OPTION or word.startswith(OPTION + "="):
            named = next(left, "") if word == OPTION else word[len(OPTION) + 1 :]
            if named not in LANGUAGES:
                raise UnknownLanguage(named)
        else:
            rest.append(word)
    return rest, named


def of_the_environment(environ: Mapping[str, str]) -> str:
    """What the environment asks for; English if that is nothing which the program speaks."""
    if environ.get(VARIABLE) in LANGUAGES:
        return environ[VARIABLE]
    asked = next((environ[name] for name in _OF_THE_SYSTEM if environ.get(name)), "")
    for locale in asked.split(":"):
        language = locale.partition(".")[0].partition("@")[0].partition("_")[0].lower()
        if language in LANGUAGES:
            return language
    return ENGLISH


def speak(language: str) -> None:
    """Have ``gettext.gettext`` answer in this language from now on, and the programs that are started speak it."""
    os.environ[VARIABLE] = language
    if language == ENGLISH:
        return
    os.environ["LANGUAGE"] = language  # gettext(3) asks it first
    import gettext

    gettext.bindtextdomain(DOMAIN, os.path.join(os.path.dirname(os.path.abspath(__file__)), "locale"))
    gettext.textdomain(DOMAIN)
