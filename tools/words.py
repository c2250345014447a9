# SPDX-License-Identifier: Apache-2.0
"""Gathers every text that people are shown, and brings the catalogues up to date: ``make words``.

Writes ``vault/locale/sandyk.pot``, then each language's ``sandyk.po`` and the ``sandyk.mo`` that is compiled from it.
The same sources give the same bytes: no date, no version, no line number is written. A translation whose English text
went away stays at the end of its file as obsolete, and comes back with that text. See docs/translating.md.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
LOCALE = ROOT / "vault" / "locale"
TEMPLATE = LOCALE / "sandyk.pot"
DOMAIN = "sandyk"
LANGUAGES = ("ky", "ru", "uz")
KEYWORDS: dict[str, Any] = {"_": None, "later": None}
COMMENT = "TRANSLATORS:"

_NO_TIME = datetime(2026, 1, 1, tzinfo=UTC)
"""Catalogues have to say when they were made. Git knows."""
_SAID = ("Project-Id-Version", "Language", "MIME-Version", "Content-Type", "Content-Transfer-Encoding")
_HEADER = """\
# Texts of Sandyk. SPDX-License-Identifier: Apache-2.0
# How to translate them: docs/translating.md.
#"""


class Plain(Catalog):
    """A catalogue whose header says nothing that changes by itself."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        """Babel's, without versions, times and addresses."""
        return [(name, value) for name, value in super().mime_headers if name in _SAID]


def gathered() -> Catalog:
    """Every text, in the order of the sources, with the files and commands that it comes from."""
    template = _plain(None)
    for path in sorted([*(ROOT / "keys").rglob("*.py"), *(ROOT / "vault").rglob("*.py")]):
        where = path.relative_to(ROOT).as_posix()
        for _line, text, comments, _context in extract_from_file(
            "python", str(path), keywords=KEYWORDS, comment_tags=(COMMENT,), strip_comment_tags=True
        ):
            if isinstance(text, str) and text:
                _add(template, text, where, tuple(comments))
    for where, text in help_texts():
        _add(template, text, where, ())
    return template


def help_texts() -> Iterator[tuple[str, str]]:
    """What the commands' help says beside its headings, with the command."""
    from typer.main import get_command

    from vault.cli.app import app
    from vault.cli.help import paragraphs

    def walk(command: Any, name: str) -> Iterator[tuple[str, str]]:
        for text in paragraphs(command.help or ""):
            yield name, text
        for parameter in command.params:
            if getattr(parameter, "help", None):
                yield name, " ".join(parameter.help.split())
            if parameter.metavar and re.search("[A-Za-z]{2}", parameter.metavar):
                yield name, parameter.metavar
        for below in getattr(command, "commands", {}).values():
            yield from walk(below, f"{name}-{below.name}")

    yield from walk(get_command(app), "sandyk")


def translated(language: str, template: Catalog, before: Catalog | None) -> Catalog:
    """The template's texts with the translations that there are."""
    catalogue = _plain(language)
    known: dict[str, Message] = {}
    if before is not None:
        known = {str(m.id): m for m in [*before.obsolete.values(), *before] if m.id and m.string}
    for message in template:
        if message.id:
            said = known.pop(str(message.id), None)
            catalogue.add(
                message.id, said.string if said else "", message.locations, said.flags if said else (),
                message.auto_comments, said.user_comments if said else (),
            )  # fmt: skip
            catalogue[message.id].flags -= {"python-format", "python-brace-format"}
    catalogue.obsolete.update(sorted(known.items()))
    return catalogue


def as_po(catalogue: Catalog) -> bytes:
    """A catalogue as a file for translators: one line a text, and where it comes from without line numbers."""
    out = io.BytesIO()
    write_po(out, catalogue, width=0, include_lineno=False)
    return out.getvalue()


def as_mo(catalogue: Catalog) -> bytes:
    """A catalogue as gettext reads it."""
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def files(languages: Sequence[str] = LANGUAGES) -> dict[Path, bytes]:
    """The template and these languages' files, as they should be."""
    template = gathered()
    wanted = {TEMPLATE: as_po(template)}
    for language in languages:
        place = LOCALE / language / "LC_MESSAGES"
        catalogue = translated(language, template, _read(place / "sandyk.po", language))
        wanted[place / "sandyk.po"] = as_po(catalogue)
        wanted[place / "sandyk.mo"] = as_mo(catalogue)
    return wanted


def _read(path: Path, language: str) -> Catalog | None:
    if not path.exists():
        return None
    with path.open("rb") as f:
        return read_po(f, locale=language)


def _plain(language: str | None) -> Catalog:
    return Plain(
        locale=language, project="sandyk", version="1", header_comment=_HEADER, charset="utf-8", fuzzy=False,
        creation_date=_NO_TIME, revision_date=_NO_TIME,
    )  # fmt: skip


def _add(template: Catalog, text: str, where: str, comments: tuple[str, ...]) -> None:
    known = template.get(text)
    if known is None:
        template.add(text, locations=[(where, 1)], auto_comments=comments)
        template[text].flags -= {"python-format", "python-brace-format"}
        return
    if where not in [file for file, _line in known.locations]:
        known.locations.append((where, 1))
    known.auto_comments += [comment for comment in comments if comment not in known.auto_comments]


def main() -> int:
    """Write what is not as it should be; with ``--check`` only name it, and what is not translated."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--language", choices=LANGUAGES, action="append", help="only this one, and the template")
    arguments = parser.parse_args()
    check, languages = arguments.check, arguments.language or LANGUAGES
    sys.path.insert(0, str(ROOT))
    wanted = files(languages)
    stale = [path for path, data in wanted.items() if not path.exists() or path.read_bytes() != data]
    for path in stale:
        if check:
            print(f"not up to date: {path.relative_to(ROOT)}")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".new")  # nobody who gathers at the same time reads half a file
        beside.write_bytes(wanted[path])
        beside.replace(path)
    for language in languages:
        catalogue = _read(LOCALE / language / "LC_MESSAGES" / "sandyk.po", language)
        texts = [message for message in catalogue or () if message.id]
        missing = sum(not message.string or message.fuzzy for message in texts)
        print(f"{language}: {len(texts) - missing} of {len(texts)} texts are translated")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
