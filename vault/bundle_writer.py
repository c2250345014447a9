# SPDX-License-Identifier: Apache-2.0
"""Writes a sealed bundle: one age file, from beginning to end, in constant memory.

Owns the order of docs/format-bundle.md: everything that describes and signs comes before
the documents, so all digests must be known beforehand; each document is hashed again while
it is sealed unless its caller vouches for its bytes, and one that is not what it was said to be
ends the writing. A file whose writing did not end with a summary is not whole; the caller deletes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from gettext import gettext as _
from types import MappingProxyType
from typing import Protocol

from keys import age, crowd, mldsa, sshsig
from keys.card import Card, parse_card
from keys.card import encode as encode_card
from keys.errors import Full, KeysError
from keys.identity import Identity
from vault import bagit, catalogue
from vault import bundle_layout as layout
from vault.bundle_items import (
    BundleItem,
    Contents,
    SealedItem,
    check_contents,
    place_items,
    render_custody,
    render_items,
)
from vault.bundle_readme import Carrier, render_readme
from vault.errors import BadInput, ReadFailed
from vault.lanes import Hashing, Lane
from vault.padding import padme
from vault.tar import Sink, TarWriter, tar_size


class ContentChanged(ReadFailed):
    """Raised when a document's content is not of the size and digest that its item states."""

    def __init__(self, index: int) -> None:
        super().__init__(_("document {index} changed since its digest was taken").format(index=index + 1))
        self.index = index


class BundleSigner(Protocol):
    """Somebody who signs bundles."""

    @property
    def signing_public(self) -> bytes:
        """The Ed25519 public key, 32 bytes."""

    @property
    def card_text(self) -> str:
        """The card of the same keys, as ``keys.card.encode`` writes it."""

    @property
    def mldsa_public(self) -> bytes:
        """The ML-DSA-65 public key that the card names, 1952 bytes."""

    def sign_ssh(self, message: bytes, namespace: str) -> str:
        """An armored SSHSIG over ``message`` (``keys.sshsig.sign``)."""

    def sign_mldsa(self, message: bytes, context: str) -> bytes:
        """A raw ML-DSA-65 signature over ``message`` (``keys.mldsa.sign``)."""


@dataclass(frozen=True, slots=True)
class IdentitySigner:
    """An identity as a signer of bundles: a journalist's, or a case's with the card of its epoch."""

    identity: Identity
    card: Card | None = None
    """The identity's own, a person's, if not given."""

    @property
    def signing_public(self) -> bytes:
        """See BundleSigner."""
        return self.identity.signing_public

    @property
    def card_text(self) -> str:
        """See BundleSigner."""
        return encode_card(self.card or self.identity.card())

    @property
    def mldsa_public(self) -> bytes:
        """See BundleSigner."""
        return self.identity.mldsa_public

    def sign_ssh(self, message: bytes, namespace: str) -> str:
        """See BundleSigner."""
        return sshsig.sign(message, namespace, self.identity.signing_seed)

    def sign_mldsa(self, message: bytes, context: str) -> bytes:
        """See BundleSigner."""
        return self.identity.sign_mldsa(message, context)


@dataclass(frozen=True, slots=True)
class BundleSummary:
    """What was written."""

    bundle_id: bytes
    tag_manifest_sha256: bytes
    """32 bytes over the text that is signed: stands for the whole bundle, for example in a receipt."""
    items: int
    payload_size: int
    plaintext_size: int
    """Bytes inside the age file, with the padding."""
    recipients: int
    """Real ones."""
    stanzas: int
    """With the dummies: what a stranger can count."""
    signed_by: bytes | None


@dataclass(frozen=True, slots=True)
class Composed:
    """A bundle of which everything is known but the documents' bytes; ``write`` gives its tar. Made by ``compose``."""

    bundle_id: bytes
    recipients: tuple[age.Recipient, ...]
    """Whom ``Sealed-For`` names, each once; nobody for a passphrase."""
    size: int
    """Bytes of the tar with its padding."""
    signed_by: bytes | None
    _items: tuple[SealedItem, ...]
    _tag_files: tuple[tuple[str, bytes], ...]

    def write(
        self,
        sink: Sink,
        content: Callable[[int], Iterator[bytes]],
        *,
        checked: Callable[[int], bool] = lambda index: False,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Write the tar, in clear, into ``sink``. Raises ContentChanged, and what the sink or ``content`` raise.

        ``checked(index)`` says whether ``content`` vouches for a document's bytes: then they are counted, not hashed.
        """
        tar = TarWriter(sink)
        root = layout.root_of(self.bundle_id)
        for name, text in self._tag_files:
            tar.add(f"{root}/{name}", len(text))
            tar.write(text)
        with Lane("bundle-hash") as lane:
            hashing = Hashing(lane)
            for index, item in enumerate(self._items):
                tar.add(f"{root}/{item.path}", item.size)
                _copy(index, item, content(index), tar, None if checked(index) else hashing, progress)
            hashing.wait()
        tar.finish(self.size)

    def crowd(self) -> list[age.Recipient]:
        """The recipients and new dummies, in a new order: for one file. Raises BadInput unless 1 to 32 of one kind."""
        return _round_up(self.recipients)

    def summary(self, stanzas: int) -> BundleSummary:
        """What was written, in files that have so many stanzas each."""
        return BundleSummary(
            self.bundle_id,
            hashlib.sha256(dict(self._tag_files)[layout.TAG_MANIFEST]).digest(),
            len(self._items),
            sum(item.size for item in self._items),
            self.size,
            len(self.recipients),
            stanzas,
            self.signed_by,
        )


def compose(
    recipients: Sequence[age.Recipient],
    items: Sequence[BundleItem],
    *,
    signer: BundleSigner | None,
    clock_ns: int,
    bundle_id: bytes,
    title: str = "",
    thumbnails: Mapping[int, bytes] = MappingProxyType({}),
    by_passphrase: bool = False,
    stamp: Callable[[bytes], bytes] | None = None,
) -> Composed:
    """Describe and sign a bundle of ``items`` for ``recipients``; without a ``signer`` it is a drop.

    With ``by_passphrase`` it is for nobody in particular, and there are no ``recipients``. ``bundle_id`` is 16 bytes
    (``bundle_layout.new_bundle_id``). ``thumbnails`` are small pictures (``vault.thumbnails``) of items by their
    indices. ``stamp`` is asked once for a time stamp over the text of the signature. Raises BadInput for arguments
    that no bundle can be made of, and what ``stamp`` raises.
    """
    raws = _distinct(recipients)
    if by_passphrase and raws:
        raise BadInput(_("a bundle is sealed with a passphrase or to people's keys, not both"))
    if len(bundle_id) != layout.ID_SIZE:
        raise BadInput(_("a bundle's identifier has 16 bytes"))
    if stamp and not signer:
        raise BadInput(_("a time stamp is made over a signature, and a drop has none"))
    contents = Contents(bundle_id, title, clock_ns, place_items(items))
    check_contents(contents)
    sealed_for = (layout.NOBODY_NAMED,) if by_passphrase else tuple(sorted(map(layout.key_digest, raws)))
    signed_by = signer.signing_public if signer else None
    binding = layout.Binding(bundle_id, sealed_for, sshsig.fingerprint(signed_by) if signed_by else None)
    tag_files = _tag_files(contents, binding, signer, _carrier(recipients), thumbnails, stamp)
    root = layout.root_of(bundle_id)
    members = [(f"{root}/{name}", len(text)) for name, text in tag_files]
    members += [(f"{root}/{item.path}", item.size) for item in contents.items]
    size = padme(tar_size(members), least=layout.LEAST_PLAINTEXT)
    return Composed(bundle_id, tuple(raws.values()), size, signed_by, contents.items, tag_files)


def write_bundle(
    sink: age.Sink,
    recipients: Sequence[age.Recipient],
    items: Sequence[BundleItem],
    content: Callable[[int], Iterator[bytes]],
    *,
    signer: BundleSigner | None,
    clock_ns: int,
    bundle_id: bytes,
    title: str = "",
    stamp: Callable[[bytes], bytes] | None = None,
    progress: Callable[[int], object] | None = None,
    workers: int = 1,
) -> BundleSummary:
    """``compose`` a bundle and seal it into one age file.

    ``content(index)`` is asked once for each item, in order, for its bytes in pieces of any
    size. ``progress`` is told the number of document bytes sealed since it was told last. ``workers``
    is the number of threads that encrypt. Raises BadInput for arguments that no bundle can be made of, before
    anything is written; ContentChanged; and what the sink or ``content`` raise.
    """
    composed = compose(
        recipients, items, signer=signer, clock_ns=clock_ns, bundle_id=bundle_id, title=title, stamp=stamp
    )
    crowd = composed.crowd()
    sealer = age.Sealer(sink, crowd, workers=workers)
    composed.write(sealer, content, progress=progress)
    sealer.finish()
    return composed.summary(len(crowd))


def _copy(
    index: int, item: SealedItem, pieces: Iterator[bytes], tar: TarWriter, hashing: Hashing | None,
    progress: Callable[[int], object] | None,
) -> None:  # fmt: skip
    left = item.size
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise ContentChanged(index)
        if hashing:
            hashing.update(piece)
        tar.write(piece)
        if progress:
            progress(len(piece))
    if left:
        raise ContentChanged(index)
    if hashing:
        hashing.expect(item.sha256, lambda: ContentChanged(index))


def _tag_files(
    contents: Contents, binding: layout.Binding, signer: BundleSigner | None, carrier: Carrier,
    thumbnails: Mapping[int, bytes], stamp: Callable[[bytes], bytes] | None,
) -> tuple[tuple[str, bytes], ...]:  # fmt: skip
    """All files before the documents, in their order in the tar."""
    pictures = {contents.items[index].path.split("/")[1]: picture for index, picture in thumbnails.items()}
    payload_size = sum(item.size for item in contents.items)
    sender = binding.sealed_by or ""
    page = catalogue.render(
        contents.bundle_id, contents.items, title=contents.title, sealed_ns=contents.sealed_ns, sender=sender,
        thumbnails=pictures.keys(),
    )  # fmt: skip
    public_line = sshsig.public_line(signer.signing_public) if signer else None
    files = {
        bagit.DECLARATION_NAME: bagit.DECLARATION,
        bagit.INFO_NAME: layout.render_info(binding, contents.sealed_ns, payload_size, len(contents.items)),
        layout.MANIFEST: bagit.render_manifest((item.path, item.sha256) for item in contents.items),
        layout.ITEMS: render_items(contents),
        layout.CUSTODY: render_custody(contents.items),
        layout.README: render_readme(contents.bundle_id, public_line, binding.sealed_by, carrier),
        layout.CATALOGUE: page.encode("utf-8"),
        **{layout.thumbnail_path(number): picture for number, picture in pictures.items()},
    }
    if signer:
        files[layout.CARD] = _own_card(signer)
        files[layout.MLDSA_KEY] = mldsa.encode_pem(signer.mldsa_public)
    tag_manifest = bagit.render_manifest((name, hashlib.sha256(text).digest()) for name, text in files.items())
    files[layout.TAG_MANIFEST] = tag_manifest
    if signer:
        files[layout.SIGNATURE] = _signature(signer, tag_manifest)
        files[layout.MLDSA_SIGNATURE] = _mldsa_signature(signer, tag_manifest)
        if stamp:
            files[layout.TIMESTAMP] = stamp(files[layout.SIGNATURE])
    for name, text in files.items():
        if len(text) > layout.MAX_BYTES.get(name, layout.MAX_OTHER_BYTES):
            raise BadInput(
                _("{name} would be too large: put fewer documents, or shorter notes, into one bundle").format(name=name)
            )
    return tuple(sorted(files.items(), key=lambda file: layout.place_of(file[0])))


def _own_card(signer: BundleSigner) -> bytes:
    """The signer's card, which must be of the keys that sign: found out here, not by the editor."""
    try:
        card = parse_card(signer.card_text)
    except KeysError as exc:
        raise BadInput(_("the sender's card cannot be read")) from exc
    if card.signing != signer.signing_public:
        raise BadInput(_("the sender's card belongs to another key"))
    if card.mldsa_digest != mldsa.digest_of(signer.mldsa_public):
        raise BadInput(_("the sender's card names another ML-DSA-65 key"))
    return encode_card(card).encode("ascii")


def _signature(signer: BundleSigner, tag_manifest: bytes) -> bytes:
    armored = signer.sign_ssh(tag_manifest, layout.NAMESPACE)
    try:
        signed_by = sshsig.verify(armored, tag_manifest, layout.NAMESPACE)
    except KeysError as exc:
        raise BadInput(_("the sender's signature does not verify")) from exc
    if signed_by != signer.signing_public:
        raise BadInput(_("the bundle was signed by another key than announced"))
    return armored.encode("ascii")


def _mldsa_signature(signer: BundleSigner, tag_manifest: bytes) -> bytes:
    signature = signer.sign_mldsa(tag_manifest, layout.NAMESPACE)
    try:
        mldsa.verify(tag_manifest, layout.NAMESPACE, signature, signer.mldsa_public)
    except KeysError as exc:
        raise BadInput(_("the sender's ML-DSA-65 signature does not verify")) from exc
    return signature


def _carrier(recipients: Sequence[age.Recipient]) -> Carrier:
    """What the README tells how to open."""
    if not recipients:
        return Carrier.ZIP
    classic = all(isinstance(recipient, age.X25519Recipient) for recipient in recipients)
    return Carrier.OLDER_AGE if classic else Carrier.AGE


def _distinct(recipients: Sequence[age.Recipient]) -> dict[bytes, age.Recipient]:
    """Each recipient once, by raw key. A passphrase has none and is refused."""
    raws: dict[bytes, age.Recipient] = {}
    for recipient in recipients:
        if not isinstance(recipient, (age.HybridRecipient, age.X25519Recipient)):
            raise BadInput(_("a bundle is sealed to people's keys, not to a passphrase"))
        raws[recipient.raw] = recipient
    return raws


def _round_up(recipients: Sequence[age.Recipient]) -> list[age.Recipient]:
    try:
        return crowd.round_up(recipients)
    except (Full, ValueError) as exc:
        raise BadInput(_("a bundle is sealed to 1 to 32 people whose keys are all of one kind")) from exc
