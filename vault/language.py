# SPDX-License-Identifier: Apache-2.0
"""Which language the program speaks.

Owns the choice (docs/decisions/0050-languages.md): ``--lang`` before ``SANDYK_LANG`` before what the system is set
to. Everything else is gettext's: modules take ``gettext.gettext`` as ``_``, and its global domain is ours once
``speak`` was called. English needs no catalogue, and gettext is told to look for none: else it would open whatever
``LANGUAGE`` and its like name, which may be a path. What is written to disk, sent to others or read by programs is
never translated. Imports next to nothing: the emergency wipe goes through here.
"""

from __future__ import annotations

import os
import sys

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
_NO_CATALOGUE = "C"
"""Of all languages this one alone has no catalogue (locale(7)); others may be paths (Lib/gettext.py, ``find``)."""


def later(text: str) -> str:
    """A text that is kept, sent or compared in English, and translated only where it is shown."""
    return text


def take_option(words: Iterable[str]) -> tuple[list[str], str | None]:
    """The words of a command line without ``--lang``, and what it names, unchecked: "" if nothing follows it.

    What follows ``--`` is left alone, and ``panic`` stays a word where a language should stand.
    """
    rest: list[str] = []
    named = None
    left = iter(words)
    for word in left:
        if word == "--":
            rest += [word, *left]
        elif word == OPTION or word.startswith(OPTION + "="):
            named = next(left, "") if word == OPTION else word[len(OPTION) + 1 :]
            if word == OPTION and named == "panic":  # a slip of the finger, which must not stop it
                rest.append(named)
        else:
            rest.append(word)
    return rest, named


def of_the_environment(environ: Mapping[str, str]) -> str:
    """What the environment asks for; English if that is nothing which the program speaks."""
    if environ.get(VARIABLE) in LANGUAGES:
        return environ[VARIABLE]
    asked = next((environ[name] for name in _OF_THE_SYSTEM if environ.get(name)), "") or _of_windows()
    for locale in asked.split(":"):
        language = locale.partition(".")[0].partition("@")[0].partition("_")[0].lower()
        if language in LANGUAGES:
            return language
    return ENGLISH


def _of_windows() -> str:
    """On Windows, where no such variables are set, the user's region as ``ky_KG``; nothing elsewhere."""
    if sys.platform != "win32":
        return ""
    try:
        import _locale  # built in: what ``locale`` asks, without the time that it takes to load

        return _locale._getdefaultlocale()[0] or ""
    except (ImportError, AttributeError):
        return ""


_promised: list[str] = []
_spoken = [ENGLISH]


def speak_when_asked(language: str) -> None:
    """``speak``, put off until ``said`` is called: the emergency wipe loads nothing for it before the keys die."""
    os.environ[VARIABLE] = language  # for the programs that this one starts
    _promised[:] = [language]


def speak_now() -> None:
    """Keep the promise of ``speak_when_asked``, if one was made."""
    if _promised:
        speak(_promised.pop())


def speak(language: str) -> None:
    """Have ``gettext.gettext`` answer in this language from now on; in English, if its catalogue cannot be read."""
    os.environ["LANGUAGE"] = _NO_CATALOGUE  # gettext(3) asks it first
    if language == ENGLISH:
        return
    import gettext

    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "locale")
    try:
        gettext.translation(DOMAIN, folder, [language])
    except Exception:  # whatever is wrong with a file of words
        return
    _spoken[:] = [language]
    os.environ["LANGUAGE"] = language
    gettext.bindtextdomain(DOMAIN, folder)
    gettext.textdomain(DOMAIN)


def spoken() -> str:
    """The language that is spoken."""
    return _spoken[0]


def said(text: str) -> str:
    """``gettext.gettext`` for modules that the emergency wipe loads: gettext is loaded when it is needed, if it is."""
    speak_now()
    if spoken() == ENGLISH:
        return text
    from gettext import gettext

    return gettext(text)
