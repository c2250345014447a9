# SPDX-License-Identifier: Apache-2.0
"""`add`, `drop`, `list`, `show` and `get`: documents in and out."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault import terminal
from vault.cli import exits
from vault.cli.cards import read_card
from vault.cli.session import (
    JsonOption,
    PassphraseOption,
    TokenOption,
    VaultOption,
    answer,
    name_unusable,
    one_line,
    opened,
    read_text,
    shown_path,
    table,
    unusable_documents,
)
from vault.cli.streaming import print_json, print_lines
from vault.cli.wildcards import expanded
from vault.errors import BadInput, DamagedPack
from vault.names import printable
from vault.terminal import say, size_text, time_text

if TYPE_CHECKING:
    from vault import filing
    from vault.cases import Case
    from vault.ledger import Entry, Ledger
    from vault.model import Item
    from vault.retrieving import CopiedOut
    from vault.sources import About, Problem
    from vault.whereabouts import Where

CaseArgument = Annotated[str, typer.Argument(metavar="CASE", help="A case's name or id.")]
NoteOption = Annotated[str, typer.Option("--note", metavar="TEXT", help="What these documents are.")]
SourceOption = Annotated[
    str,
    typer.Option(
        "--source", metavar="TEXT",
        help="Where they come from. It goes along in every export. What is typed here stays in the shell's history: "
        "for a name, use --about-file.",
    ),
]  # fmt: skip
TagOption = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="A word to find them by; may be repeated.")
]

AboutFileOption = Annotated[
    str | None,
    typer.Option(
        "--about-file", metavar="FILE", show_default=False,
        help="Read lines `note: TEXT`, `source: TEXT` and `tag: WORD` from a file; - for standard input.",
    ),
]  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("add")(add)
    app.command("drop")(drop)
    app.command("list")(list_items)
    app.command("show")(show)
    app.command("get")(get_items)


def add(
    case_name: CaseArgument,
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files, folders, or - for standard input.")],
    note: NoteOption = "",
    source: SourceOption = "",
    tag: TagOption = None,
    about_file: AboutFileOption = None,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What to call standard input.")] = "stdin",
    move: Annotated[
        bool, typer.Option("--move", help="Remove each original after it was read back from the vault.")
    ] = False,
    rehash: Annotated[
        bool, typer.Option("--rehash", help="Read also files that were filed before and look unchanged since.")
    ] = False,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """File documents into a case.

    Into a case that you only have the card of, they are sealed and wait in the outbox.
    """
    from vault import filing
    from vault.ledger import Ledger

    if (passphrase_file, about_file, *paths).count("-") > 1:
        raise BadInput(
            _("standard input cannot be both: it is a document, the passphrase, or what documents are about")
        )
    about, ledger = _about(note, source, tag, about_file), Ledger(tell=as_json)
    with opened(vault, passphrase_file, token) as unlocked, terminal.progress(_("filing")) as advance:
        outcome = filing.add(
            unlocked, case_name, [os.fsencode(path) for path in expanded(paths)], about=about, move=move,
            stdin=sys.stdin.buffer, stdin_name=os.fsencode(name), progress=advance, rehash=rehash, note=ledger.add,
        )  # fmt: skip
    if as_json:
        print_json("filed", ledger.entries(), _entry_document, lambda: _outcome_document(outcome))
    else:
        print_lines(_outcome_lines(outcome, ledger), str)
    _name_problems(outcome.problems, done=ledger.documents + outcome.dropped)


def _about(note: str, source: str, tags: list[str] | None, about_file: str | None) -> About:
    from vault.about import MAX_ABOUT_FILE, joined, parse_about
    from vault.sources import About

    typed = About(note, source, tuple(tags or ()))
    if about_file is None:
        return typed
    return joined(typed, parse_about(read_text(about_file, MAX_ABOUT_FILE)))


def _entry_document(one: Entry) -> dict[str, Any]:
    return {"id": one.item.hex() if one.item else None, "name": shown_path(one.name), "bytes": one.size,
            "sha256": one.sha256.hex(), "new": one.item is not None}  # fmt: skip


def _outcome_document(outcome: filing.Outcome) -> dict[str, Any]:
    return {
        "case": outcome.case,
        "outbox": outcome.outbox,
        "moved": [shown_path(one.incoming.name) for one in outcome.moved],
        "problems": _problem_documents(outcome.problems),
    }  # fmt: skip


def _problem_documents(problems: list[Problem]) -> list[dict[str, str]]:
    return [{"name": shown_path(p.name), "reason": p.reason} for p in problems]


def _outcome_lines(outcome: filing.Outcome, ledger: Ledger) -> list[str]:
    case = printable(outcome.case)
    if outcome.outbox:
        return [
            _("sealed for {case}: {dropped} document(s), waiting in {outbox}").format(
                case=case, dropped=outcome.dropped, outbox=printable(outcome.outbox)
            ),
            _("this machine cannot read it back; the members of the case can, once the file has reached them"),
        ]
    lines = [
        _("filed in {case}: {count} document(s), {size} read").format(
            case=case, count=ledger.new, size=size_text(ledger.size)
        )
    ]
    if ledger.documents > ledger.new:
        lines.append(
            _("filed before, under the same name and with the same content: {count}").format(
                count=ledger.documents - ledger.new
            )
        )
    if outcome.moved:
        lines.append(_("originals removed after they were read back: {count}").format(count=len(outcome.moved)))
        lines.append(_("the disk may keep their content until it is overwritten: this program cannot change that"))
    return lines


def _name_problems(problems: list[Problem], *, done: int) -> None:
    for problem in problems:
        say(_("not done: {name}: {reason}").format(name=shown_path(problem.name), reason=one_line(problem.reason)))
    if problems:
        raise typer.Exit(exits.PARTLY if done else exits.FAILED)


def drop(
    card: Annotated[str, typer.Argument(metavar="CASE-CARD", help="The card of a case, or the texts of its QR codes.")],
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files and folders.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="DIR", help="Where to put the sealed file.")] = ".",
    note: NoteOption = "",
    source: SourceOption = "",
    tag: TagOption = None,
    about_file: AboutFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Seal documents for a case with nothing but its card.

    No vault and no passphrase is needed, and the sealed file cannot be read here. The originals stay where they are.
    """
    from vault import filing

    about = _about(note, source, tag, about_file)
    case_card = read_card(card)
    if case_card.kind != "case":
        raise BadInput(_("this is a person's card"), _("a drop goes to a case: ask for the card of the case"))
    with terminal.progress(_("sealing")) as advance:
        done = filing.drop(
            case_card, [os.fsencode(path) for path in expanded(paths)], output,
            about=about, clock_ns=time.time_ns(), progress=advance,
        )  # fmt: skip
    answer(
        {"file": done.path, "items": done.count, "problems": _problem_documents(done.problems)},
        as_json=as_json,
        lines=(
            _("sealed {count} document(s) into {path}").format(count=done.count, path=printable(done.path)),
            _("only members of the case can open it; the originals are where they were"),
        ),
    )
    _name_problems(done.problems, done=done.count)


def list_items(
    case_name: Annotated[str | None, typer.Argument(metavar="CASE", show_default=False, help="Only this case.")] = None,
    only_here: Annotated[bool, typer.Option("--only-here", help="Only documents that were in no export yet.")] = False,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List documents in the order in which they were filed, and where they are.

    Only here: in no export. On its way: exported, and no receipt came back. Safe abroad: an editor whose words you
    compared signed a receipt for it.
    """
    from vault import abroad
    from vault.cases import find_case, list_cases, open_store
    from vault.whereabouts import Where

    with opened(vault, passphrase_file, token) as unlocked:
        chosen, unusable = ([find_case(unlocked, case_name)], []) if case_name else list_cases(unlocked)
        seen = []

        def rows() -> Iterator[tuple[str, Item, Where]]:
            for case in chosen:
                with open_store(unlocked, case) as store:
                    seen.append(sight := abroad.see(case, store))
                    for item in store.index.items():
                        where = sight.places.get(item.id, Where.HERE)
                        if where is Where.HERE or not only_here:
                            yield case.name, item, where

        if as_json:
            print_json(
                "items", rows(), lambda row: {"case": row[0], **item_document(row[1]), "where": row[2].value},
                lambda: {"unusable": unusable_documents(unusable)},
            )  # fmt: skip
        elif not print_lines(rows(), _item_line([] if case_name else [case.name for case in chosen])):
            print(_("nothing found"))
        if not case_name:
            abroad.put_right(unlocked, seen, unusable)
    name_unusable(unusable)


def _item_line(cases: Sequence[str]) -> Callable[[tuple[str, Item, Where]], str]:
    """How a listing shows a document, in columns of a width known beforehand; with its case if it is of several."""
    from vault.whereabouts import Where

    places = {where: _(where.value) for where in Where}
    where_width = max(map(len, places.values()))
    case_width = max((len(printable(name)) for name in cases), default=0)

    def line(row: tuple[str, Item, Where]) -> str:
        case, item, where = row
        cells = [item.id.hex()[:8], f"{size_text(item.size):>10}", f"{time_text(item.filed_ns):16}"]
        cells.append(places[where].ljust(where_width))
        if case_width:
            cells.append(printable(case).ljust(case_width))
        return "  ".join((*cells, shown_path(item.name)))

    return line


def item_document(item: Item) -> dict[str, Any]:
    """An item as JSON shows it. ``name_hex`` is there only when the name is no UTF-8."""
    name = item.name.decode("utf-8", "replace")
    document: dict[str, Any] = {
        "id": item.id.hex(), "name": name, "bytes": item.size, "sha256": item.sha256.hex(),
        "mtime_ns": item.mtime_ns, "filed_ns": item.filed_ns, "note": item.note, "source": item.source,
        "tags": list(item.tags), "origin": item.origin, "signer": item.signer.hex() or None,
    }  # fmt: skip
    if name.encode("utf-8", "replace") != item.name:
        document["name_hex"] = item.name.hex()
    return document


def show(
    reference: Annotated[str, typer.Argument(metavar="ITEM", help="An item's id, the beginning of one, or its path.")],
    case_name: Annotated[str | None, typer.Option("--case", metavar="CASE", help="Only in this case.")] = None,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Everything that is known of a document."""
    from vault import abroad, custody_words, filing
    from vault.cases import open_store
    from vault.model import ItemId
    from vault.whereabouts import Where

    with opened(vault, passphrase_file, token) as unlocked:
        case, item = filing.find_item(unlocked, case_name, reference)
        with open_store(unlocked, case) as store:
            events = [row.event for row in store.index.events_of(ItemId(item.id))]
            where = abroad.see(case, store).places.get(item.id, Where.HERE).value
    document = {"case": case.name, **item_document(item), "where": where,
                "custody": [{"at_ns": e.at_ns, "event": e.kind, "detail": e.detail} for e in events]}  # fmt: skip
    lines = [
        (_("name"), shown_path(item.name)), (_("id"), item.id.hex()), (_("case"), printable(case.name)),
        (_("size"), _("{size} bytes").format(size=item.size)), ("SHA-256", item.sha256.hex()),
        (_("modified"), time_text(item.mtime_ns)), (_("filed"), time_text(item.filed_ns)),
        (_("came in as"), _(item.origin)), (_("signed by"), item.signer.hex() or _("nobody")),
        (_("note"), printable(item.note)), (_("source"), printable(item.source)),
        (_("tags"), printable(", ".join(item.tags))), (_("where"), _(where)),
        *((time_text(e.at_ns), printable(custody_words.said(e))) for e in events),
    ]  # fmt: skip
    answer(document, as_json=as_json, lines=list(table([line for line in lines if line[1]])))


def get_items(
    references: Annotated[list[str], typer.Argument(metavar="ITEM", help="Ids, beginnings of ids, or paths.")] = [],  # noqa: B006
    output: Annotated[str, typer.Option("-o", "--output", metavar="DIR", help="The folder to write into.")] = "",
    everything: Annotated[str | None, typer.Option("--all", metavar="CASE", help="All documents of this case.")] = None,
    case_name: Annotated[
        str | None, typer.Option("--case", metavar="CASE", help="Look for items only in this case.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy documents out of the vault, in clear.

    Into a folder, under the paths they were filed with; `-o -` writes one document to standard output.
    """
    from vault import filing
    from vault.cases import find_case, open_store
    from vault.retrieving import CopiedOut, get

    if not output or bool(references) == bool(everything):
        raise BadInput(_("say which documents, and where to: sandyk get ITEM... -o DIR, or --all CASE -o DIR"))
    if output == "-":
        if len(references) != 1 or as_json:
            raise BadInput(_("standard output takes exactly one document, and nothing else"))
        _to_stdout(references, case_name, vault, passphrase_file, token)
        return
    problems: list[Problem] = []
    done = 0
    with opened(vault, passphrase_file, token) as unlocked, terminal.progress(_("copying out")) as advance:
        chosen: list[tuple[Case, list[Item] | None]] = []
        if everything:
            chosen.append((find_case(unlocked, everything), None))
        else:
            chosen += filing.choose_items(unlocked, case_name, references)

        def rows() -> Generator[CopiedOut]:
            nonlocal done
            for case, items in chosen:
                with open_store(unlocked, case) as store:
                    wanted = store.index.items() if items is None else items
                    with closing(get(store, wanted, output, force=force, progress=advance)) as results:
                        for result in results:
                            if isinstance(result, CopiedOut):
                                done += 1
                                yield result
                            else:
                                problems.append(result)

        with closing(rows()) as copied:  # Ctrl-C must not find the case closed: what came out is noted there
            if as_json:
                print_json(
                    "copied", copied, lambda one: {"id": one.item.id.hex(), "path": shown_path(one.path)},
                    lambda: {"problems": _problem_documents(problems)},
                )  # fmt: skip
            else:
                deque(copied, maxlen=0)
                print(
                    _("copied out {count} document(s) into {output}, in clear").format(
                        count=done, output=printable(output)
                    )
                )
    _name_problems(problems, done=done)


def _to_stdout(
    references: list[str], case_name: str | None, vault: str | None, passphrase_file: str | None, token: str | None
) -> None:
    from vault import filing
    from vault.cases import open_store
    from vault.verifying import read_whole

    with opened(vault, passphrase_file, token) as unlocked:
        case, item = filing.find_item(unlocked, case_name, references[0])
        with open_store(unlocked, case) as store:
            try:
                read_whole(store, item, sys.stdout.buffer.write)
            except DamagedPack as exc:
                raise DamagedPack(f"{shown_path(item.name)}: {exc}", _("what was printed is not whole")) from exc
