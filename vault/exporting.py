# SPDX-License-Identifier: Apache-2.0
"""Exporting: which documents go to whom, in one sealed and signed bundle."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from gettext import gettext as _
from typing import Any

from keys.age import HybridRecipient, Recipient, Sealer, Sink, X25519Recipient, parse_recipient
from keys.errors import KeysError
from keys.secret import Secret
from vault import abroad, counter, tar
from vault.ahead import read_in_order
from vault.bundle import (
    BundleItem,
    BundleSummary,
    Composed,
    ContentChanged,
    IdentitySigner,
    compose,
    file_name_of,
    new_bundle_id,
)
from vault.cases import Case, open_store
from vault.catalogue_words import kind_of
from vault.contacts import person
from vault.disk import Disk
from vault.elsewhere import expect_outside_vaults
from vault.errors import Ambiguous, BadInput, DamagedPack, DiskFailed, NotFound
from vault.export_record import ExportRecord, notices_of_unfinished
from vault.exported_custody import told
from vault.language import later
from vault.model import EVENT_EXPORTED, Item
from vault.names import printable
from vault.part_writer import WrittenSet, write_parts
from vault.parts import cut
from vault.proving import with_known_digest
from vault.sealing import write_sealed
from vault.store import CaseStore
from vault.thumbnails import Thumbnailer
from vault.vaults import Vault
from vault.whereabouts import ExportNote, Where, known_as, known_by_recipient, shown_recipient
from vault.zipped import zip_sink

WHOEVER = later("whoever has the passphrase")
"""Whom the record says that a ZIP is for."""
WORKERS = 2
"""Threads that encrypt."""
MAX_RECIPIENTS_FILE = 256 << 10
"""More than 32 people, the most that a bundle is sealed to, with a comment each."""
MAX_PICTURE_BYTES = 64 << 20
"""Larger pictures get no thumbnail: decoding one would keep the sender waiting for a stamp-sized copy."""
MAX_THUMBNAIL_BYTES = 48 << 20
"""Of all together; a reader takes 64 MiB of such files (docs/format-bundle.md §5)."""


@dataclass(frozen=True, slots=True)
class Addressee:
    """Somebody a bundle is for. ``known_as`` is what the custody record says: the words of a card, or a recipient's
    beginning. ``verified`` says whether the words were compared; those of a bare recipient never are.
    """

    name: str
    recipient: Recipient
    known_as: str
    verified: bool


@dataclass(frozen=True, slots=True)
class InParts:
    """That a bundle is to be cut: into parts of at most so many bytes, and how many repair parts besides."""

    part_size: int
    repair: int = 0


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle that was written whole. With ``parts``, ``path`` is their folder and ``size`` that of all together."""

    path: str
    summary: BundleSummary
    size: int
    only_here: int
    """How many documents of the case were in no export yet."""
    words: str
    """Of the card that it is signed with."""
    for_me: bool
    """Whether who exported it can open it."""
    parts: WrittenSet | None = None


def addressees(vault: Vault, names: Sequence[str]) -> list[Addressee]:
    """The people by these names, contacts or journalists of this vault, each once. Raises NotFound, BadInput."""
    return each_once([_addressee(vault, name) for name in names])


def each_once(people: Sequence[Addressee]) -> list[Addressee]:
    """Without those whose key was there before: by two names, or once as a contact and once as a recipient."""
    first: dict[Recipient, Addressee] = {}
    for one in people:
        first.setdefault(one.recipient, one)
    return list(first.values())


def _addressee(vault: Vault, name: str) -> Addressee:
    try:
        label, card, verified = person(vault, name)
    except Ambiguous:
        raise
    except NotFound:
        if vault.book().case_named(name) is None:
            raise
        raise BadInput(
            _("{name} is a case: a bundle goes to people").format(name=printable(name)),
            _("to file to a case: sandyk add"),
        ) from None
    return Addressee(label, card.recipient, known_as(card), verified)


def bare_addressees(untrusted: Sequence[str], *, classic: bool = False) -> list[Addressee]:
    """People known by nothing but an age recipient, ``age1pq1…``: nobody verified whose it is. Raises BadInput.

    With ``classic`` all are of the older kind, ``age1…``, for an age before 1.3.
    """
    found: list[Addressee] = []
    for text in untrusted:
        try:
            recipient = parse_recipient(text.strip())
        except KeysError as exc:
            raise _no_recipient(text.strip(), len(found) + 1, exc) from exc
        if classic and not isinstance(recipient, X25519Recipient):
            raise BadInput(
                _("{text} is a post-quantum recipient, which cannot share a file with the older kind").format(
                    text=printable(text[:40])
                ),
                _("leave out --classic, or seal for the others in a file of their own"),
            )
        if not classic and not isinstance(recipient, HybridRecipient):
            raise BadInput(
                _(
                    "{text} is a recipient of the older kind, which is not made to last against quantum computers"
                ).format(text=printable(text[:40])),
                _("ask for one that begins with age1pq1 (age 1.3 or later: age-keygen -pq)"),
                _("or, if their age is older: --classic, with such recipients alone"),
            )
        found.append(Addressee(shown_recipient(recipient), recipient, known_by_recipient(recipient), False))
    return found


def _no_recipient(text: str, number: int, reason: KeysError) -> BadInput:
    """Quotes nothing but what begins as a recipient does: keys or passphrases may have been meant by mistake."""
    if text.upper().startswith("AGE-SECRET-KEY-"):
        return BadInput(
            _("recipient {number} is an identity, which is secret, and not a recipient").format(number=number),
            _("its recipient is said by: age-keygen -y KEYFILE"),
        )
    if not text.startswith("age1"):
        return BadInput(_("recipient {number} is no age recipient: {reason}").format(number=number, reason=reason))
    return BadInput(_("{text} is no age recipient: {reason}").format(text=printable(text[:40]), reason=reason))


def recipients_in(untrusted: bytes) -> list[str]:
    """The lines of a recipients file as ``age -R`` takes it: one each, with ``#`` comments. Raises BadInput."""
    try:
        lines = [line.strip() for line in untrusted.decode("utf-8").splitlines()]
    except UnicodeDecodeError:
        raise BadInput(_("the file of recipients is no text")) from None
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise BadInput(_("there is no recipient in the file"), _("one a line, each begins with age1pq1"))
    return found


def export(
    vault: Vault, case: Case, references: list[str], to: list[Addressee], path: str, *,
    as_newsroom: bool = False, sources: bool = True, folders: bool = True, thumbnails: bool = True,
    force: bool = False, in_parts: InParts | None = None, zip_passphrase: Secret | None = None,
    stamp: Callable[[bytes], bytes] | None = None, when_whole: Callable[[Exported], object] = lambda exported: None,
    progress: Callable[[int, int], None] = lambda documents, size: None,
) -> Exported:  # fmt: skip
    """Seal a case, or the items that were named, for people. ``path`` is a file, or a folder to name one in.

    ``as_newsroom`` signs with the case's key, and names nobody who recorded anything. Without ``sources`` the
    documents' source fields stay here; what notes and names tell goes along. Without ``folders`` a document is called
    by the last part of its path. ``thumbnails`` are for the catalogue. ``in_parts`` needs a folder, which is made if it
    is missing. With ``zip_passphrase`` it becomes a ZIP, for nobody in particular. ``stamp`` gives a time stamp over
    the signature; when it raises, nothing is exported.

    ``when_whole`` is told what will be there when all of it is written, and nothing has its name yet nor is recorded;
    when it raises, nothing stays and nothing is recorded.

    Raises NotFound, BadInput, DamagedPack, AlreadyThere, LibraryMissing, DiskFailed. Nothing that has its name is left
    behind then, unless the vault is wiped, its disk fails, or Ctrl-C comes when the record says already that the export
    was begun (``vault.export_record``): the journalist is told (``Vault.notices``).
    """
    to = each_once(to)
    mine = any(person.recipient == vault.me.recipient for person in to)
    _expect_somebody_to_seal_for(to, mine=mine, as_newsroom=as_newsroom, as_zip=zip_passphrase is not None)
    expect_outside_vaults(path)
    identity, card = (case.keys.current, case.keys.card()) if as_newsroom else (vault.me, vault.me.card())
    bundle_id = new_bundle_id()
    if os.path.isdir(path) and in_parts is None:
        path = os.path.join(path, file_name_of(bundle_id, "age" if zip_passphrase is None else "zip"))
    with open_store(vault, case) as store:
        items = _chosen(store, references)
        for text in notices_of_unfinished(store):
            vault.notice(text)
        before, sealed_before = abroad.see(case, store), set[bytes]()
        only_here = before.tally.here - sum(before.places.get(item.id, Where.HERE) is Where.HERE for item in items)
        record = ExportRecord(vault, store, items, path)
        custody = told(store.index.events(), {item.id for item in items}, by_newsroom=as_newsroom)
        described = [_described(item, custody.get(item.id, ()), sources=sources, folders=folders) for item in items]
        bundle = compose(
            [a.recipient for a in to], described, signer=IdentitySigner(identity, card), clock_ns=vault.clock(),
            bundle_id=bundle_id, title=case.name, thumbnails=_thumbnails(store, items) if thumbnails else {},
            by_passphrase=zip_passphrase is not None, stamp=stamp,
        )  # fmt: skip
        whom = tuple(a.known_as for a in to) or (WHOEVER,)

        def begin(stanzas: int, size: int, parts: WrittenSet | None) -> Exported:
            summary = bundle.summary(stanzas)
            whole = Exported(path, summary, size, only_here, " ".join(card.words), mine, parts)
            when_whole(whole)
            sealed_before.update(_sealed_before(store))  # only now: another export may have ended since this one began
            record.begin(ExportNote(bundle_id, summary.tag_manifest_sha256, whom))
            return whole

        with record.room():
            done = _write(bundle, store, items, path, in_parts, zip_passphrase, force, vault.disk, progress, begin)
            event = record.finish()
    _count(vault, sum(item.id not in sealed_before for item in items), event.at_ns)
    return done


def _count(vault: Vault, new: int, at_ns: int) -> None:
    try:
        with vault.changing():
            counter.change(vault.folder, vault.disk, sealed=new, day=counter.day_of(at_ns))
    except DiskFailed as exc:
        vault.notice(
            _("the export is recorded; the public counter could not be changed: {reason}").format(reason=str(exc))
        )


def _expect_somebody_to_seal_for(to: Sequence[Addressee], *, mine: bool, as_newsroom: bool, as_zip: bool) -> None:
    if not to and not as_zip:
        raise BadInput(_("nobody to seal it for"), _("say who: --to CONTACT, or --recipient age1pq1…"))
    if as_newsroom and mine:
        raise BadInput(
            _("a bundle that the newsroom signs is not sealed for you: it would name your key among its recipients"),
            _("leave yourself out of --to and --recipient: you have the case itself"),
        )


def _chosen(store: CaseStore, references: Sequence[str]) -> list[Item]:
    named = {item.id: item for item in map(store.find, references)}
    items = list(named.values()) if references else list(store.index.items())
    if not items:
        raise BadInput(_("there is nothing in this case yet"))
    return items


def _write(
    bundle: Composed, store: CaseStore, items: Sequence[Item], path: str, in_parts: InParts | None,
    zip_passphrase: Secret | None, force: bool, disk: Disk, progress: Callable[[int, int], None],
    begin: Callable[[int, int, WrittenSet | None], Exported],
) -> Exported:  # fmt: skip
    """Seal the bundle into a file, or into a folder of parts. ``begin`` is called before anything has its name, with
    how many stanzas a file has, the bytes of all files, and the parts."""
    begun: list[Exported] = []

    def write(sink: tar.Sink) -> None:
        by_ids = with_known_digest(store, store.me, items)
        with closing(read_in_order(store, items, by_ids)) as documents:

            def content(_index: int) -> Iterator[bytes]:
                yield from next(documents)[1]
                progress(1, 0)

            bundle.write(
                sink, content, checked=lambda index: items[index].id in by_ids,
                progress=lambda size: progress(0, size),
            )  # fmt: skip

    try:
        crowd = bundle.crowd() if zip_passphrase is None else []
        if in_parts is None:

            def fill(sink: Sink) -> None:
                if zip_passphrase is not None:
                    _zip(sink, zip_passphrase, write)
                else:
                    _seal(sink, crowd, write)

            write_sealed(
                path, fill, disk=disk, force=force, when_whole=lambda size: begun.append(begin(len(crowd), size, None))
            )
        else:
            write_parts(
                path, cut(bundle.size, crowd, in_parts.part_size, in_parts.repair), bundle.crowd, write, disk=disk,
                progress=lambda size: progress(0, size),
                when_whole=lambda parts: begun.append(begin(len(crowd), parts.part_size * len(parts.parts), parts)),
            )  # fmt: skip
    except (ContentChanged, DamagedPack) as exc:
        raise DamagedPack(
            _("a document does not read back: {reason}").format(reason=exc), *exc.hints, _("`sandyk verify` names it")
        ) from exc
    return begun[0]


def _zip(sink: Sink, passphrase: Secret, write: Callable[[tar.Sink], None]) -> None:
    with zip_sink(sink, passphrase) as inside:
        write(inside)


def _seal(sink: Sink, crowd: Sequence[Recipient], write: Callable[[tar.Sink], None]) -> None:
    sealer = Sealer(sink, crowd, workers=WORKERS)
    write(sealer)
    sealer.finish()


def _thumbnails(store: CaseStore, items: Sequence[Item]) -> dict[int, bytes]:
    """Small pictures, by index, of documents whose names say that they are pictures; as many as a bundle has room for.

    A picture goes through a confined child and comes back as pixels alone. Whatever is no picture has none.
    """
    found: dict[int, bytes] = {}
    left = MAX_THUMBNAIL_BYTES
    with Thumbnailer() as maker:
        for index, item in enumerate(items):
            name = os.fsdecode(item.name.rpartition(b"/")[2])
            if left > 0 and kind_of(name)[0] == "image" and 0 < item.size <= MAX_PICTURE_BYTES:
                picture = maker.thumbnail(store.read(item))
                if picture is not None and len(picture) <= left:
                    found[index] = picture
                    left -= len(picture)
    return found


def _sealed_before(store: CaseStore) -> set[bytes]:
    return {item for row in store.index.events(EVENT_EXPORTED) for item in row.event.items}


def _described(item: Item, custody: tuple[dict[str, Any], ...], *, sources: bool, folders: bool) -> BundleItem:
    source = item.source if sources else ""
    name = item.name if folders else item.name.rpartition(b"/")[2]
    return BundleItem(name, item.size, item.sha256, item.mtime_ns, item.filed_ns, item.note, source, item.tags, custody)
