# SPDX-License-Identifier: Apache-2.0
"""`case`, `log`, `verify` and `rebuild`: a case as a whole."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault import terminal
from vault.cli import checking, exits, receivers
from vault.cli.checking import BundleOptions, IdentityOption, ReportOption
from vault.cli.receivers import ZipPassphraseOption
from vault.cli.repairing import RepairOption, repaired_document, repaired_lines
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
    tally_document,
    tally_text,
    unusable_documents,
)
from vault.cli.stamps import RootsOption
from vault.errors import BadInput, VaultError
from vault.names import printable
from vault.terminal import size_text, time_text

if TYPE_CHECKING:
    from keys.card import Card
    from vault.cases import Case
    from vault.model import CaseId
    from vault.vaults import Vault
    from vault.verifying import Verdict

CaseArgument = Annotated[str, typer.Argument(metavar="CASE", help="A case's name or id.")]
WhoArgument = Annotated[str, typer.Argument(metavar="WHO", help="A journalist of this vault, or a contact.")]
MemberArgument = Annotated[
    str, typer.Argument(metavar="WHO", help="A journalist, a contact, or the ten words of a member.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    case = typer.Typer(no_args_is_help=True, help="Cases: each with its own key and members.")
    case.command("new")(case_new)
    case.command("list")(case_list)
    case.command("members")(case_members)
    case.command("grant")(case_grant)
    case.command("revoke")(case_revoke)
    app.add_typer(case, name="case")
    app.command("verify")(verify_command)
    app.command("log")(log)
    app.command("rebuild")(rebuild)


def case_new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name, sealed inside the vault.")],
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a case. You are its only member until you let others in with `case grant`."""
    from vault.cases import create_case

    with opened(vault, passphrase_file, token) as unlocked:
        case = create_case(unlocked, name)
    answer(
        {"case": case.name, "id": case.id.hex()},
        as_json=as_json,
        lines=(_("case {case} made, id {id}").format(case=printable(case.name), id=case.id.hex()[:8]),),
    )


def case_list(
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """The cases that you are a member of, and how many of their documents are safe abroad."""
    from vault import abroad
    from vault.cases import list_cases, open_store

    with opened(vault, passphrase_file, token) as unlocked:
        cases, unusable = list_cases(unlocked)
        rows: list[dict[str, Any]] = []
        lines, seen = [], []
        for case in cases:
            with open_store(unlocked, case) as store:
                count, size = store.index.totals()
                seen.append(sight := abroad.see(case, store))
            rows.append(
                {
                    "case": case.name, "id": case.id.hex(), "items": count, "bytes": size,
                    "members": len(case.keys.members), "epoch": case.keys.epoch, **tally_document(sight.tally),
                }
            )  # fmt: skip
            lines.append(
                (printable(case.name), case.id.hex()[:8], _("{count} items").format(count=count), size_text(size),
                 _("{count} member(s)").format(count=len(case.keys.members)), tally_text(sight.tally))
            )  # fmt: skip
        abroad.put_right(unlocked, seen, unusable)
    answer(
        {"cases": rows, "unusable": unusable_documents(unusable)},
        as_json=as_json,
        lines=list(table(lines)) if lines else [_("no cases yet")],
    )
    name_unusable(unusable)


def case_members(
    case_name: CaseArgument,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who can read a case."""
    from vault.cases import find_case

    with opened(vault, passphrase_file, token) as unlocked:
        case = find_case(unlocked, case_name)
        rows = [{"name": _name_of(unlocked, member), "words": " ".join(member.words)} for member in case.keys.members]
    lines = [(printable(r["name"] or "?"), str(r["words"])) for r in rows]
    answer({"case": case.name, "members": rows}, as_json=as_json, lines=list(table(lines)))


def _name_of(unlocked: Vault, card: Card) -> str | None:
    """What the journalist calls somebody."""
    from vault.contacts import name_of

    return name_of(unlocked, card.signing)


def _card_of(unlocked: Vault, who: str) -> tuple[Card, str]:
    from vault.contacts import person

    name, card, verified = person(unlocked, who)
    if not verified:
        terminal.say(
            _("note: the words of {name} were not compared yet (sandyk contact verify)").format(name=printable(name))
        )
    return card, name


def case_grant(
    case_name: CaseArgument,
    who: WhoArgument,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let somebody read a case, all of it, past and future."""
    from vault.cases import find_case, grant

    with opened(vault, passphrase_file, token) as unlocked:
        card, name = _card_of(unlocked, who)
        case = grant(unlocked, find_case(unlocked, case_name), card, name)
    answer(
        {"case": case.name, "granted": name, "epoch": case.keys.epoch},
        as_json=as_json,
        lines=(_("{name} can read {case} now").format(name=printable(name), case=printable(case.name)),),
    )


def case_revoke(
    case_name: CaseArgument,
    who: MemberArgument,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take somebody out of what is filed from now on."""
    from vault.cases import find_case, member_by_known_key, member_by_words, revoke

    with opened(vault, passphrase_file, token) as unlocked:
        case = find_case(unlocked, case_name)
        member = member_by_words(case, who) or member_by_known_key(unlocked, case, who)
        card, name = (member, _name_of(unlocked, member) or who) if member else _card_of(unlocked, who)
        case = revoke(unlocked, case, card, name)
    answer(
        {"case": case.name, "revoked": name, "epoch": case.keys.epoch},
        as_json=as_json,
        lines=(
            _("what is filed from now on does not open for {name}").format(name=printable(name)),
            _("what they could read before, they may have copied"),
            _(
                "cards of this case that you gave out are of the old epoch: hand out new ones (sandyk card "
                "export --case)"
            ),
        ),
    )


def verify_command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="CASE|FILE", show_default=False,
            help="Only this case; or a sealed bundle, or one of its parts, to check it without opening it.",
        ),
    ] = None,
    identity: IdentityOption = None,
    zip_passphrase_file: ZipPassphraseOption = None,
    tsa_ca: RootsOption = None,
    output: ReportOption = None,
    sample: Annotated[
        int | None,
        typer.Option("--sample", metavar="N", min=1, show_default=False, help="Read only N packs, drawn by chance."),
    ] = None,
    repair_too: RepairOption = False,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Read everything back and check it against what was filed; or check a sealed bundle.

    Encryption, hashes, signatures, and that no pack is missing from a device's chain. Every document that
    does not read back is named. Of a bundle nothing is written but a report, which says what was proven and what not.
    A ZIP needs no vault; where there is none, no sender is known.
    """
    from vault.cases import open_store
    from vault.repairing import repair
    from vault.text_checking import trouble_with_texts
    from vault.verifying import verify

    if repair_too and (sample is not None or identity is not None):
        raise BadInput(_("--repair reads everything, and is for cases of this vault"))
    of_packs = repair_too or sample is not None
    bundle = BundleOptions(identity, zip_passphrase_file, tsa_ca, output, as_json, of_packs)
    alone = name is not None and receivers.needs_no_vault([name], vault, passphrase_file, token)
    if identity is not None or alone:
        checking.end(checking.verify_bundle(name, None, bundle))
        return
    documents, lines, whole, searchable = [], [], True, True
    with opened(vault, passphrase_file, token) as unlocked:
        checked = checking.named_bundle(unlocked, name, bundle)
        cases, unusable = ([], []) if checked else _chosen(unlocked, name)
        for case in cases:
            with open_store(unlocked, case, remark=False) as store, terminal.progress(_("verifying")) as advance:
                done = repair(unlocked, store, progress=advance) if repair_too else None
                verdict = done.verdict if done else verify(store, sample=sample, progress=advance)
                texts = trouble_with_texts(store, unlocked.device_secret, every_page=sample is None)
            whole = whole and verdict.whole and not (done and done.lost)
            searchable = searchable and texts is None
            documents.append(
                _verdict_document(case, verdict)
                | {"texts": str(texts) if texts else "", "repair": repaired_document(done) if done else None}
            )
            lines += _verdict_lines(case, verdict) + (repaired_lines(done) if done else []) + _text_lines(texts)
    if checked is not None:
        checking.end(checked)
        return
    whole = whole and not unusable
    lines += [
        _("case {case_id}: DAMAGED: {reason}").format(case_id=case_id.hex()[:8], reason=one_line(reason))
        for case_id, reason in unusable
    ]
    answer(
        {"cases": documents, "unusable": unusable_documents(unusable), "whole": whole},
        as_json=as_json,
        lines=lines or [_("no cases yet")],
    )
    if not whole:
        terminal.say(_("sandyk: not everything is whole"))
        terminal.say(_("hint: what still reads can be copied out: sandyk get --all CASE -o DIR"))
        if not repair_too:
            terminal.say(_("hint: sandyk verify --repair mends what has parity, and puts aside what does not read"))
        terminal.say(_("hint: a copy of the vault made before, or an export, may still have the rest"))
        raise typer.Exit(exits.DAMAGED)
    if not searchable:
        terminal.say(_("sandyk: no damage was found in documents, but in what was read in them for searches"))
        raise typer.Exit(exits.DAMAGED)


def _chosen(unlocked: Vault, case_name: str | None) -> tuple[list[Case], list[tuple[CaseId, str]]]:
    """The case that was named; without a name all, and those that cannot be used."""
    from vault.cases import find_case, list_cases

    if case_name is not None:
        return [find_case(unlocked, case_name)], []
    return list_cases(unlocked)


def _verdict_document(case: Case, verdict: Verdict) -> dict[str, Any]:
    return {
        "case": case.name,
        "whole": verdict.whole,
        "packs": verdict.packs,
        "sample_of": verdict.sample_of,
        "items": verdict.items,
        "bytes": verdict.size,
        "findings": [{"pack": f.about, "what": f.what} for f in verdict.findings],
        "remarks": [{"pack": f.about, "what": f.what} for f in verdict.remarks],
        "damaged": [
            {"id": d.item.id.hex(), "name": shown_path(d.item.name), "reason": d.reason} for d in verdict.damaged
        ],
    }


def _verdict_lines(case: Case, verdict: Verdict) -> list[str]:
    read = _("{items} items, {size}, {packs} packs read back").format(
        items=verdict.items, size=size_text(verdict.size), packs=verdict.packs
    )
    state = _("whole") if verdict.whole else _("DAMAGED")
    if verdict.sample_of is not None:
        state = _("a sample of {packs} of {sample_of} packs is {state}, the others were not read").format(
            packs=verdict.packs, sample_of=verdict.sample_of, state=state
        )
    lines = [f"{printable(case.name)}: {state}: {read}"]
    lines += [_("  pack {about}: {what}").format(about=f.about, what=one_line(f.what)) for f in verdict.findings]
    lines += [f"  {d.item.id.hex()[:8]} {shown_path(d.item.name)}: {one_line(d.reason)}" for d in verdict.damaged]
    lines += [_("  remark: pack {about}: {what}").format(about=f.about, what=one_line(f.what)) for f in verdict.remarks]
    return lines


def _text_lines(trouble: VaultError | None) -> list[str]:
    """What is wrong with what was read for searches, and what to do."""
    if trouble is None:
        return []
    return [_("  texts for searches: {reason}").format(reason=one_line(str(trouble)))] + [
        f"  {_('hint: {hint}').format(hint=one_line(hint))}" for hint in trouble.hints
    ]


def log(
    case_name: Annotated[str | None, typer.Argument(metavar="CASE", show_default=False, help="Only this case.")] = None,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """The custody record: what was done, when, and signed by whom."""
    from vault import custody_words
    from vault.cases import open_store

    rows, lines = [], []
    with opened(vault, passphrase_file, token) as unlocked:
        cases, unusable = _chosen(unlocked, case_name)
        for case in cases:
            authors = {m.signing: _name_of(unlocked, m) for m in case.keys.members}
            with open_store(unlocked, case) as store:
                signers = {pack.n: pack.author for pack in store.index.packs()}
                for row in store.index.events():
                    repeated_by = signers.get(row.pack.replaced_by)
                    who = authors.get(row.pack.author) or row.pack.author.hex()[:8]
                    rows.append(
                        {
                            "case": case.name, "at_ns": row.event.at_ns, "event": row.event.kind,
                            "items": [i.hex() for i in row.event.items], "detail": row.event.detail,
                            "device": row.pack.device.hex(), "sequence": row.pack.sequence,
                            "signed_by": row.pack.author.hex(), "name": authors.get(row.pack.author),
                            "repeated_by": repeated_by.hex() if repeated_by else None,
                        }
                    )  # fmt: skip
                    if repeated_by is not None and repeated_by != row.pack.author:
                        who = _("{author} (says {repeated_by})").format(
                            author=who, repeated_by=authors.get(repeated_by) or repeated_by.hex()[:8]
                        )
                    count = _("{count} item(s)").format(count=len(row.event.items)) if row.event.items else ""
                    lines.append(
                        (time_text(row.event.at_ns), printable(case.name), printable(who),
                         _("device {device} no. {sequence}").format(
                             device=row.pack.device.hex()[:6], sequence=row.pack.sequence
                         ), count, printable(custody_words.said(row.event)))
                    )  # fmt: skip
    answer(
        {"events": rows, "unusable": unusable_documents(unusable)},
        as_json=as_json,
        lines=list(table(lines)) if lines else [_("nothing yet")],
    )
    name_unusable(unusable)


def rebuild(
    case_name: CaseArgument,
    vault: VaultOption = None,
    passphrase_file: PassphraseOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the index of a case anew from its packs."""
    from vault.cases import find_case, open_store

    with opened(vault, passphrase_file, token) as unlocked:
        case = find_case(unlocked, case_name)
        with open_store(unlocked, case, remark=False) as store:
            store.rebuild()
            count, size = store.index.totals()
            findings = list(store.findings)
    answer(
        {"case": case.name, "items": count, "bytes": size,
         "findings": [{"pack": f.about, "what": f.what} for f in findings]},
        as_json=as_json,
        lines=[_("index rebuilt: {count} items, {size}").format(count=count, size=size_text(size))]
        + [_("  pack {about}: {what}").format(about=f.about, what=one_line(f.what)) for f in findings],
    )  # fmt: skip
    if findings:
        raise typer.Exit(exits.DAMAGED)
