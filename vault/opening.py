# SPDX-License-Identifier: Apache-2.0
"""Opening what was sealed: bundles, drops, and plain age files, into a folder or into a case.

A document is in the folder, or in the case, only when everything was verified to the
last byte: before that it lies in a folder named ``….partial``, or in packs that no item points to.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import BufferedWriter, FileIO
from typing import Literal

from keys import age, sshsig
from keys.errors import KeysError, NoMatch
from vault import catalogue
from vault.bundle import BundleReader, NotABundle, Tags, TarBundleReader, own_keys
from vault.cases import Case, list_cases, open_store
from vault.errors import AlreadyThere, BadInput, DamagedBundle, DiskFailed, DoesNotOpen
from vault.intake import Intake
from vault.model import EVENT_TAKEN_IN, ORIGIN_AGE, ORIGIN_BUNDLE, ORIGIN_DROP, Event, Item
from vault.names import bag_name, printable
from vault.part_reader import BadPart, JoinedParts, PartSet, find_parts
from vault.senders import Sender, sender_of
from vault.sources import About, Incoming, StreamIncoming
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

    @property
    def trusted(self) -> bool:
        """Whether nothing was signed, or somebody trusted signed it."""
        return self.sender is None or self.sender.trusted


def identities_of(vault: Vault) -> list[age.Identity]:
    """What can open something for this journalist: their own identity, and those of their cases."""
    cases, _ = list_cases(vault)
    return [vault.me.age, *(epoch.age for case in cases for epoch in reversed(case.keys.epochs))]


def read_identity_file(path: str) -> list[age.Identity]:
    """The identities in a file as age-keygen writes it. Raises BadInput, MalformedAge."""
    try:
        with open(path, "rb") as f:
            return list(age.parse_identity_file(f.read(MAX_IDENTITY_FILE + 1)))
    except OSError as exc:
        raise BadInput(f"{printable(path)} cannot be read: {exc.strerror}") from exc


def what_to_open(paths: Sequence[str], identities: Sequence[age.Identity]) -> str | PartSet:
    """A single sealed file's path, or the parts of one bundle that these files and folders hold.

    Raises BadInput, DamagedBundle, DiskFailed (``part_reader.find_parts``).
    """
    return find_parts(paths, identities) or paths[0]


def open_into_folder(
    sealed: str | PartSet, identities: Sequence[age.Identity], folder: str, vault: Vault | None, *, progress: Progress
) -> Opened:
    """Open a sealed file, by its path, or a bundle in parts, and write what is inside below ``folder``.

    A bundle becomes the folder ``bundle-<8 hex>``, exactly as stock age and tar would leave it. Raises
    DoesNotOpen, DamagedBundle, BrokenSignature, Resealed, AlreadyThere, DiskFailed; for parts also PartsMissing and
    LibraryMissing.
    """
    if isinstance(sealed, PartSet):
        return _joined(sealed, lambda parts: _into_folder(parts, identities, folder, vault, progress))
    return _into_folder(sealed, identities, folder, vault, progress)


def _joined(parts: PartSet, attempt: Callable[[PartSet], Opened]) -> Opened:
    """Open a bundle in parts; each time one of them turns out to be bad, begin anew without it."""
    while True:
        try:
            return replace(attempt(parts), joined=parts)
        except BadPart as bad:
            parts = parts.without(bad)


def _into_folder(
    sealed: str | PartSet, identities: Sequence[age.Identity], folder: str, vault: Vault | None, progress: Progress
) -> Opened:
    out = _Partial(folder)
    try:
        if isinstance(sealed, PartSet):
            return _bundle_into_folder(_joining(sealed, identities, out.append), out, vault, progress)
        path = sealed
        try:
            with _sealed(path) as source:
                reader = _reader(source, identities, out.append)
                return _bundle_into_folder(reader, out, vault, progress)
        except NotABundle:
            out.discard()
            with _sealed(path) as source:
                return _plain_into_folder(path, _plain(source, identities), out, progress)
    except BaseException as exc:
        out.discard()
        if isinstance(exc, OSError):
            raise DiskFailed(
                f"the folder {printable(folder)} cannot be written: {(exc.strerror or str(exc)).lower()}",
                "nothing of it was kept; make room, then open it again",
            ) from exc
        raise


def _bundle_into_folder(reader: TarBundleReader, out: _Partial, vault: Vault | None, progress: Progress) -> Opened:
    tags = reader.tags
    _distrust_page(tags, out)
    for item, document in reader.payload():
        with out.create(f"{out.root}/{item.path}") as f:
            while piece := document.read(PIECE):
                f.write(piece)
                progress(0, len(piece))
        if item.mtime_ns is not None:
            with suppress(OSError, OverflowError):
                os.utime(f.name, ns=(item.mtime_ns, item.mtime_ns))
        progress(1, 0)
    place = out.finish()
    documents = tuple(Arrived(i.name, os.path.join(place, *i.path.split("/")), i.size, i.sha256) for i in tags.items)
    return Opened(_kind(tags), place, tags.title, _sender(vault, tags), documents, tags=tags)


def _distrust_page(tags: Tags, out: _Partial) -> None:
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


def _plain_into_folder(path: str, plain: age.Opener, out: _Partial, progress: Progress) -> Opened:
    import hashlib

    name, digest, size = _name_of_plain(path), hashlib.sha256(), 0
    inside = bag_name(name)
    with out.create(f"opened-{secrets.token_hex(4)}/{inside}") as f:
        while piece := _read_plain(plain):
            digest.update(piece)
            size += len(piece)
            f.write(piece)
            progress(0, len(piece))
    place = out.finish()
    return Opened("age", place, "", None, (Arrived(name, os.path.join(place, inside), size, digest.digest()),))


def open_into_case(vault: Vault, case: Case, sealed: str | PartSet, *, progress: Progress) -> Opened:
    """Take what is sealed in a file, or in parts, into a case: all of it, or, when anything is wrong, nothing.

    Raises DoesNotOpen, DamagedBundle, BrokenSignature, Resealed, DiskFailed; for parts also PartsMissing and
    LibraryMissing.
    """
    identities = identities_for(vault, case)
    if isinstance(sealed, PartSet):
        return _joined(
            sealed, lambda parts: _bundle_into_case(vault, case, _joining(parts, identities, None), progress)
        )
    try:
        with _sealed(sealed) as source:
            return _bundle_into_case(vault, case, _reader(source, identities, None), progress)
    except NotABundle:
        with _sealed(sealed) as source:
            stream = _PlainStream(_plain(source, identities))
            one = StreamIncoming(_name_of_plain(sealed), stream, None, ORIGIN_AGE)
            intake = _take_in(vault, case, iter([one]), "age file, unsigned", progress)
        return _filed("age", case, intake)


def identities_for(vault: Vault, case: Case) -> list[age.Identity]:
    """What opens something that is to be taken into a case: the case's identities, and the journalist's own."""
    return [*(epoch.age for epoch in reversed(case.keys.epochs)), vault.me.age]


def _bundle_into_case(vault: Vault, case: Case, reader: TarBundleReader, progress: Progress) -> Opened:
    tags = reader.tags
    sender = _sender(vault, tags)
    signed = f"signed by {sender.words}" if sender else "unsigned"
    incoming = _from_bundle(reader, ORIGIN_BUNDLE if tags.signer else ORIGIN_DROP)
    intake = _take_in(vault, case, incoming, f"{_kind(tags)} {tags.bundle_id.hex()}, {signed}", progress)
    return _filed(_kind(tags), case, intake, sender, tags)


def _filed(kind: str, case: Case, intake: Intake, sender: Sender | None = None, tags: Tags | None = None) -> Opened:
    documents = tuple(
        Arrived(one.incoming.name, one.item.hex() if one.item else "", one.size, one.sha256) for one in intake.filed
    )
    before = sum(one.item is None for one in intake.filed)
    return Opened(kind, case.name, tags.title if tags else "", sender, documents, before, tags)


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


@contextmanager
def _sealed(path: str) -> Iterator[age.Source]:
    try:
        f = open(path, "rb", buffering=0)  # noqa: SIM115  # closed below; its opening has an error of its own
    except OSError as exc:
        raise BadInput(f"{printable(path)} cannot be read: {(exc.strerror or str(exc)).lower()}") from exc
    with f:
        try:
            yield _SealedFile(f, path)
        except NoMatch as exc:
            raise DoesNotOpen(
                f"{printable(path)} is sealed for somebody else", "ask the sender whom they sealed it for"
            ) from exc


class _SealedFile:
    """A file being read. That it cannot be read is neither damage of the seal nor a failure to write."""

    def __init__(self, f: FileIO, path: str) -> None:
        self._f, self._path = f, path

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; nothing at the end. Raises DiskFailed."""
        with self._failing():
            return self._f.read(size)

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer, or a part of it. Raises DiskFailed."""
        with self._failing():
            return self._f.readinto(buffer)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise DiskFailed(f"{printable(self._path)} cannot be read: {(exc.strerror or str(exc)).lower()}") from exc


def _reader(
    source: age.Source, identities: Sequence[age.Identity], on_tag: Callable[[str, bytes], object] | None
) -> BundleReader:
    return BundleReader(source, identities, on_tag=on_tag, workers=2)


def _joining(
    parts: PartSet, identities: Sequence[age.Identity], on_tag: Callable[[str, bytes], object] | None
) -> TarBundleReader:
    return TarBundleReader(JoinedParts(parts), own_keys(identities), on_tag=on_tag)


def _plain(source: age.Source, identities: Sequence[age.Identity]) -> age.Opener:
    try:
        return age.Opener(source, identities, workers=2)
    except NoMatch:
        raise
    except KeysError as exc:
        raise DamagedBundle(f"this is no age file, or it is damaged: {exc}") from exc


def _read_plain(plain: age.Opener, size: int = PIECE) -> bytes:
    try:
        return plain.read(size)
    except KeysError as exc:
        raise DamagedBundle(f"the sealed file was changed or cut off: {exc}") from exc


class _PlainStream:
    def __init__(self, plain: age.Opener) -> None:
        self._plain = plain

    def read(self, size: int = -1, /) -> bytes:
        return _read_plain(self._plain, size)


def _name_of_plain(path: str) -> bytes:
    return os.fsencode(os.path.basename(path)).removesuffix(b".age") or b"opened"


class _Partial:
    """A folder being filled under a name that says so; ``finish`` gives it its own."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._partial = os.path.join(folder, f"opening-{secrets.token_hex(4)}.partial")
        self.root = ""

    def append(self, path: str, piece: bytes) -> None:
        """Add to a file below the folder. Pieces of one file come one behind the other."""
        with self.create(path, mode="ab") as f:
            f.write(piece)

    def create(self, path: str, mode: Literal["xb", "ab"] = "xb") -> BufferedWriter:
        """Open a file below the folder; ``path`` begins with the root folder that everything lies in."""
        root = path.partition("/")[0]
        if not self.root:
            self.root = root
            if os.path.lexists(os.path.join(self._folder, root)):
                raise AlreadyThere(
                    f"{printable(os.path.join(self._folder, root))} is there already",
                    "it was opened before; remove it, or choose another folder",
                )
        where = self.path(path)
        self._make_folder(os.path.dirname(where))
        return open(where, mode, opener=lambda name, flags: os.open(name, flags, 0o600))

    def _make_folder(self, path: str) -> None:
        """``makedirs``, whose ``mode`` holds for the last folder alone."""
        if not os.path.isdir(path):
            if path != self._partial:
                self._make_folder(os.path.dirname(path))
            else:
                os.makedirs(self._folder, mode=0o700, exist_ok=True)
            os.mkdir(path, 0o700)

    def path(self, path: str) -> str:
        """Where a file lies until the folder is finished."""
        return os.path.join(self._partial, *path.split("/")[1:])

    def finish(self) -> str:
        """Give the folder its name; the path."""
        place = os.path.join(self._folder, self.root)
        os.rename(self._partial, place)
        return place

    def discard(self) -> None:
        """Remove everything that was written."""
        shutil.rmtree(self._partial, ignore_errors=True)
        self.root = ""
