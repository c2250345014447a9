# SPDX-License-Identifier: Apache-2.0
"""Reads a sealed bundle: first judges everything that describes and signs it, then hands out the documents.

There is no bundle object before its tag files were read, bounded, compared and verified;
so nobody can write a document to a disk before that. It is the judge of docs/format-bundle.md
and refuses (``DamagedBundle`` where no other error is named):

 1. what age refuses: changed, reordered, cut-off or appended bytes; ``keys.errors.NoMatch`` when no identity opens it
 2. what ``vault.tar`` refuses: anything but regular files in one spelling, tricks in paths, one name twice
 3. a first file that is not ``bundle-<8 hex>/bagit.txt`` (``NotABundle``), or any file outside of that folder
 4. a tag file that is unknown, out of order, larger than its limit, or missing
 5. a bag that is not BagIt 1.0 in UTF-8 with exactly our two manifests
 6. a bag-info.txt, items.json, custody.jsonl or manifest in any other spelling than the writer's, or that disagree:
    identifier, date, number and size of the documents, paths, digests
 7. a tag manifest that does not list each tag file exactly once with its true digest
 8. one or more of the two signatures, ``Sealed-By``, sender.card and sender.mldsa65.pem without all the others
 9. a signature that does not verify, or by another key than ``Sealed-By`` and the card name (``BrokenSignature``)
10. a bundle of which ``Sealed-For`` names none of the reader's own keys (``Resealed``): whoever it was sealed for has
    passed it on in the sender's name
11. a document that is missing, surplus, out of order, of another size, or of another digest
12. padding that is not NUL, or of another length than Padmé gives

It does not decide whether the signer is anybody one knows: ``tags.signer`` is for the caller to look up.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from gettext import gettext as _

from keys import age, mldsa, sshsig
from keys.card import Card, parse_card
from keys.card import encode as encode_card
from keys.errors import BadSignature, KeysError
from keys.errors import NewerFormat as KeysNewer
from vault import bagit
from vault import bundle_layout as layout
from vault.bundle_items import Contents, SealedItem, parse_contents
from vault.errors import BrokenSignature, DamagedBundle, NewerFormat, Resealed
from vault.lanes import Hashing, Lane
from vault.padding import padme
from vault.plaintext import DamagedSeal, Plaintext
from vault.tar import PIECE, Member, Source, TarReader
from vault.thumbnails import is_plain_thumbnail

LITTLE = 1 << 20
"""Bytes of a document that is hashed by whoever reads it: another thread is woken later than that is done."""
WHOLE = 4 << 20
"""Bytes of a document that can be had as one value and not as a stream."""
_ROOT = re.compile(r"bundle-[0-9a-f]{8}")
_KEPT = frozenset(layout.MAX_BYTES) - {layout.README, layout.CATALOGUE}
"""Tag files whose content is looked at; of the others only the digest is."""
_THUMBNAILS = layout.thumbnail_path("").removesuffix(".png")
_REQUIRED = (
    *(bagit.DECLARATION_NAME, bagit.INFO_NAME, layout.MANIFEST, layout.ITEMS, layout.CUSTODY),
    *(layout.TAG_MANIFEST, layout.README, layout.CATALOGUE),
)


class NotABundle(DamagedBundle):
    """Raised when what was opened does not even begin like a bundle: perhaps a file sealed with another program."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed, with the two keys of a card. Whether it is anybody's one knows, the caller must find out."""

    public: bytes
    """Ed25519, 32 bytes."""
    card: Card
    card_text: str


@dataclass(frozen=True, slots=True)
class Tags:
    """The verified description of a bundle."""

    bundle_id: bytes
    title: str
    sealed_ns: int
    """When, as the sender's clock had it."""
    items: tuple[SealedItem, ...]
    sealed_for: tuple[str, ...]
    """``SHA256:…`` of the raw keys it was sealed for (``bundle_layout.key_digest``)."""
    signer: Signer | None
    """None for a drop: nothing shows who sent it."""
    tag_manifest_sha256: bytes
    not_examined: tuple[str, ...]
    """Names of files that a later version may know; only their digests were checked, if anything."""
    signature: bytes = b""
    """The text of the ``.sig``, which a time stamp is over; nothing for a drop."""
    untrusted_timestamp: bytes | None = None
    """What is said to be a server's answer (RFC 3161): ``vault.timestamp`` judges it."""
    thumbnails: tuple[str, ...] = ()
    """Numbers, spelled as in the paths, of the documents with a small picture that was judged to be nothing else."""


@dataclass(frozen=True, slots=True)
class _TagFile:
    digest: bytes
    kept: bytes


class Document:
    """The content of one document, as a stream, until the next is asked for.

    Its end (``b""``) means that size and digest were right. After DamagedBundle, what was read
    of it before is not what the sender described and must not be kept.
    """

    def __init__(self, tar: TarReader, item: SealedItem, lane: Lane) -> None:
        self._tar = tar
        self._item = item
        self._hashing = Hashing(lane) if item.size > LITTLE else None
        self._digest = hashlib.sha256()
        self._done = False
        self._over = False

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes, or all that are left. Raises DamagedBundle."""
        if size < 0:
            return b"".join(iter(lambda: self.read(PIECE), b""))
        if self._over:
            raise ValueError("the next document was asked for already")
        piece = self._tar.read(size)
        if self._hashing is None:
            self._digest.update(piece)
        elif piece:
            self._hashing.update(piece)
        if not piece and size and not self._done:
            self._expect_digest()
            self._done = True
        return piece

    def untrusted_whole(self) -> bytes:
        """All of a document up to WHOLE at once, its digest not compared: the caller does that (``check_whole``)."""
        if self._over or self._done or self._item.size > WHOLE:
            raise ValueError("a document that is long, or was read already, cannot be had whole")
        pieces = []
        while piece := self._tar.read(WHOLE):
            pieces.append(piece)
        self._done = True
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def pass_over(self) -> None:
        """Leave it out: for a caller who has it already, with the same size and digest.

        Its bytes are not read if the source can do without; else they are checked as if they were.
        """
        self._done = self._tar.pass_over()

    def finish(self) -> None:
        """Read and check what was not read yet."""
        while self.read(PIECE):
            pass
        self._over = True

    def _expect_digest(self) -> None:
        if self._hashing is not None:
            self._hashing.expect(self._item.sha256, lambda: _other_document(self._item))
            self._hashing.wait()
        elif self._digest.digest() != self._item.sha256:
            raise _other_document(self._item)


def check_whole(item: SealedItem, untrusted: bytes) -> None:
    """Raise DamagedBundle unless these bytes are the document that the sender described."""
    if len(untrusted) != item.size or hashlib.sha256(untrusted).digest() != item.sha256:
        raise _other_document(item)


def _other_document(item: SealedItem) -> DamagedBundle:
    return DamagedBundle(_("{path} is not the document that the bundle describes").format(path=item.path))


class TarBundleReader:
    """A bundle whose encryption was taken off already, for example with stock age. See BundleReader."""

    def __init__(
        self, plaintext: Source, own: Sequence[bytes] = (), *, on_tag: Callable[[str, bytes], object] | None = None
    ) -> None:
        """``own`` are the raw keys of the reader; without any, ``Sealed-For`` is not compared.

        ``on_tag`` is handed the bytes of each tag file as they are read: its path, and a piece. They are
        unverified until the constructor returns, and nothing may be left of them if it does not.
        """
        self._on_tag = on_tag
        self._tar = TarReader(plaintext, max_members=layout.MAX_ITEMS + layout.MAX_OTHER_FILES)
        self._started = False
        self._root, first = self._read_start()
        files, self._pending = self._read_tag_files(first)
        self.tags = _judge(files, self._root)
        if own and not {layout.key_digest(raw) for raw in own} & set(self.tags.sealed_for):
            raise Resealed(
                _("this bundle was sealed for others, and one of them sealed it again for you"),
                _("ask the sender in another way whether you were meant to have it"),
            )

    def payload(self) -> Iterator[tuple[SealedItem, Document]]:
        """Each document in order, once. What the caller leaves unread is read and checked all the same.

        The bundle is whole when this ends without DamagedBundle; a caller who stops early knows nothing of the rest.
        """
        if self._started:
            raise ValueError("the documents of a bundle can be read once")
        self._started = True
        member: Member | None = self._pending
        with Lane("bundle-hash") as lane:
            for item in self.tags.items:
                if member is None or member.path != f"{self._root}/{item.path}" or member.size != item.size:
                    raise DamagedBundle(_("{path} is missing, out of order or of another size").format(path=item.path))
                document = Document(self._tar, item, lane)
                yield item, document
                document.finish()
                member = next(self._tar, None)
        if member is not None:
            raise DamagedBundle(_("the bundle holds more documents than it describes"))
        if self._tar.consumed != padme(self._tar.size or 0, least=layout.LEAST_PLAINTEXT):
            raise DamagedBundle(_("the bundle is padded to another length than it must be"))

    def _read_start(self) -> tuple[str, Member]:
        try:
            first = next(self._tar)
        except DamagedSeal:
            raise
        except (DamagedBundle, StopIteration) as exc:
            raise NotABundle(_("this does not begin like a bundle")) from exc
        root, __, name = first.path.partition("/")
        if name != bagit.DECLARATION_NAME or not _ROOT.fullmatch(root):
            raise NotABundle(_("this is a tar, but not a bundle"))
        return root, first

    def _read_tag_files(self, first: Member) -> tuple[dict[str, _TagFile], Member]:
        """All files before the first document, and that document's member."""
        files: dict[str, _TagFile] = {}
        member: Member | None = first
        before = (-1, "")
        other_left = layout.MAX_OTHER_TOTAL_BYTES
        while member is not None:
            root, __, name = member.path.partition("/")
            if root != self._root:
                raise DamagedBundle(_("the bundle holds a file outside of its folder"))
            if name.startswith(bagit.PAYLOAD_FOLDER):
                return files, member
            place = layout.place_of(name)
            if place <= before:
                raise DamagedBundle(_("{name} is out of order").format(name=name))
            before = place
            if name not in layout.MAX_BYTES:
                other_left -= member.size
            if other_left < 0 or member.size > layout.MAX_BYTES.get(name, layout.MAX_OTHER_BYTES):
                raise DamagedBundle(_("{name} is larger than it may be").format(name=name))
            files[name] = self._read_tag_file(member.path, name)
            if name == bagit.INFO_NAME:
                layout.refuse_newer(files[name].kept)  # what follows may be of another form
            member = next(self._tar, None)
        raise DamagedBundle(_("the bundle holds no documents"))

    def _read_tag_file(self, path: str, name: str) -> _TagFile:
        digest = hashlib.sha256()
        kept = []
        if self._on_tag:
            self._on_tag(path, b"")  # so that an empty file is there too
        while piece := self._tar.read(PIECE):
            digest.update(piece)
            if self._on_tag:
                self._on_tag(path, piece)
            if name in _KEPT or name.startswith(_THUMBNAILS):
                kept.append(piece)
        return _TagFile(digest.digest(), b"".join(kept))


class BundleReader(TarBundleReader):
    """A sealed bundle, opened with one of ``identities`` from a stream that is read from beginning to end.

    The constructor verifies all that comes before the documents (the list in this module's
    docstring) and ``tags`` is the result. ``own``: raw recipient keys to look for in
    ``Sealed-For``; those of the identities if not given.
    """

    def __init__(
        self,
        source: Source,
        identities: Sequence[age.Identity],
        *,
        own: Sequence[bytes] | None = None,
        workers: int = 1,
        on_tag: Callable[[str, bytes], object] | None = None,
    ) -> None:
        own = own_keys(identities) if own is None else own
        super().__init__(Plaintext(source, identities, workers), own, on_tag=on_tag)


def own_keys(identities: Sequence[age.Identity]) -> list[bytes]:
    """The raw recipient keys of identities, as ``Sealed-For`` may name them."""
    return [i.recipient.raw for i in identities if isinstance(i, (age.HybridIdentity, age.X25519Identity))]


def _judge(files: dict[str, _TagFile], root: str) -> Tags:
    """Steps 4 to 9 of the list above. Raises DamagedBundle or BrokenSignature."""
    missing = [name for name in _REQUIRED if name not in files]
    if missing:
        raise DamagedBundle(_("the bundle has no {missing}").format(missing=missing[0]))
    _expect_listed(files)
    binding = layout.parse_binding(files[bagit.INFO_NAME].kept)
    if layout.root_of(binding.bundle_id) != root:
        raise DamagedBundle(_("the bundle's folder has another name than its identifier gives"))
    signer = _verify_signer(files, binding)
    contents = parse_contents(files[layout.ITEMS].kept, files[layout.CUSTODY].kept)
    _expect_agreement(files, binding, contents)
    pictures = {layout.thumbnail_path(number): number for number in (i.path.split("/")[1] for i in contents.items)}
    shown = {name: n for name, n in pictures.items() if name in files and is_plain_thumbnail(files[name].kept)}
    unknown = [name for name in files if name not in shown and name not in layout.MAX_BYTES]
    return Tags(
        binding.bundle_id,
        contents.title,
        contents.sealed_ns,
        contents.items,
        binding.sealed_for,
        signer,
        files[layout.TAG_MANIFEST].digest,
        tuple(unknown),
        files[layout.SIGNATURE].kept if signer else b"",
        files[layout.TIMESTAMP].kept if layout.TIMESTAMP in files else None,
        tuple(shown.values()),
    )


def _expect_listed(files: dict[str, _TagFile]) -> None:
    listed = ((name, file.digest) for name, file in files.items() if name not in layout.UNLISTED)
    if bagit.render_manifest(listed) != files[layout.TAG_MANIFEST].kept:
        raise DamagedBundle(_("a file that describes the bundle was changed, or is not listed"))


def _expect_agreement(files: dict[str, _TagFile], binding: layout.Binding, contents: Contents) -> None:
    """bagit.txt, bag-info.txt and the manifest must be what the writer makes of the items."""
    payload_size = sum(item.size for item in contents.items)
    expected = {
        bagit.DECLARATION_NAME: bagit.DECLARATION,
        bagit.INFO_NAME: layout.render_info(binding, contents.sealed_ns, payload_size, len(contents.items)),
        layout.MANIFEST: bagit.render_manifest((item.path, item.sha256) for item in contents.items),
    }
    for name, text in expected.items():
        if files[name].kept != text:
            raise DamagedBundle(_("{name} does not agree with the list of items").format(name=name))
    if contents.bundle_id != binding.bundle_id:
        raise DamagedBundle(_("the list of items belongs to another bundle"))


def _verify_signer(files: dict[str, _TagFile], binding: layout.Binding) -> Signer | None:
    """The signer whose signatures, keys, card and ``Sealed-By`` agree; None when there is nothing of all that."""
    present = {binding.sealed_by is not None, *(name in files for name in layout.SIGNED_WITH)}
    if len(present) > 1:
        raise DamagedBundle(
            _("the bundle is half signed: a signature, a key, the sender's card or Sealed-By is missing")
        )
    if layout.TIMESTAMP in files and binding.sealed_by is None:
        raise DamagedBundle(_("the bundle has a time stamp over a signature that it does not have"))
    if binding.sealed_by is None:
        return None
    card = _card(files[layout.CARD].kept)
    try:
        public = sshsig.verify(files[layout.SIGNATURE].kept, files[layout.TAG_MANIFEST].kept, layout.NAMESPACE)
    except BadSignature as exc:
        raise BrokenSignature(_("the sender's signature does not belong to this bundle")) from exc
    except KeysError as exc:
        raise BrokenSignature(_("the sender's signature is damaged")) from exc
    if sshsig.fingerprint(public) != binding.sealed_by or card.signing != public:
        raise BrokenSignature(_("the bundle was signed by another key than it names"))
    _verify_mldsa(files, card)
    return Signer(public, card, encode_card(card))


def _verify_mldsa(files: dict[str, _TagFile], card: Card) -> None:
    """The second signature, over the same text, by the key whose digest the card names."""
    try:
        public = mldsa.parse_pem(files[layout.MLDSA_KEY].kept)
    except KeysError as exc:
        raise DamagedBundle(_("the sender's ML-DSA-65 key is damaged")) from exc
    if mldsa.digest_of(public) != card.mldsa_digest:
        raise BrokenSignature(_("the ML-DSA-65 key is not the one that the sender's card names"))
    untrusted_signature = files[layout.MLDSA_SIGNATURE].kept
    try:
        mldsa.verify(files[layout.TAG_MANIFEST].kept, layout.NAMESPACE, untrusted_signature, public)
    except KeysError as exc:
        raise BrokenSignature(_("the sender's ML-DSA-65 signature does not belong to this bundle")) from exc


def _card(untrusted: bytes) -> Card:
    try:
        card = parse_card(untrusted)
    except KeysNewer as exc:
        raise NewerFormat(exc.what) from exc
    except KeysError as exc:
        raise DamagedBundle(_("the sender's card is damaged")) from exc
    if encode_card(card).encode("ascii") != untrusted:
        raise DamagedBundle(_("the sender's card is not spelled as this format wants it"))
    return card
