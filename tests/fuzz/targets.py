# SPDX-License-Identifier: Apache-2.0
"""What a stranger's bytes can reach, one target for each parser.

A target takes any bytes and may raise only errors of ours. Where there is one spelling for a value, it also writes
again what was read and compares, so that a fuzzer finds a second spelling. Used by ``tests/fuzz/test_targets.py``
for a few thousand inputs, and by ``make fuzz`` for as long as one likes.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import io
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from keys import age, header, labels, mldsa, preamble, primitives, share_text, shares, signing, slots, sshsig
from keys.access import open_access
from keys.armor import ArmorReader, ArmorWriter, looks_armored
from keys.book import open_book
from keys.canonical import decode_number, encode_base64
from keys.card import encode as encode_card
from keys.card import parse_card
from keys.errors import BadSignature, KeysError
from keys.identity import Identity
from keys.receipt import open_receipt
from keys.secret import Secret
from tests.support.bundles import (
    CLOCK,
    DOCUMENTS,
    DROP_PLAIN,
    EDITOR,
    ID,
    SENDER,
    SIGNED,
    SIGNED_PLAIN,
    hostile,
    open_plain,
    rewritten,
)
from tests.support.partition import LEAST_TAR, SEED, forged, terms_of
from tests.support.tsa import authority
from vault import arming, bagit, bundle_layout, counter, manifest, timestamp
from vault.agent import protocol
from vault.bag_judge import judge_bag
from vault.bundle import file_name_of
from vault.bundle_items import parse_contents, render_custody, render_items
from vault.errors import VaultError
from vault.exporting import recipients_in
from vault.names import SafePath, bag_name, is_bag_name, printable
from vault.parts import TRAILER_SIZE, Trailer, parse_trailer
from vault.qr_text import content_of, lines_of
from vault.tar import TarReader, TarWriter
from vault.thumbnails import is_plain_thumbnail
from vault.zipped import ZipBundleReader, zip_sink

OURS = (KeysError, VaultError)
"""What a parser may raise."""
CORPUS = Path(__file__).parent / "corpus"
"""Inputs that once broke something, by target."""
PASSPHRASE = Secret(b"relay quarterly spoon")
BODY_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True)
class Target:
    """A parser: how to call it, inputs that it accepts to begin with, and how many inputs a short run tries."""

    run: Callable[[bytes], object]
    seeds: Callable[[], Iterator[bytes]]
    inputs: int = 2000


def one(data: bytes, target: Target) -> None:
    """Try one input. Whatever this raises is a defect."""
    try:
        target.run(data)
    except OURS:
        return


def corpus(name: str, target: Target) -> list[bytes]:
    """The seeds of a target, and what was found before."""
    found = sorted((CORPUS / name).glob("*")) if (CORPUS / name).is_dir() else []
    return [*target.seeds(), *(path.read_bytes() for path in found)]


# --- age -------------------------------------------------------------------------------------------------------------


def age_header(data: bytes) -> None:
    """Whatever parses encodes to the same bytes."""
    parsed = header.parse_header(data)
    stanzas = b"".join(stanza.encode() for stanza in parsed.stanzas)
    assert data.startswith(b"age-encryption.org/v1\n" + stanzas + b"--- ")
    assert parsed.size == len(data)
    source = io.BytesIO(data + b"rest")
    again, rest = header.read_header(source)
    assert (again, rest + source.read()) == (parsed, b"rest")


def age_file(data: bytes) -> None:
    """With a key of each kind. A hostile file may ask for no more scrypt work than is allowed."""
    identities = [EDITOR.age, _classic(), age.ScryptIdentity(PASSPHRASE, max_work_factor=4)]
    for identity in identities:
        try:
            age.unseal(data, [identity], limit=1 << 20)
        except KeysError:
            continue


@functools.cache
def _classic() -> age.X25519Identity:
    return age.X25519Identity(Secret(bytes(range(32))))


def age_files() -> Iterator[bytes]:
    yield age.seal(b"content", [EDITOR.recipient])
    yield age.seal(b"x" * 70_000, [_classic().recipient])
    yield age.seal(b"", [age.ScryptRecipient(PASSPHRASE, work_factor=2)])
    yield armored(age.seal(b"content", [_classic().recipient]))


def armored(data: bytes) -> bytes:
    sink = io.BytesIO()
    writer = ArmorWriter(sink)
    writer.write(data)
    writer.finish()
    return sink.getvalue()


def armor(data: bytes) -> None:
    """Whatever decodes is spelled in one way, but for line ends and white space around it."""
    if not looks_armored(data):
        return
    reader, decoded = ArmorReader(io.BytesIO(data), b""), b""
    while piece := reader.read(100):
        decoded += piece
    assert armored(decoded).split() == data.split()


def bech32(data: bytes) -> None:
    """Recipients and identities have one spelling each, in upper or in lower case."""
    text = data.decode("latin-1")
    try:
        assert str(age.parse_recipient(text)).lower() == text.lower()
    except KeysError:
        assert age.parse_identity(text).encode().expose().decode().lower() == text.lower()


def identity_text() -> Iterator[bytes]:
    for identity in (EDITOR.age, _classic()):
        yield identity.encode().expose()
        yield str(identity.recipient).encode()


def recipients_file(data: bytes) -> None:
    for line in recipients_in(data):
        age.parse_recipient(line)


# --- signatures, cards, small texts ----------------------------------------------------------------------------------


def ssh_signature(data: bytes) -> None:
    public = sshsig.verify(data, b"message", bundle_layout.NAMESPACE)
    assert len(public) == 32


def ssh_signatures() -> Iterator[bytes]:
    yield sshsig.sign(b"message", bundle_layout.NAMESPACE, SENDER.signing_seed).encode()


def mldsa_key(data: bytes) -> None:
    """A public key has one spelling, and verifies nothing that it did not sign."""
    public = mldsa.parse_pem(data)
    assert mldsa.encode_pem(public) == data
    try:
        mldsa.verify(b"message", bundle_layout.NAMESPACE, bytes(mldsa.SIGNATURE_SIZE), public)
    except BadSignature:
        return
    raise AssertionError("zeros are a signature")


def mldsa_keys() -> Iterator[bytes]:
    yield mldsa.encode_pem(SENDER.mldsa_public)


def time_stamp(data: bytes) -> None:
    """Without roots: what is shown of a token is text of one line."""
    stamp = timestamp.judge(data, b"signature")
    assert printable(stamp.name.replace("\\", "")) == stamp.name.replace("\\", "")


def time_stamps() -> Iterator[bytes]:
    yield authority().reply(timestamp.request_for(b"signature").der)


def card(data: bytes) -> None:
    """Whatever is a card is one that its key signed, and can be written again."""
    parsed = parse_card(data)
    assert parse_card(encode_card(parsed)) == parsed


def cards() -> Iterator[bytes]:
    yield encode_card(SENDER.card()).encode()
    yield encode_card(SENDER.card(case_id=bytes(16), epoch=3)).encode()


def share(data: bytes) -> None:
    """Words that are typed, and the text of a share: whatever is one can be written again."""
    try:
        words = shares.parse_share(data.decode("utf-8", "replace"))
    except KeysError:
        held = share_text.parse_text(data)
        sealed = share_text.seal_share(held, SENDER, EDITOR.card())
        assert held.signing != SENDER.signing_public or share_text.open_share(sealed, EDITOR) == held
    else:
        assert shares.parse_share(words.words.expose().decode("ascii")) == words


def some_shares() -> Iterator[bytes]:
    for n, made in enumerate(shares.split(Secret(bytes(32)), threshold=2, count=2)):
        day, owner = datetime.date(2026, 11, 21), SENDER.card().words
        held = share_text.HeldShare(made, ID, 2, day, owner, SENDER.signing_public, "Бермет" if n else None)
        yield age.unseal(share_text.seal_share(held, SENDER, EDITOR.card()), [EDITOR.age], limit=share_text.TEXT_SIZE)
        yield made.words.expose()


def vault_header(data: bytes) -> None:
    assert preamble.parse_header(data).encode() == data


def vault_headers() -> Iterator[bytes]:
    yield preamble.Header(preamble.FLOOR, bytes(16)).encode()


def slot_payload(data: bytes) -> None:
    payload = data.ljust(slots.PAYLOAD_SIZE, b"\0")[: slots.PAYLOAD_SIZE]
    assert slots.encode_payload(slots.decode_payload(payload)) == payload


def slot_payloads() -> Iterator[bytes]:
    yield bytes([slots.PAYLOAD_VERSION, 1]).ljust(400, b"\1")
    yield bytes([slots.PAYLOAD_VERSION, 2, 1, 0, 3, 2, 7]).ljust(400, b"\0")
    yield bytes([slots.PAYLOAD_VERSION, 3, 1, 0, 0, 0, 7]).ljust(400, b"\0")


def public_texts(data: bytes) -> None:
    """The two files that lie beside a vault in clear."""
    for parse in (counter.parse, arming.parse):
        value = parse(data)
        assert value is None or value.encode() == data


def public_text() -> Iterator[bytes]:
    yield counter.Counter(3, 1).encode()


def agent_talk(data: bytes) -> None:
    for parse in (protocol.parse_request, protocol.parse_answer_head, protocol.parse_standing, protocol.names_size):
        try:
            parse(data)
        except VaultError:
            continue
    protocol.parse_start(data[: protocol.START_SIZE], data[protocol.START_SIZE :])


def agent_messages() -> Iterator[bytes]:
    yield protocol.encode_request(protocol.GET)
    yield protocol.answer_head(protocol.DONE, 9)
    yield protocol.encode_standing(protocol.Standing(1, 2, 3, 0))
    yield protocol.encode_start(protocol.Start(9, 8, protocol.Stamp(1, 2, 3, 4, 5), "/vault", "/run"))


def numbers(data: bytes) -> None:
    text = data.decode("latin-1")
    assert str(decode_number(text)) == text


# --- sealed records --------------------------------------------------------------------------------------------------


def record(label: str, open_: Callable[[bytes], object], data: bytes) -> None:
    """The bytes as the body of a record, sealed and signed by somebody who may sign it."""
    body = data[:BODY_LIMIT]
    signed = EDITOR.sign(label, body) + len(body).to_bytes(4, "big") + body
    size = max(16 << 10, 1 << (len(signed) - 1).bit_length())
    open_(age.seal(signed.ljust(size, b"\0"), [EDITOR.recipient]))


def body_of(sealed: bytes) -> bytes:
    plaintext = age.unseal(sealed, [EDITOR.age], limit=1 << 24)
    return plaintext[68 : 68 + int.from_bytes(plaintext[64:68], "big")]


def books() -> Iterator[bytes]:
    from keys.book import Book, CaseEntry, Contact, seal_book
    from keys.share_set import Holder, ShareSet

    contact = Contact("editor", SENDER.card(), CLOCK, CLOCK)
    entry = CaseEntry(bytes(16), "Тинтүү", 1, (SENDER.signing_public,), SENDER.recipient.raw)
    holders = (Holder("one", bytes(32), Secret(bytes(32))), Holder("two", bytes(32), Secret(bytes(32)), "a b", CLOCK))
    with_shares = Book(shares=ShareSet(ID, CLOCK, 2, 9, holders))
    for book in (Book(), Book().with_contact(contact), Book(cases=(entry,)), with_shares):
        yield body_of(seal_book(book, EDITOR))


def receipts() -> Iterator[bytes]:
    from keys.receipt import seal_receipt

    yield body_of(seal_receipt(ID, bytes(32), [bytes(32)] * 3, CLOCK, editor=EDITOR, sender=EDITOR.recipient))


def access_files() -> Iterator[bytes]:
    from keys.access import CaseKeys, seal_access

    keys = CaseKeys(bytes(16), "Тинтүү", (Identity.decode(bytes(range(64))),), (EDITOR.card(),), (), CLOCK)
    yield body_of(seal_access(keys, EDITOR))


# --- bundles ---------------------------------------------------------------------------------------------------------


def tar(data: bytes) -> None:
    """Whatever is read is written again with the same bytes, and nothing but NULs behind it."""
    reader, sink = TarReader(io.BytesIO(data), max_members=100), io.BytesIO()
    writer = TarWriter(sink)
    for member in reader:
        writer.add(member.path, member.size)
        while piece := reader.read(1 << 16):
            writer.write(piece)
    writer.finish(len(data))
    assert sink.getvalue() == data


def summed_tar(data: bytes) -> None:
    """The same with the checksum of every header made true first, so that a fuzzer gets behind it."""
    blocks = bytearray(data)
    for start in range(0, len(blocks) - 511, 512):
        if blocks[start + 257 : start + 262] == b"ustar":
            blocks[start + 148 : start + 156] = b" " * 8
            blocks[start + 148 : start + 156] = b"%06o\0 " % (sum(blocks[start : start + 512]) & 0o777777)
    tar(bytes(blocks))


def tars() -> Iterator[bytes]:
    for members in ((("a", b"content"),), (("dir/файл", b"x" * 600), ("n" * 120, b"")), ()):
        sink = io.BytesIO()
        writer = TarWriter(sink)
        for path, content in members:
            writer.add(path, len(content))
            writer.write(content)
        writer.finish()
        yield sink.getvalue()


TAG_FILES = (
    *(bagit.DECLARATION_NAME, bagit.INFO_NAME, bundle_layout.MANIFEST, bundle_layout.ITEMS, bundle_layout.CUSTODY),
    *(bundle_layout.TAG_MANIFEST, bundle_layout.CARD, bundle_layout.SIGNATURE, "metadata/other"),
)


def bundle(data: bytes) -> None:
    """One tag file of a signed bundle is what the input says, and the sender signs all of it."""
    name = TAG_FILES[data[0] % len(TAG_FILES)] if data else TAG_FILES[0]
    signer = None if name in (bundle_layout.TAG_MANIFEST, bundle_layout.SIGNATURE) else SENDER

    def change(files: dict[str, bytes]) -> None:
        files[name] = data[1:]

    if signer is None:
        assert open_plain(rewritten(SIGNED_PLAIN, change)) == list(DOCUMENTS)
    else:
        open_plain(hostile(change))


def drop(data: bytes) -> None:
    """Bytes in the middle of a drop's tar, after its manifests were made true again."""
    place = int.from_bytes(data[:3], "big") % len(DROP_PLAIN)
    changed = DROP_PLAIN[:place] + data[3:] + DROP_PLAIN[place + len(data[3:]) :]
    if open_plain(changed) != list(DOCUMENTS):
        raise AssertionError("other documents were handed out")


def tag_files() -> Iterator[bytes]:
    files: dict[str, bytes] = {}
    rewritten(SIGNED_PLAIN, lambda found: files.update(found))
    for number, name in enumerate(TAG_FILES):
        yield bytes([number]) + files.get(name, b"{}")


def listed_items(data: bytes) -> None:
    """items.json and custody.jsonl, with a NUL between them, are spelled in one way."""
    items, _, custody = data.partition(b"\0")
    contents = parse_contents(items, custody)
    assert (render_items(contents), render_custody(contents.items)) == (items, custody)


def item_texts() -> Iterator[bytes]:
    files: dict[str, bytes] = {}
    rewritten(SIGNED_PLAIN, lambda found: files.update(found))
    yield files[bundle_layout.ITEMS] + b"\0" + files[bundle_layout.CUSTODY]


def bag(data: bytes) -> None:
    """Files of a bag: name, NUL, content, NUL, and so on. What is valid was hashed whole."""
    parts = data.split(b"\0")
    files = {name.decode("latin-1"): content for name, content in zip(parts[::2], parts[1::2], strict=False)}
    found = judge_bag({name: lambda content=content: [content] for name, content in files.items()})  # type: ignore[misc]
    assert all(len(files[path]) == size for path, size in found.payload)


def bags() -> Iterator[bytes]:
    digest = hashlib.sha256(b"x").hexdigest().encode()
    for version in (b"1.0", b"0.97"):
        yield b"\0".join((
            b"bagit.txt", b"BagIt-Version: " + version + b"\nTag-File-Character-Encoding: UTF-8\n",
            b"bag-info.txt", b"Payload-Oxum: 1.1\nA: b\n c\n",
            b"manifest-sha256.txt", digest + b"  data/a%25\n",
            b"fetch.txt", b"http://h/a 1 data/a%25\n",
            b"data/a%", b"x",
        ))  # fmt: skip


def zip_file(data: bytes) -> None:
    list(ZipBundleReader(io.BytesIO(data), PASSPHRASE).payload())


def zip_files() -> Iterator[bytes]:
    for plaintext in (DROP_PLAIN[:2048], b""):
        sink = io.BytesIO()
        with zip_sink(sink, PASSPHRASE) as inside:
            inside.write(plaintext)
        yield sink.getvalue()


# --- packs, names, pictures ------------------------------------------------------------------------------------------


def pack_manifest(data: bytes) -> None:
    manifest.decode(manifest.decompress(manifest.compress(data or b"\0")))
    manifest.claimed_author(data)


def compressed_manifest(data: bytes) -> None:
    assert len(manifest.decompress(data)) <= manifest.MAX_MANIFEST_SIZE


def names(data: bytes) -> None:
    """A name from a stranger becomes one that any system stores and any terminal shows."""
    safe = bag_name(data)
    assert is_bag_name(safe)
    assert bag_name(safe.encode()) == safe
    assert not {unicodedata.category(char) for char in printable(data)} & {"Cc", "Cs", "Zl", "Zp"}
    path = SafePath.parse(data)
    assert b"/".join(path.parts).strip(b"/")


def some_names() -> Iterator[bytes]:
    yield "Тинтүү/протокол №1.pdf".encode()
    yield from (b"CON.txt", b"a\xe2\x80\xaeb", b"\xff\xfe", b"x" * 200 + b".pdf", b" . ", b"etc/passwd")
    yield file_name_of(ID).encode()


def picture(data: bytes) -> None:
    is_plain_thumbnail(data)


def pictures() -> Iterator[bytes]:
    import zlib

    def part(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    size = (1).to_bytes(4, "big") * 2
    yield (
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", size + b"\x08\x03\0\0\0")
        + part(b"PLTE", b"\1\2\3")
        + part(b"IDAT", zlib.compress(b"\0\0", 9))
        + part(b"IEND", b"")
    )


def text(*values: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: iter(values)


def _header_seeds() -> Iterator[bytes]:
    yield SIGNED[: SIGNED.index(b"\n--- ") + 49]


def part_trailer(data: bytes) -> None:
    """Re-signed with a key that the test has, since a changed trailer is refused for its signature alone."""
    found = part_of_a_set(data)
    assert found == part_of_a_set(forged(found.terms, found.number, b"", sha256=found.sha256))


def part_of_a_set(data: bytes) -> Trailer:
    text = data[: TRAILER_SIZE - 99]
    signature = encode_base64(primitives.sign(signing.signed_bytes(labels.PART_SIGNATURE, text), SEED)).encode()
    signed = text + b"signature " + signature + b"\n"
    claimed = re.search(rb"body ([0-9]{15})\n", text)
    return parse_trailer(signed, TRAILER_SIZE + (int(claimed[1]) if claimed else 0))


def scanned_codes(data: bytes) -> None:
    """What is read from the texts of QR codes gives texts that are read as the same."""
    content = content_of(data, "CARD", limit=BODY_LIMIT)
    assert content_of("\n".join(lines_of("CARD", content)).encode(), "CARD", limit=BODY_LIMIT) == content


TARGETS = {
    "age-header": Target(age_header, _header_seeds),
    "age-file": Target(age_file, age_files, inputs=600),
    "armor": Target(armor, lambda: iter([armored(b"content" * 20), armored(b"")])),
    "bech32": Target(bech32, identity_text),
    "identity-file": Target(age.parse_identity_file, lambda: iter([b"# one\n" + next(identity_text()) + b"\n"])),
    "recipients-file": Target(recipients_file, lambda: iter([b"# one\n" + list(identity_text())[3] + b"\n"])),
    "ssh-signature": Target(ssh_signature, ssh_signatures),
    "mldsa-key": Target(mldsa_key, mldsa_keys),
    "time-stamp": Target(time_stamp, time_stamps),
    "card": Target(card, cards),
    "share": Target(share, some_shares, inputs=600),
    "vault-header": Target(vault_header, vault_headers),
    "slot-payload": Target(slot_payload, slot_payloads),
    "public-texts": Target(public_texts, public_text),
    "agent": Target(agent_talk, agent_messages),
    "numbers": Target(numbers, text(b"0", b"123", b"9" * 30)),
    "book": Target(functools.partial(record, labels.BOOK_SIGNATURE, lambda d: open_book(d, EDITOR)), books, 300),
    "receipt": Target(
        functools.partial(record, labels.RECEIPT_SIGNATURE, lambda d: open_receipt(d, [EDITOR.age])), receipts, 300
    ),
    "access": Target(
        functools.partial(record, labels.ACCESS_SIGNATURE, lambda d: open_access(d, EDITOR)), access_files, 300
    ),
    "part-trailer": Target(part_trailer, lambda: iter([forged(terms_of(2, 1, LEAST_TAR), 1, b"", sha256=bytes(32))])),
    "qr-texts": Target(
        scanned_codes, lambda: iter(["\n".join(lines_of("CARD", b"card" * n)).encode() for n in (1, 600)])
    ),
    "tar": Target(tar, tars),
    "summed-tar": Target(summed_tar, tars),
    "bundle": Target(bundle, tag_files, inputs=200),
    "drop": Target(drop, text(b"\0\0\0x", b"\0\4\0" + b"\0" * 300), inputs=600),
    "items": Target(listed_items, item_texts),
    "bag": Target(bag, bags),
    "zip": Target(zip_file, zip_files, inputs=600),
    "pack-manifest": Target(pack_manifest, text(b"\x9c\1\xc4\x10" + bytes(16) + b"\1")),
    "compressed-manifest": Target(compressed_manifest, lambda: iter([manifest.compress(b"x" * 100)])),
    "names": Target(names, some_names),
    "picture": Target(picture, pictures),
}
