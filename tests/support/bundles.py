# SPDX-License-Identifier: Apache-2.0
"""Small bundles to test with, and a way to write them again with something else in them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence

from keys import age, sshsig
from keys.identity import Identity
from vault import bundle_layout as layout
from vault.bagit import render_manifest
from vault.bundle import BundleItem, BundleSigner, BundleSummary, IdentitySigner, TarBundleReader, write_bundle
from vault.errors import DamagedBundle
from vault.padding import padme
from vault.tar import TarReader, TarWriter

Change = Callable[[dict[str, bytes]], None]

SENDER = Identity.decode(bytes(range(64)))
EDITOR = Identity.decode(bytes(range(1, 65)))
OTHER = Identity.decode(bytes(range(2, 66)))
CLOCK = 1_763_700_000 * 10**9
ID = bytes.fromhex("0011223344554677889900aabbccddee")

DOCUMENTS = (
    ("Тинтүү/протокол №1.pdf".encode(), b"%PDF-1.7 " * 200),
    (b"\xcf\xf0\xe8\xea\xe0\xe7.doc", b"cp1251 name"),
    (b"empty\n", b""),
    (b"same/name.txt", b"one"),
    (b"other/name.txt", b"two"),
)


def items_of(documents: Sequence[tuple[bytes, bytes]] = DOCUMENTS) -> list[BundleItem]:
    return [
        BundleItem(
            name, len(content), hashlib.sha256(content).digest(), -5, CLOCK, "note\nжазуу", "source", ("a", "б"),
            ({"at_ns": CLOCK, "kind": "filed", "detail": "кол менен"}, {"at_ns": CLOCK + 1, "kind": "exported"}),
        )
        for name, content in documents
    ]


def in_pieces(documents: Sequence[tuple[bytes, bytes]], size: int = 700) -> Callable[[int], Iterator[bytes]]:
    def content(index: int) -> Iterator[bytes]:
        whole = documents[index][1]
        return (whole[i : i + size] for i in range(0, len(whole), size))

    return content


def seal(
    documents: Sequence[tuple[bytes, bytes]] = DOCUMENTS,
    recipients: Sequence[age.Recipient] = (EDITOR.recipient,),
    signer: BundleSigner | None = IdentitySigner(SENDER),
    **more: object,
) -> tuple[bytes, BundleSummary]:
    sink = io.BytesIO()
    arguments = {"clock_ns": CLOCK, "bundle_id": ID, "title": "Тинтүүлөр", **more}
    summary = write_bundle(sink, recipients, items_of(documents), in_pieces(documents), signer=signer, **arguments)  # type: ignore[arg-type]
    return sink.getvalue(), summary


def plaintext_of(sealed: bytes, identity: age.Identity = EDITOR.age) -> bytes:
    return age.unseal(sealed, [identity], limit=1 << 24)


def read_all(reader: TarBundleReader) -> list[tuple[bytes, bytes]]:
    return [(item.name, document.read()) for item, document in reader.payload()]


def open_plain(plaintext: bytes) -> list[tuple[bytes, bytes]]:
    return read_all(TarBundleReader(io.BytesIO(plaintext)))


SIGNED, SIGNED_SUMMARY = seal()
SIGNED_PLAIN = plaintext_of(SIGNED)
DROP_PLAIN = plaintext_of(seal(signer=None)[0])


def rewritten(plaintext: bytes, change: Callable[[dict[str, bytes]], None], *, order: Sequence[str] = ()) -> bytes:
    """The bundle's tar with other files in it, in the order given or as they were."""
    reader = TarReader(io.BytesIO(plaintext))
    files = {}
    for member in reader:
        content = b""
        while piece := reader.read(1 << 20):
            content += piece
        files[member.path.partition("/")[2]] = content
    change(files)
    sink = io.BytesIO()
    tar = TarWriter(sink)
    for name in order or files:
        tar.add(name if name.startswith("bundle-") else f"bundle-00112233/{name}", len(files[name]))
        tar.write(files[name])
    tar.finish(lambda size: padme(size, least=layout.LEAST_PLAINTEXT))
    return sink.getvalue()


def retag(files: dict[str, bytes], signer: Identity | None = None) -> None:
    """Make the tag manifest true again, and sign it if somebody is there to."""
    listed = {n: c for n, c in files.items() if not n.startswith("data/") and n not in layout.UNLISTED}
    files[layout.TAG_MANIFEST] = render_manifest((n, hashlib.sha256(c).digest()) for n, c in listed.items())
    if signer:
        signature = sshsig.sign(files[layout.TAG_MANIFEST], layout.NAMESPACE, signer.signing_seed)
        files[layout.SIGNATURE] = signature.encode()
        files[layout.MLDSA_SIGNATURE] = signer.sign_mldsa(files[layout.TAG_MANIFEST], layout.NAMESPACE)


def _in_order(files: dict[str, bytes]) -> list[str]:
    """Tag files in lawful order where they have a place, unknown ones just before the documents."""

    def place(name: str) -> tuple[int, str]:
        try:
            return layout.place_of(name)
        except DamagedBundle:
            return 900, name

    tags = sorted((n for n in files if not n.startswith("data/")), key=place)
    return tags + [n for n in files if n.startswith("data/")]


def hostile(change: Change, plaintext: bytes = SIGNED_PLAIN, signer: Identity | None = SENDER) -> bytes:
    """A bundle changed by somebody who can sign it."""
    kept: dict[str, bytes] = {}

    def apply(files: dict[str, bytes]) -> None:
        change(files)
        retag(files, signer)
        kept.update(files)

    rewritten(plaintext, apply)
    return rewritten(plaintext, apply, order=_in_order(kept))
