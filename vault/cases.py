# SPDX-License-Identifier: Apache-2.0
"""Cases and who may read them: the access files of each epoch, and whom they are believed from.

An access file is believed when somebody signed it who is the journalist themself, a member as last seen, or,
at first sight, a journalist of this vault or a contact whose words were compared. An access file that is
older than the newest one seen is refused: somebody took the newer one away.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from gettext import gettext as _

from keys.access import CaseKeys, Former, open_access, seal_access
from keys.book import CaseEntry
from keys.card import Card
from keys.errors import KeysError, Malformed, NoMatch
from keys.errors import NewerFormat as KeysNewer
from keys.identity import Identity
from keys.names import tidy_name
from vault import contacts, layout, rewriting, text_files
from vault.colleagues import believed
from vault.errors import (
    AlreadyThere,
    Ambiguous,
    BadInput,
    DamagedVault,
    NewerFormat,
    NotAllowed,
    NotFound,
    NotTrusted,
)
from vault.model import EVENT_CREATED, EVENT_GRANTED, EVENT_REVOKED, CaseId, Event
from vault.names import printable
from vault.refusals import refusal
from vault.store import CaseStore
from vault.vaults import Vault

MAX_ACCESS_SIZE = 16 << 20


@dataclass(frozen=True, slots=True)
class Case:
    """A case that one is a member of."""

    id: CaseId
    name: str
    keys: CaseKeys
    granter: Card


def create_case(vault: Vault, name: str) -> Case:
    """Make a case of which one is the only member. Raises AlreadyThere, DiskFailed."""
    name = given_name(name)
    if vault.book().case_named(name):
        raise AlreadyThere(_("a case of this name is there already"))
    case_id = CaseId(os.urandom(16))
    keys = CaseKeys(case_id, name, (Identity.generate(),), (vault.me.card(),), (), vault.clock())
    folder = case_folder(vault, case_id)
    with vault.changing():
        for path in (folder, os.path.join(folder, layout.ACCESS), os.path.join(folder, layout.PACKS)):
            vault.disk.make_folder(path)
        vault.disk.replace(_access_path(folder, 1), seal_access(keys, vault.me))
    case = Case(case_id, name, keys, vault.me.card())
    _remember(vault, case)
    with open_store(vault, case) as store:
        store.record(Event(vault.clock(), EVENT_CREATED, (), ""))
    return case


def list_cases(vault: Vault) -> tuple[list[Case], list[tuple[CaseId, str]]]:
    """All cases one is a member of, by name, and those that cannot be used: id and why. Learns of new ones."""
    cases, unusable = [], []
    for case_id in _on_disk(vault):
        try:
            case = load_case(vault, case_id)
        except (DamagedVault, NewerFormat, NotTrusted) as exc:
            unusable.append((case_id, str(exc)))
            continue
        if case is not None:
            cases.append(case)
    gone = {entry.case_id for entry in vault.book().cases} - set(_on_disk(vault))
    unusable += [
        (CaseId(case_id), _("it was here before, and is not on the disk any more")) for case_id in sorted(gone)
    ]
    return sorted(cases, key=lambda case: case.name), unusable


def find_case(vault: Vault, reference: str) -> Case:
    """The case of this name, id, or prefix of an id. Raises NotFound, Ambiguous, DamagedVault, NotTrusted."""
    known = vault.book().case_named(reference)
    if isinstance(known, CaseEntry) and (case := load_case(vault, CaseId(known.case_id))) is not None:
        return case
    cases, unusable = list_cases(vault)
    folded = reference.casefold()
    found = [case for case in cases if case.name.casefold() == folded or case.id.hex() == folded]
    found = found or [case for case in cases if len(folded) >= 4 and case.id.hex().startswith(folded)]
    if len(found) > 1:
        raise Ambiguous(_("several cases answer to this name"), _("say which by its id: `sandyk case list`"))
    if found:
        return found[0]
    for case_id, __ in unusable:
        if len(folded) >= 4 and case_id.hex().startswith(folded):
            load_case(vault, case_id)  # says why it cannot be used
    raise NotFound(_("you are no member of a case of this name"), _("`sandyk case list` shows your cases"))


def load_case(vault: Vault, case_id: CaseId) -> Case | None:
    """The case as its newest access file has it; None when one is no member. Raises DamagedVault, NotTrusted."""
    folder = case_folder(vault, case_id)
    epochs = _epochs(folder)
    if not epochs:
        if vault.book().case(case_id) is None and _was_never_finished(folder):
            return None
        raise DamagedVault(_("case {case_id} has no access file").format(case_id=case_id.hex()[:8]))
    try:
        untrusted = vault.disk.read(_access_path(folder, epochs[-1]), limit=MAX_ACCESS_SIZE)
        access = open_access(untrusted, vault.me)
    except NoMatch:
        return None
    except KeysNewer as exc:
        raise NewerFormat(exc.what) from exc
    except KeysError as exc:
        raise DamagedVault(
            _("the access file of case {case_id} is damaged: {reason}").format(case_id=case_id.hex()[:8], reason=exc)
        ) from exc
    except OSError as exc:
        raise DamagedVault(
            _("the access file of case {case_id} cannot be read: {reason}").format(
                case_id=case_id.hex()[:8], reason=refusal(exc)
            )
        ) from exc
    if access.keys.case_id != case_id or len(access.keys.epochs) != epochs[-1]:
        raise DamagedVault(_("the access file of case {case_id} belongs elsewhere").format(case_id=case_id.hex()[:8]))
    case = Case(case_id, access.keys.name, access.keys, access.granter)
    seen = vault.book().case(case_id)
    _check_continuity(vault, case, seen)
    _check_trust(vault, case, seen)
    if seen is None or seen.epoch != len(case.keys.epochs) or set(seen.members) != _member_keys(case):
        if seen is not None and case.granter.signing != vault.me.signing_public:
            vault.notice(_what_changed(vault, case, seen))
        seen = _remember(vault, case)
    return replace(case, name=seen.name)


def _what_changed(vault: Vault, case: Case, seen: CaseEntry) -> str:
    """Who changed the members of a case since it was last seen, and how.

    Somebody who was revoked, but whose going one has not seen yet, can still sign an access file that one believes:
    nothing in it shows that, so a person has to look.
    """
    cards = {member.signing: member for member in (*case.keys.members, case.granter)}

    def called(signing: bytes) -> str:
        if signing == vault.me.signing_public:
            return "you"
        if name := contacts.name_of(vault, signing):
            return printable(name)
        card = cards.get(signing)
        return (
            _("somebody with the words {words}").format(words=" ".join(card.words))
            if card
            else _("somebody (key {signing})").format(signing=signing.hex()[:8])
        )

    now, before = (", ".join(sorted(map(called, keys))) for keys in (_member_keys(case), set(seen.members)))
    return _(
        "{signing} changed who can read {name}: now {now}; before: {before}; if you did not expect "
        "this, ask them by voice before you file anything more"
    ).format(signing=called(case.granter.signing), name=printable(seen.name), now=now, before=before)


def _check_continuity(vault: Vault, case: Case, seen: CaseEntry | None) -> None:
    """Raise unless the case goes on from what was seen of it. Whoever signed: oneself signed the older file too."""
    name = case.id.hex()[:8]
    if seen is not None:
        if len(case.keys.epochs) < seen.epoch:
            raise DamagedVault(
                _("a newer access file of case {name} was taken away").format(name=name),
                _("who was revoked may be in this one"),
            )
        known = [case.keys.epochs[seen.epoch - 1].recipient.raw == seen.recipient]
    elif foreign := vault.book().foreign_case(case.id):
        known = [epoch.recipient == foreign.card.recipient for epoch in case.keys.epochs]
    else:
        return
    if not any(known):
        raise NotTrusted(
            _(
                "the keys of case {name} are not those that you know it by: somebody put other keys in their place"
            ).format(name=name),
            _("ask the other members; the packs that were filed before are still sealed to the true keys"),
        )


def _check_trust(vault: Vault, case: Case, seen: CaseEntry | None) -> None:
    granter = case.granter.signing
    if granter == vault.me.signing_public:
        return
    if seen is not None:
        if granter in seen.members:
            return
    else:
        book = vault.book()
        friends = {entry.card.signing for entry in believed(book, vault.roster())}
        friends |= {contact.card.signing for contact in book.contacts if contact.verified_ns is not None}
        if granter in friends:
            return
    words = " ".join(case.granter.words)
    raise NotTrusted(
        _("access to case {id} was granted by a key that you do not trust: {words}").format(
            id=case.id.hex()[:8], words=words
        ),
        _("compare these words by voice, then `sandyk contact add` and `sandyk contact verify`"),
    )


def grant(vault: Vault, case: Case, card: Card, label: str) -> Case:
    """Let somebody read the case, all of it. Raises AlreadyThere, NotAllowed when there are too many."""
    if card.signing in _member_keys(case):
        raise AlreadyThere(_("already a member of this case"))
    with vault.changing(case_folder(vault, case.id)):
        keys = replace(case.keys, members=(*case.keys.members, card), granted_ns=vault.clock())
        path = _access_path(case_folder(vault, case.id), len(keys.epochs))
        vault.disk.replace(path, _sealed(keys, vault.me))
    return _changed(vault, case, keys, Event(vault.clock(), EVENT_GRANTED, (), label))


def revoke(vault: Vault, case: Case, card: Card, label: str) -> Case:
    """Begin a new epoch without somebody: what is filed from now on does not open for them.

    What they could read before, they may have copied; the older access files are removed from this disk all the same.
    """
    if card.signing == vault.me.signing_public:
        raise NotAllowed(_("you cannot revoke yourself"), _("another member can"))
    if card.signing not in _member_keys(case):
        raise NotFound(_("not a member of this case"), _("`sandyk case members CASE` shows who is"))
    folder = case_folder(vault, case.id)
    with vault.changing(folder):
        old = len(case.keys.epochs)
        keys = replace(
            case.keys,
            epochs=(*case.keys.epochs, Identity.generate()),
            members=tuple(m for m in case.keys.members if m.signing != card.signing),
            former=(*case.keys.former, Former(card.signing, old)),
            granted_ns=vault.clock(),
        )
        with open_store(vault, case) as store:
            sealed = _sealed(keys, vault.me)
            path = _access_path(folder, old + 1)
            store.begin_epoch(keys, vault.device_secret, lambda: vault.disk.replace(path, sealed))
        for epoch in _epochs(folder)[:-1]:
            with suppress(FileNotFoundError):
                vault.disk.unlink(_access_path(folder, epoch))
    return _changed(vault, case, keys, Event(vault.clock(), EVENT_REVOKED, (), label))


def _sealed(keys: CaseKeys, me: Identity) -> bytes:
    try:
        return seal_access(keys, me)
    except KeysError as exc:
        raise NotAllowed(str(exc)) from exc


def _changed(vault: Vault, case: Case, keys: CaseKeys, event: Event) -> Case:
    changed = Case(case.id, case.name, keys, vault.me.card())
    _remember(vault, changed)
    with open_store(vault, changed) as store:
        store.record(event)
    return changed


def member_by_words(case: Case, words: str) -> Card | None:
    """The member with these ten words: the only name that somebody has who is in no list of ours any more."""
    wanted = tuple(words.lower().split())
    return next((member for member in case.keys.members if member.words == wanted), None)


def member_by_known_key(vault: Vault, case: Case, name: str) -> Card | None:
    """The member with the key that one knows for a colleague of this name, whatever the roster says of the name now."""
    known = vault.book().colleague(name)
    if known is None or vault.book().contact(name) is not None:
        return None
    return next((member for member in case.keys.members if member.signing == known.signing), None)


def open_store(vault: Vault, case: Case, *, remark: bool = True) -> CaseStore:
    """The case's packs and index. The caller closes it. ``remark``: packs that cannot be used become a notice."""
    store = CaseStore(
        case_folder(vault, case.id), case.keys, vault.me, vault.device_secret,
        disk=vault.disk, alive=vault.check_alive, clock=vault.clock, waiting=vault.waiting,
    )  # fmt: skip
    if store.writes:
        rewriting.finish(store)
        text_files.bring_into_step(store, vault.device_secret)
    if store.refused is not None:
        vault.notice(
            _(
                "the disk has no room for the index of {case}, or fails: its packs were read instead, which takes "
                "longer, and nothing can be filed in it until that is mended"
            ).format(case=printable(case.name))
        )
    if store.findings and remark:
        name = printable(case.name)
        vault.notice(
            _("{count} pack(s) of {name} cannot be used: `sandyk verify` says which").format(
                count=len(store.findings), name=name
            )
        )
    if store.index_was_made_anew:
        vault.notice(
            _(
                "the index of {case} was missing or unusable, and was made anew from the packs that are "
                "here. If nothing explains this (somebody changed the members, a copy of the vault, a "
                "crash), packs may have been taken away with it: compare with another copy or with what "
                "was exported"
            ).format(case=printable(case.name))
        )
    return store


def case_folder(vault: Vault, case_id: CaseId) -> str:
    """The folder of a case."""
    return os.path.join(vault.folder, layout.CASES, case_id.hex())


def _on_disk(vault: Vault) -> list[CaseId]:
    found = []
    with os.scandir(os.path.join(vault.folder, layout.CASES)) as entries:
        for entry in entries:
            with suppress(ValueError):
                if len(entry.name) == 32:
                    found.append(CaseId(bytes.fromhex(entry.name)))
    return sorted(found)


def _was_never_finished(folder: str) -> bool:
    """Whether making this case was interrupted: then nothing was ever filed in it, and nobody has its keys."""
    try:
        return not any(name.endswith(".age") for name in os.listdir(os.path.join(folder, layout.PACKS)))
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _epochs(folder: str) -> list[int]:
    try:
        names = os.listdir(os.path.join(folder, layout.ACCESS))
    except OSError:
        return []
    return sorted(int(n[:6]) for n in names if len(n) == 10 and n[:6].isdecimal() and n.endswith(".age"))


def _access_path(folder: str, epoch: int) -> str:
    return os.path.join(folder, layout.ACCESS, f"{epoch:06}.age")


def _member_keys(case: Case) -> set[bytes]:
    return {member.signing for member in case.keys.members}


def _remember(vault: Vault, case: Case) -> CaseEntry:
    """Pin what was seen: epoch, members, recipient. Where the medium is read-only, for this command only."""
    entry = CaseEntry(
        bytes(case.id), case.name, len(case.keys.epochs), tuple(sorted(_member_keys(case))),
        case.keys.epochs[-1].recipient.raw,
    )  # fmt: skip
    if not os.access(vault.folder, os.W_OK):
        return vault.book().with_case(entry).case(case.id) or entry
    return vault.change_book(lambda book: book.with_case(entry)).case(case.id) or entry


def given_name(typed: str) -> str:
    """A name that somebody typed, tidied. Raises BadInput."""
    try:
        return tidy_name(typed)
    except Malformed as exc:
        raise BadInput(_("this name cannot be used: {reason}").format(reason=exc)) from exc
