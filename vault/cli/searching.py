# SPDX-License-Identifier: Apache-2.0
"""`search` and `index`: documents by what they are called and by what is in them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from vault import kinds, overheard, terminal
from vault.cli import exits
from vault.cli.copies import say_what_does_not_hold
from vault.cli.evidence import item_document
from vault.cli.session import (
    JsonOption,
    PassphraseOption,
    TokenOption,
    VaultOption,
    answer,
    name_unusable,
    one_line,
    opened,
    shown_path,
    table,
    unusable_documents,
)
from vault.errors import BadInput
from vault.names import printable
from vault.terminal import say, size_text, time_text

if TYPE_CHECKING:
    from vault.cases import Case
    from vault.errors import VaultError
    from vault.indexing import Indexed
    from vault.searching import Backlog, Hit, Part, Results
    from vault.sources import Problem
    from vault.vaults import Vault

DEFAULT_LIMIT = 50
_DATE_LENGTH = len("2026-03-31")
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("search")(search)
    app.command("index")(index)


def search(
    words: Annotated[
        list[str],
        typer.Argument(metavar="WORD", help="Words that must all occur, each also as the beginning of a longer one."),
    ],
    case_name: Annotated[str | None, typer.Option("--case", metavar="CASE", help="Only in this case.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", metavar="TAG", help="Only with this tag; may be repeated.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help=f"Only documents of a kind: {', '.join(kinds.KINDS)}.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="Only filed on this day (YYYY-MM-DD) or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Only filed on this day (YYYY-MM-DD) or before.")
    ] = None,
    names_only: Annotated[bool, typer.Option("--names-only", help="Only in names, notes, sources and tags.")] = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Show so many documents.")] = DEFAULT_LIMIT,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find documents by their name, note, source or tag, and by what is in them.

    Capitals do not matter, nor ё or е, nor whether Uzbek is written in Latin or Cyrillic letters. Several words in
    quotes must stand together. In names, notes, sources and tags, words are also found inside of words. What is in
    documents is found once `sandyk index` has read them. What is typed here stays in the shell's history.
    """
    from vault.query import parse
    from vault.searching import Filters
    from vault.searching import search as search_cases

    query = parse(words)
    if kind is not None and kind not in kinds.KINDS:
        raise BadInput(
            _("there is no such type: {type}").format(type=printable(kind)),
            _("the types are {types}").format(types=", ".join(kinds.KINDS)),
        )
    filters = Filters(tuple(tag or ()), kind, _day(since), _day(until, 1))
    with opened(vault, passphrase_file, token) as unlocked:
        chosen, unusable = _cases(unlocked, case_name)
        found = search_cases(unlocked, chosen, query, filters=filters, limit=limit, names_only=names_only)
    answer(
        {
            "items": [_hit_document(hit) for hit in found.hits], "more": found.more,
            "unread": sum(one.unread for one in found.backlog), "waiting": sum(one.waiting for one in found.backlog),
            "failed": sum(one.failed for one in found.backlog),
            "unusable": unusable_documents([*unusable, *_ids_and_reasons(found.passed_over)]),
        },
        as_json=as_json,
        lines=_hit_lines(found, with_case=case_name is None),
    )  # fmt: skip
    _tell_what_is_missing(found.backlog, found.more, limit)
    _tell_of_passed_over(found.passed_over)
    name_unusable(unusable)
    if found.passed_over:
        raise typer.Exit(exits.PARTLY)


def _ids_and_reasons(passed_over: Iterable[tuple[Case, VaultError]]) -> list[tuple[bytes, str]]:
    return [(case.id, str(error)) for case, error in passed_over]


def _tell_of_passed_over(passed_over: Iterable[tuple[Case, VaultError]]) -> None:
    for case, error in passed_over:
        say(_("passed over: case {case}: {reason}").format(case=printable(case.name), reason=one_line(str(error))))
        _tell_hints(error.hints)


def _tell_hints(hints: Iterable[str]) -> None:
    for hint in hints:
        say(_("hint: {hint}").format(hint=one_line(hint)))


def _cases(unlocked: Vault, case_name: str | None) -> tuple[list[Any], list[Any]]:
    from vault.cases import find_case, list_cases

    return ([find_case(unlocked, case_name)], []) if case_name else list_cases(unlocked)


def _day(typed: str | None, later: int = 0) -> int | None:
    """The first nanosecond of a day, or so many days later, by the machine's own clock, as lists show times."""
    if typed is None:
        return None
    try:
        day = datetime.fromisoformat(typed) + timedelta(days=later)
        return int(day.timestamp()) * 10**9 if len(typed) == _DATE_LENGTH else _no_date(typed)
    except (ValueError, OverflowError, OSError):
        return _no_date(typed)


def _no_date(typed: str) -> NoReturn:
    raise BadInput(_("this is no date: {typed}").format(typed=printable(typed)), _("write it as 2026-03-31")) from None


def _hit_document(hit: Hit) -> dict[str, Any]:
    parts = [{"text": part.text, "match": part.match} for part in hit.snippet]
    return {"case": hit.case, **item_document(hit.item), "type": hit.kind, "found_in": hit.where, "snippet": parts}


def _hit_lines(found: Results, *, with_case: bool) -> list[str]:
    if not found.hits:
        return [_("nothing found")]
    rows = [
        (hit.item.id.hex()[:8], f"{size_text(hit.item.size):>10}", time_text(hit.item.filed_ns), hit.kind,
         *((printable(hit.case),) if with_case else ()), shown_path(hit.item.name))
        for hit in found.hits
    ]  # fmt: skip
    lines = []
    for hit, line in zip(found.hits, table(rows), strict=True):
        lines.append(line)
        if hit.where != "name" and hit.snippet:
            lines.append(f"    {_snippet(hit.snippet)}")
    return lines


def _snippet(parts: tuple[Part, ...]) -> str:
    """In one line, what was found in bold, or between marks where there is no terminal."""
    before, after = (_BOLD, _PLAIN) if sys.stdout.isatty() else ("«", "»")
    return "".join(f"{before}{printable(p.text)}{after}" if p.match else printable(p.text) for p in parts)


def _tell_what_is_missing(backlog: tuple[Backlog, ...], more: bool, limit: int) -> None:
    if more:
        say(_("there are more than {count}: say more words, or --limit").format(count=limit))
    for one in backlog:
        case = printable(one.case)
        if one.damaged:
            say(_("note: {case}: {reason}; what is in its documents was not searched").format(
                case=case, reason=one_line(one.damaged)))  # fmt: skip
            _tell_hints(one.hints)
        elif one.unread:
            say(_("note: {case}: {count} document(s) were not read yet: sandyk index").format(
                case=case, count=one.unread))  # fmt: skip
        if one.waiting:
            say(_("note: {case}: {count} document(s) show pictures that nobody read yet: install tesseract, "
                  "then sandyk index").format(case=case, count=one.waiting))  # fmt: skip
        if one.failed:
            say(_("note: {case}: {count} document(s) could not be read: sandyk index --again names them").format(
                case=case, count=one.failed))  # fmt: skip


def index(
    case_name: Annotated[str | None, typer.Argument(metavar="CASE", show_default=False, help="Only this case.")] = None,
    no_ocr: Annotated[bool, typer.Option("--no-ocr", help="Do not have tesseract read pictures.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also try documents again that could not be read.")] = False,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read documents, so that `sandyk search` finds what is in them.

    Those that were not read yet. Each is read in a process of its own without keys, which on Linux reaches no file and
    no network. Stop it whenever you like: it goes on where it was. The words are kept encrypted in the case, and go
    when its keys go, or when a document is removed.
    """
    from vault.cases import open_store
    from vault.errors import LibraryMissing, NotAllowed, VaultError, Wiped
    from vault.extracting.ocr import installed
    from vault.extracting.reader import Reader
    from vault.indexing import index_case
    from vault.searching import as_ours

    ocr = None if no_ocr else installed()
    done: list[Indexed] = []
    passed_over: list[tuple[Case, VaultError]] = []
    with opened(vault, passphrase_file, token) as unlocked, terminal.progress(_("reading")) as advance:
        chosen, unusable = _cases(unlocked, case_name)
        for case in chosen:
            try:
                with open_store(unlocked, case) as store:
                    if not store.writes:
                        raise NotAllowed(_("this medium cannot be written"), _("search finds what was read before"))
                    done.append(index_case(unlocked, case, store, lambda: Reader(ocr), again=again, progress=advance))
            except (Wiped, LibraryMissing, NotAllowed):
                raise  # the next one would say the same
            except (VaultError, OSError) as exc:
                if len(chosen) == 1:
                    raise
                passed_over.append((case, as_ours(exc)))
    document = {
        "cases": [
            {"case": one.case, "states": one.states, "problems": _problems(one.problems),
             "partly": _problems(one.partly)}
            for one in done
        ],
        "ocr": list(ocr.languages) if ocr else [],
        "unusable": unusable_documents([*unusable, *_ids_and_reasons(passed_over)]),
    }  # fmt: skip
    say_what_does_not_hold()
    answer(document, as_json=as_json, lines=[line for one in done for line in _indexed_lines(one)])
    for one in done:
        for problem in one.problems:
            reason = one_line(overheard.reason(problem.reason))
            say(_("not read: {name}: {reason}").format(name=shown_path(problem.name), reason=reason))
    _tell_of_passed_over(passed_over)
    name_unusable(unusable)
    if passed_over or any(one.problems for one in done):
        raise typer.Exit(exits.PARTLY)


def _problems(problems: tuple[Problem, ...]) -> list[dict[str, str]]:
    return [{"name": shown_path(problem.name), "reason": problem.reason} for problem in problems]


def _indexed_lines(one: Indexed) -> list[str]:
    from vault.extracting.answer import EMPTY, READ, WAITING

    lines = [
        _("{case}: {count} document(s) read").format(case=printable(one.case), count=one.states[READ]),
    ]
    if one.partly:
        lines.append(_("{count} of them only in part: --json says which, and why").format(count=len(one.partly)))
    if count := one.states[EMPTY]:
        lines.append(_("no text was found in {count} document(s)").format(count=count))
    if count := one.states[WAITING]:
        lines.append(_("{count} document(s) show pictures that only tesseract can read").format(count=count))
    return lines
