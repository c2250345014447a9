# SPDX-License-Identifier: Apache-2.0
"""Opening what was sealed: bundles, drops, and plain age files, into a folder or into a case.

A document is in the folder, or in the case, only when everything was verified to the
last byte: before that it lies in a folder named ``….partial``, or in packs that no item points to. When a disk fails,
what was verified of a bundle so far stays in that folder, and the next run goes on from it; after damage, after a
broken signature, and after Ctrl-C nothing stays that the run has written.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from gettext import gettext as _

from keys import age, sshsig
from keys.errors import MalformedAge
from keys.secret import Secret
from vault import catalogue, timestamp
from vault.bundle import NotABundle, Tags, TarBundleReader
from vault.cases import Case, list_cases, open_store
from vault.errors import BadInput, BrokenTimestamp, Damaged, DiskFailed, LibraryMissing
from vault.intake import Intake
from vault.model import EVENT_TAKEN_IN, ORIGIN_AGE, ORIGIN_BUNDLE, ORIGIN_DROP, Event, Item
from vault.names import bag_name, printable
from vault.part_reader import BadPart, PartSet, find_parts
from vault.partial import PartialFolder, may_go_on
from vault.placing import place_documents
from vault.refusals import refusal
from vault.sealed_files import PlainStream, Sealed, Zipped, is_zip, open_plain, plain_name, reading
from vault.senders import Sender, sender_of
from vault.sources import About, Incoming, StreamIncoming
from vault.timestamp import Roots, Stamp
from vault.vaults import Vault

PIECE = 1 << 20
MAX_IDENTITY_FILE = 64 << 10
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A document that is out of its seal: its true name, and where it lies now.

    ``place`` is a path, or an item's id; empty when the case had it before.
    """

    name: bytes
    place: str
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """A sealed file that was opened and verified to its end. ``kind``: bundle, drop, or age."""

    kind: str
    place: str
    title: str
    sender: Sender | None
    documents: tuple[Arrived, ...]
    filed_before: int = 0
    """How many of them a case had already, under the same name and with the same content."""
    tags: Tags | None = None
    """The verified description of a bundle or drop."""
    joined: PartSet | None = None
    """The parts that it came in."""
    kept: int = 0
    """How many documents an earlier run had written to the folder; they were verified again."""
    stamp: Stamp | None = None
    """A time stamp over the signature, not checked against any root."""

    @property
    def trusted(self) -> bool:
        """Whether nothing was signed, or somebody trusted signed it."""
        return self.sender is None or self.sender.trusted


def identities_of(vault: Vault) -> list[age.Identity]:
    """What can open something for this journalist: their own identity, and those of their cases."""
    cases, __ = list_cases(vault)
    return [vault.me.age, *(epoch.age for case in cases for epoch in reversed(case.keys.epochs))]


def read_identity_file(path: str) -> list[age.Identity]:
    """The identities in a file as age-keygen writes it. Raises BadInput, Damaged."""
    try:
        with open(path, "rb") as f:
            return list(age.parse_identity_file(f.read(MAX_IDENTITY_FILE + 1)))
    except OSError as exc:
        raise BadInput(_("{path} cannot be read: {reason}").format(path=printable(path), reason=refusal(exc))) from exc
    except MalformedAge as exc:
        raise Damaged(
            _("{path} is no file of age identities: {reason}").format(path=printable(path), reason=exc),
            _("it is the file that age-keygen wrote; if a passphrase protects it, first: age -d -o KEYFILE FILE"),
        ) from exc


def what_to_open(
    paths: Sequence[str], identities: Sequence[age.Identity], zip_passphrase: Callable[[], Secret]
) -> Sealed:
    """A single sealed file, or the parts of one bundle that these files and folders hold.

    ``zip_passphrase`` is asked if it is a ZIP. Raises BadInput, DamagedBundle, DiskFailed (``part_reader.find_parts``).
    """
    if len(paths) == 1 and is_zip(paths[0]):
        return Zipped(paths[0], zip_passphrase())
    return find_parts(paths, identities) or paths[0]


def what_to_open_without_vault(
    paths: Sequence[str], identity_file: str | None, zip_passphrase: Callable[[], Secret]
) -> tuple[list[age.Identity], Sealed]:
    """The identities in a file, and what they are to open; without one none, and a ZIP.

    Raises BadInput also for a ZIP with a file of identities, Damaged, and what ``what_to_open`` raises.
    """
    if identity_file is None:
        return [], what_to_open(paths, [], zip_passphrase)
    identities = read_identity_file(identity_file)
    return identities, what_to_open(paths, identities, _no_zip_passphrase)


def _no_zip_passphrase() -> Secret:
    raise BadInput(_("a ZIP is opened with its passphrase, not with an identity: leave out --identity"))


def open_into_folder(
    sealed: Sealed, identities: Sequence[age.Identity], folder: str, vault: Vault | None, *,
    roots: Roots = (), progress: Progress,
) -> Opened:  # fmt: skip
    """Open a sealed file, or a bundle in parts, and write what is inside below ``folder``.

    A bundle becomes the folder ``bundle-<8 hex>``, exactly as stock age and tar would leave it. With ``roots``, only
    one with a time stamp that one of them vouches for is opened. Raises DoesNotOpen, DamagedBundle, BrokenSignature,
    BrokenTimestamp, Resealed, AlreadyThere, DiskFailed; for parts also PartsMissing; LibraryMissing.
    """
    if isinstance(sealed, PartSet):
        return _joined(sealed, lambda parts: _into_folder(parts, identities, folder, vault, roots, progress))
    return _into_folder(sealed, identities, folder, vault, roots, progress)


def _joined(parts: PartSet, attempt: Callable[[PartSet], Opened]) -> Opened:
    """Open a bundle in parts; each time one of them turns out to be bad, begin anew without it."""
    while True:
        try:
            return replace(attempt(parts), joined=parts)
        except BadPart as bad:
            parts = parts.without(bad)


def _into_folder(
    sealed: Sealed, identities: Sequence[age.Identity], folder: str, vault: Vault | None, roots: Roots,
    progress: Progress,
) -> Opened:  # fmt: skip
    out = PartialFolder(folder)
    try:
        try:
            with reading(sealed, identities, out.append, skipping=may_go_on(folder)) as reader:
                return _bundle_into_folder(reader, out, vault, roots, progress)
        except NotABundle:
            out.discard()
            if not isinstance(sealed, str):
                raise
            _expect_no_roots(roots)
            with open_plain(sealed, identities) as plain:
                return _plain_into_folder(sealed, plain, out, progress)
    except (OSError, DiskFailed) as exc:
        raise _disk_failed(exc, folder, out.keep()) from exc
    except BaseException:
        out.discard()
        raise


def _disk_failed(exc: OSError | DiskFailed, folder: str, kept: str | None) -> DiskFailed:
    """What happened to which disk, and what to do about what is left."""
    if isinstance(exc, OSError):
        problem = _("the folder {folder} cannot be written: {reason}").format(
            folder=printable(folder), reason=refusal(exc).lower()
        )
    else:
        problem = str(exc)
    if kept is None:
        return DiskFailed(problem, _("nothing of it was kept; when the disk is well, or has room, open it again"))
    return DiskFailed(
        problem,
        _("the documents that were verified so far are in {kept}, in clear").format(kept=printable(kept)),
        _("open it again to the same place, and it goes on from them; or remove that folder"),
    )


def _bundle_into_folder(
    reader: TarBundleReader, out: PartialFolder, vault: Vault | None, roots: Roots, progress: Progress
) -> Opened:
    tags, stamp = reader.tags, _stamp(reader.tags, roots)
    out.go_on()
    _distrust_page(tags, out)
    kept = place_documents(reader, out, progress)
    place = out.finish()
    documents = tuple(Arrived(i.name, os.path.join(place, *i.path.split("/")), i.size, i.sha256) for i in tags.items)
    return Opened(_kind(tags), place, tags.title, _sender(vault, tags), documents, tags=tags, kept=kept, stamp=stamp)


def _distrust_page(tags: Tags, out: PartialFolder) -> None:
    """Keep the sender's catalogue page under its name only when it is the page that this program would make.

    A page is opened in a browser with a click, and a hostile sender's may hold anything. Another page (of a newer
    version, or a hostile one) stays for `sha256sum -c` under a name that no browser opens, and ours takes its place.
    """
    sender = sshsig.fingerprint(tags.signer.public) if tags.signer else ""
    text = catalogue.render(
        tags.bundle_id, tags.items, title=tags.title, sealed_ns=tags.sealed_ns, sender=sender,
        thumbnails=tags.thumbnails,
    )  # fmt: skip
    page = text.encode("utf-8")
    path = out.path(f"{out.root}/index.html")
    if os.path.getsize(path) == len(page):
        with open(path, "rb") as theirs:
            if theirs.read() == page:
                return
    os.rename(path, f"{path}.from-sender")
    with out.create(f"{out.root}/index.html") as ours:
        ours.write(page)


def _plain_into_folder(path: str, plain: PlainStream, out: PartialFolder, progress: Progress) -> Opened:
    import hashlib

    name, digest, size = plain_name(path), hashlib.sha256(), 0
    inside = bag_name(name)
    with out.create(f"opened-{secrets.token_hex(4)}/{inside}") as f:
        while piece := plain.read(PIECE):
            digest.update(piece)
            size += len(piece)
            f.write(piece)
            progress(0, len(piece))
    place = out.finish()
    return Opened("age", place, "", None, (Arrived(name, os.path.join(place, inside), size, digest.digest()),))


def open_into_case(
    vault: Vault, case: Case, sealed: Sealed, *, roots: Roots = (), progress: Progress
) -> Opened:  # fmt: skip
    """Take what is sealed in a file, or in parts, into a case: all of it, or, when anything is wrong, nothing.

    ``roots`` as for ``open_into_folder``, and what is raised too.
    """
    identities = identities_for(vault, case)
    if isinstance(sealed, PartSet):
        return _joined(sealed, lambda parts: _sealed_into_case(vault, case, parts, identities, roots, progress))
    try:
        return _sealed_into_case(vault, case, sealed, identities, roots, progress)
    except NotABundle:
        if not isinstance(sealed, str):
            raise
        _expect_no_roots(roots)
        with open_plain(sealed, identities) as plain:
            one = StreamIncoming(plain_name(sealed), plain, None, ORIGIN_AGE)
            intake = _take_in(vault, case, iter([one]), "age file, unsigned", progress)
        return _filed("age", case, intake)


def _sealed_into_case(
    vault: Vault, case: Case, sealed: Sealed, identities: Sequence[age.Identity], roots: Roots, progress: Progress
) -> Opened:
    with reading(sealed, identities, None) as reader:
        return _bundle_into_case(vault, case, reader, roots, progress)


def identities_for(vault: Vault, case: Case) -> list[age.Identity]:
    """What opens something that is to be taken into a case: the case's identities, and the journalist's own."""
    return [*(epoch.age for epoch in reversed(case.keys.epochs)), vault.me.age]


def _bundle_into_case(
    vault: Vault, case: Case, reader: TarBundleReader, roots: Roots, progress: Progress
) -> Opened:  # fmt: skip
    tags = reader.tags
    sender, stamp = _sender(vault, tags), _stamp(tags, roots)
    signed = f"signed by {sender.words}" if sender else "unsigned"
    incoming = _from_bundle(reader, ORIGIN_BUNDLE if tags.signer else ORIGIN_DROP)
    intake = _take_in(vault, case, incoming, f"{_kind(tags)} {tags.bundle_id.hex()}, {signed}", progress)
    return replace(_filed(_kind(tags), case, intake, sender, tags), stamp=stamp)


def _filed(kind: str, case: Case, intake: Intake, sender: Sender | None = None, tags: Tags | None = None) -> Opened:
    documents = tuple(
        Arrived(one.incoming.name, one.item.hex() if one.item else "", one.size, one.sha256) for one in intake.filed
    )
    before = sum(one.item is None for one in intake.filed)
    return Opened(kind, case.name, tags.title if tags else "", sender, documents, before, tags)


def _stamp(tags: Tags, roots: Roots) -> Stamp | None:
    """A time stamp that comes along. One that is not over the signature is refused; none can be read without a library.

    With ``roots`` there must be one, and one of them must vouch for it. Raises BrokenTimestamp; with ``roots``
    LibraryMissing too.
    """
    if tags.untrusted_timestamp is None:
        _expect_no_roots(roots)
        return None
    try:
        return timestamp.judge(tags.untrusted_timestamp, tags.signature, roots=roots)
    except LibraryMissing:
        if roots:
            raise
        return None


def _expect_no_roots(roots: Roots) -> None:
    if roots:
        raise BrokenTimestamp(
            _("no time stamp came with it, and --tsa-ca asks for one: nothing was opened"),
            _("without --tsa-ca it opens"),
        )


def _from_bundle(reader: TarBundleReader, origin: str) -> Iterator[Incoming]:
    signer = reader.tags.signer.public if reader.tags.signer else b""
    for item, document in reader.payload():
        about = About(item.note, item.source, item.tags)
        yield StreamIncoming(item.name, document, item.mtime_ns, origin, signer, about)


def _take_in(vault: Vault, case: Case, incoming: Iterator[Incoming], detail: str, progress: Progress) -> Intake:
    from vault.filing import counting

    with open_store(vault, case) as store, counting(vault, store) as coming:

        def events(items: tuple[Item, ...]) -> tuple[Event, ...]:
            coming(items)
            ids = tuple(item.id for item in items)
            return (Event(vault.clock(), EVENT_TAKEN_IN, ids, detail),) if ids else ()

        return store.file(incoming, together=True, events=events, progress=progress)


def _kind(tags: Tags) -> str:
    return "bundle" if tags.signer else "drop"


def _sender(vault: Vault | None, tags: Tags) -> Sender | None:
    return sender_of(vault, tags.signer) if tags.signer else None
