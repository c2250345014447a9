# SPDX-License-Identifier: Apache-2.0
"""A pack on a hostile disk: whatever is done to its bytes is found, and only ever raises DamagedPack."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zstandard
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from keys import kdf
from keys.identity import Identity
from tests.support.newsroom import DAY, file, newsroom, pack_paths, read_manifest, store_of, unlock, write_pack
from vault.blocks import check_chunk, pack_block, unpack_block
from vault.disk import Disk
from vault.errors import Damaged, DamagedPack
from vault.manifest import Manifest
from vault.model import PACKING_JOINED, PACKING_NONE, PACKING_ZSTD, Chunk, Extent, Item, PackId
from vault.pack import LEAST_PLAINTEXT, PackReader, PackWriter, pack_name, table_of
from vault.store import CaseStore
from vault.verifying import Verdict, verify

TEXT = "Протокол обыска\n".encode() * 40
SECRET = os.urandom(3000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CaseStore]:
    with unlock(newsroom(tmp_path / "vault")) as vault, store_of(vault) as opened:
        yield opened


def filed_pack(store: CaseStore) -> Path:
    """The pack of two small documents."""
    file(store, {"протокол.txt".encode(): TEXT, b"photo.raw": SECRET})
    return pack_paths(store)[-1]


def named_damage(verdict: Verdict) -> set[bytes]:
    return {damaged.item.name for damaged in verdict.damaged}


def read_everything(store: CaseStore, path: Path) -> None:
    """What can be read of a pack, in the way everything reads it."""
    with PackReader(str(path.parent), PackId(bytes.fromhex(path.stem)), store._packs.identities) as reader:
        manifest, _ = reader.manifest()
        reader.check_padding()
        table = table_of(manifest.chunks)
        for first, end in table.blocks():
            block = unpack_block(reader.read(*table.place(first)), manifest.chunks[first:end])
            for chunk, data in zip(manifest.chunks[first:end], block, strict=True):
                check_chunk(data, chunk, store._id_key)


def test_a_pack_reads_back_as_it_was_written(store: CaseStore) -> None:
    path = filed_pack(store)
    read_everything(store, path)
    assert verify(store).whole


def test_a_pack_says_what_it_holds_and_takes_its_place_in_the_chain(store: CaseStore) -> None:
    before = read_manifest(store, pack_paths(store)[-1])
    manifest = read_manifest(store, filed_pack(store))
    assert [item.name for item in manifest.items] == ["протокол.txt".encode(), b"photo.raw"]
    assert (manifest.sequence, manifest.device) == (before.sequence + 1, before.device)
    assert all(extent.pack == b"" for item in manifest.items for extent in item.extents)


def test_every_truncation_of_a_pack_is_found(store: CaseStore) -> None:
    path = filed_pack(store)
    whole = path.read_bytes()
    for size in [*range(0, 3000, 7), *range(3000, len(whole), 101), *range(len(whole) - 64, len(whole))]:
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedPack):
            read_everything(store, path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(DamagedPack):
        read_everything(store, path)


def test_every_flipped_byte_of_a_pack_is_found(store: CaseStore) -> None:
    path = filed_pack(store)
    whole = bytearray(path.read_bytes())
    head = whole.index(b"\n--- ") + 64
    for place in [*range(head), *range(head, len(whole), 97), *range(len(whole) - 40, len(whole))]:
        whole[place] ^= 1 << place % 8
        path.write_bytes(whole)
        with pytest.raises(DamagedPack):
            read_everything(store, path)
        whole[place] ^= 1 << place % 8
    path.write_bytes(whole)
    read_everything(store, path)


@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "gone", "folder", "pipe", "link to nothing"])
def test_verify_names_every_document_of_a_harmed_pack(store: CaseStore, harm: str) -> None:
    path = filed_pack(store)
    whole = bytearray(path.read_bytes())
    path.unlink()
    match harm:
        case "cut":
            path.write_bytes(whole[:-1])
        case "flip":
            whole[len(whole) // 2] ^= 4
            path.write_bytes(whole)
        case "empty":
            path.write_bytes(b"")
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "link to nothing":
            path.symlink_to("/nowhere/at/all")
    verdict = verify(store)
    assert named_damage(verdict) == {"протокол.txt".encode(), b"photo.raw"}
    assert any(finding.about == path.stem[:8] for finding in verdict.findings)
    store.close()


@pytest.mark.parametrize("harm", ["cut", "pipe", "folder"])
def test_a_harmed_pack_does_not_keep_the_rest_from_being_rebuilt(store: CaseStore, harm: str) -> None:
    file(store, {b"first": b"1"})
    path = filed_pack(store)
    whole = path.read_bytes()
    path.unlink()
    if harm == "cut":
        path.write_bytes(whole[:-5])
    elif harm == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    store.rebuild()
    assert [item.name for item in store.index.items()] == [b"first"]
    assert [finding.about for finding in store.findings] == [path.stem[:8]]


# A member who writes packs with a program of their own: sealed and signed rightly, and lying.


def crafted(store: CaseStore, **changes: Any) -> Manifest:
    """A manifest that continues the chain and says one document, ``lie``."""
    sequence, previous = store.index.end_of_chain(store._device)
    item = Item(os.urandom(16), b"lie", 5, hashlib.sha256(b"hello").digest(), None, DAY, "", "", (), "file", b"",
                (Extent(b"", 0, 1),))  # fmt: skip
    made = Manifest(
        1, store.keys.case_id, 1, os.urandom(16), store._device, store._me.signing_public, sequence + 1, previous,
        DAY, (chunk_of(store, b"hello"),), (item,), (),
    )  # fmt: skip
    return replace(made, **changes)


def chunk_of(store: CaseStore, raw: bytes, *, stored: int | None = None, packing: int = PACKING_NONE) -> Chunk:
    chunk_id = blake3(raw, key=store._id_key).digest()
    return Chunk(chunk_id, len(raw) if stored is None else stored, len(raw), packing)


def change_item(manifest: Manifest, **changes: Any) -> Manifest:
    return replace(manifest, items=(replace(manifest.items[0], **changes),))


def plant(store: CaseStore, manifest: Manifest, *stored: bytes, author: Identity | None = None) -> Path:
    path = write_pack(store, manifest, stored or (b"hello",), author or store._me)
    store.catch_up()
    return path


def test_a_crafted_pack_that_does_not_lie_is_listed(store: CaseStore) -> None:
    plant(store, crafted(store))
    assert [item.name for item in store.index.items()] == [b"lie"]
    assert verify(store).whole


def lies(store: CaseStore) -> dict[str, tuple[Manifest, bytes]]:
    """What a reader must refuse to list."""
    honest = crafted(store)
    me = store._me
    return {
        "unknown author": (replace(honest, author=Identity.generate().signing_public), b"hello"),
        "another case": (replace(honest, case=os.urandom(16)), b"hello"),
        "another version": (replace(honest, version=2), b"hello"),
        "no place in the chain": (replace(honest, previous=b""), b"hello"),
        "previous of the wrong size": (replace(honest, previous=b"x" * 31), b"hello"),
        "place nought": (replace(honest, sequence=0), b"hello"),
        "chunk longer than the pack": (replace(honest, chunks=(Chunk(b"c" * 32, 6, 6, 0),)), b"hello"),
        "chunk shorter than the pack": (replace(honest, chunks=(Chunk(b"c" * 32, 4, 4, 0),)), b"hello"),
        "chunk of 4 GiB": (replace(honest, chunks=(Chunk(b"c" * 32, 0xFFFFFFFF, 0xFFFFFFFF, 0),)), b"hello"),
        "chunk of nothing": (replace(honest, chunks=(*honest.chunks, Chunk(b"c" * 32, 0, 0, 0))), b"hello"),
        "chunk packed unknown": (replace(honest, chunks=(replace(honest.chunks[0], packing=3),)), b"hello"),
        "chunk joined to nothing": (replace(honest, chunks=(replace(honest.chunks[0], packing=2),)), b"hello"),
        "chunk joined to a plain one": (
            replace(honest, chunks=(*honest.chunks, Chunk(b"c" * 32, 0, 5, PACKING_JOINED))), b"hello"
        ),
        "joined chunk with bytes of its own": (
            replace(honest, chunks=(Chunk(b"c" * 32, 4, 9, PACKING_ZSTD), Chunk(b"c" * 32, 1, 5, PACKING_JOINED))),
            b"hello",
        ),
        "block of more than 4 MiB": (
            replace(
                honest, chunks=(Chunk(b"c" * 32, 5, 4 << 20, PACKING_ZSTD), Chunk(b"c" * 32, 0, 1, PACKING_JOINED))
            ),
            b"hello",
        ),
        "plain chunk of two lengths": (replace(honest, chunks=(replace(honest.chunks[0], raw=6),)), b"hello"),
        "extent outside": (change_item(honest, extents=(Extent(b"", 0, 2),)), b"hello"),
        "extent far outside": (change_item(honest, extents=(Extent(b"", 0xFFFFFFFF, 0xFFFFFFFF),)), b"hello"),
        "extent of nothing": (change_item(honest, extents=(Extent(b"", 0, 0),)), b"hello"),
        "extent into half a pack id": (change_item(honest, extents=(Extent(b"12345678", 0, 1),)), b"hello"),
        "negative size": (change_item(honest, size=-1), b"hello"),
        "size beyond 63 bits": (change_item(honest, size=1 << 63), b"hello"),
        "no name": (change_item(honest, name=b""), b"hello"),
        "a name of 4,097 bytes": (change_item(honest, name=b"n" * 4097), b"hello"),
        "a short hash": (change_item(honest, sha256=b"h" * 31), b"hello"),
        "a tag with NUL": (change_item(honest, tags=("a\0b",)), b"hello"),
        "101 tags": (change_item(honest, tags=("t",) * 101), b"hello"),
        "a signer of 33 bytes": (change_item(honest, signer=b"s" * 33), b"hello"),
        "an author of 31 bytes": (replace(honest, author=me.signing_public[:31]), b"hello"),
    }


LIES = [
    "unknown author", "another case", "another version", "no place in the chain",
    "previous of the wrong size", "place nought", "chunk longer than the pack", "chunk shorter than the pack",
    "chunk of 4 GiB", "chunk of nothing", "chunk packed unknown", "chunk joined to nothing",
    "chunk joined to a plain one", "joined chunk with bytes of its own", "block of more than 4 MiB",
    "plain chunk of two lengths", "extent outside",
    "extent far outside", "extent of nothing", "extent into half a pack id", "negative size", "size beyond 63 bits",
    "no name", "a name of 4,097 bytes", "a short hash", "a tag with NUL", "101 tags", "a signer of 33 bytes",
    "an author of 31 bytes",
]  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_manifest_is_not_listed_and_verify_names_its_pack(store: CaseStore, lie: str) -> None:
    manifest, stored = lies(store)[lie]
    name = write_pack(store, manifest, (stored,), store._me).stem[:8]
    store.catch_up()
    verdict = verify(store)
    assert not list(store.index.items())
    assert [finding.about for finding in verdict.findings] == [name]


def test_every_lie_is_tried(store: CaseStore) -> None:
    assert sorted(LIES) == sorted(lies(store))


def test_a_pack_under_another_name_is_not_listed(store: CaseStore) -> None:
    path = write_pack(store, crafted(store), (b"hello",), store._me)
    false_name = path.with_name(pack_name(PackId(os.urandom(16))))
    path.rename(false_name)
    store.catch_up()
    assert not list(store.index.items())
    assert [finding.about for finding in verify(store).findings] == [false_name.stem[:8]]


def test_a_wrong_signature_is_refused(store: CaseStore) -> None:
    path = write_pack(store, crafted(store), (b"hello",), store._me, signature=bytes(64))
    store.catch_up()
    assert not list(store.index.items())
    assert [finding.about for finding in verify(store).findings] == [path.stem[:8]]


def test_a_pack_planted_by_a_stranger_is_not_listed_and_is_named(store: CaseStore) -> None:
    stranger = Identity.generate()
    path = plant(store, crafted(store, author=stranger.signing_public), author=stranger)
    assert not list(store.index.items())
    verdict = verify(store)
    assert [finding.about for finding in verdict.findings] == [path.stem[:8]]
    assert "no member" in verdict.findings[0].what


def zstd_bomb(raw: int, *, claim: int | None) -> bytes:
    """A small frame that unpacks to ``raw`` zeros; its header claims another content size, or none."""
    frame = zstandard.ZstdCompressor(level=3, write_content_size=False).compress(bytes(raw))
    if claim is None:
        return frame
    # RFC 8878, 3.1.1.1: the descriptor's two highest bits 3 mean a content size of 8 bytes, after the window byte.
    descriptor = frame[4]
    return frame[:4] + bytes([descriptor | 0xC0]) + frame[5:6] + claim.to_bytes(8, "little") + frame[6:]


@pytest.mark.parametrize("claim", [None, 5, 1 << 31, 1 << 40, (1 << 64) - 3])
def test_a_chunk_that_is_a_bomb_is_refused_before_it_takes_memory(store: CaseStore, claim: int | None) -> None:
    bomb = zstd_bomb(64 << 20, claim=claim)
    chunk = Chunk(blake3(b"hello", key=store._id_key).digest(), len(bomb), 5, PACKING_ZSTD)
    plant(store, crafted(store, chunks=(chunk,)), bomb)
    assert named_damage(verify(store)) == {b"lie"}


def test_nothing_may_hide_behind_a_packed_chunk(store: CaseStore) -> None:
    frame = zstandard.ZstdCompressor().compress(b"hello") + b"hidden"
    chunk = Chunk(blake3(b"hello", key=store._id_key).digest(), len(frame), 5, PACKING_ZSTD)
    plant(store, crafted(store, chunks=(chunk,)), frame)
    assert named_damage(verify(store)) == {b"lie"}


@pytest.mark.parametrize("size", [1 << 40, (1 << 64) - 3, 100, 0])
def test_a_manifest_that_is_a_bomb_is_refused(store: CaseStore, size: int) -> None:
    path = write_pack(store, crafted(store), (b"hello",), store._me, compressed=zstd_bomb(64 << 20, claim=size))
    store.catch_up()
    assert [finding.about for finding in verify(store).findings] == [path.stem[:8]]


def test_a_chunk_that_is_not_what_its_id_says_is_named(store: CaseStore) -> None:
    plant(store, crafted(store), b"jello")
    assert named_damage(verify(store)) == {b"lie"}


def test_a_false_sha256_or_size_is_named(store: CaseStore) -> None:
    plant(store, change_item(crafted(store), sha256=bytes(32), name=b"false hash"))
    plant(store, change_item(crafted(store), size=6, name=b"false size"))
    assert named_damage(verify(store)) == {b"false hash", b"false size"}


def test_a_document_that_points_into_a_pack_that_is_not_there_is_named(store: CaseStore) -> None:
    plant(store, change_item(crafted(store), extents=(Extent(os.urandom(16), 0, 1),), name=b"nowhere"))
    both = (Extent(b"", 0, 1), Extent(os.urandom(16), 0, 1))
    plant(store, change_item(crafted(store), extents=both, name=b"half nowhere"))
    assert named_damage(verify(store)) == {b"nowhere", b"half nowhere"}


def test_a_document_that_points_beyond_another_pack_is_named(store: CaseStore) -> None:
    first = plant(store, crafted(store))
    into = Extent(bytes.fromhex(first.stem), 0, 0xFFFFFFFF)
    plant(store, change_item(crafted(store), extents=(into,), name=b"beyond"))
    plant(store, change_item(crafted(store), extents=(into, into), name=b"beyond twice"))
    assert named_damage(verify(store)) == {b"beyond", b"beyond twice"}


def test_what_is_hidden_between_manifest_and_trailer_is_found(store: CaseStore) -> None:
    class Hiding(PackWriter):
        def finish(self, compressed_manifest: bytes, signature: bytes) -> int:
            return super().finish(compressed_manifest, signature + b"hidden")

    manifest = crafted(store)
    folder = os.path.join(store.folder, "packs")
    from vault.manifest import SIGNATURE_LABEL, compress, digest, encode

    writer = Hiding(Disk(), folder, PackId(manifest.pack), store.keys.epochs[-1].recipient)
    writer.add_chunks([b"hello"])
    writer.finish(compress(encode(manifest)), store._me.sign(SIGNATURE_LABEL, digest(encode(manifest))))
    store.catch_up()
    assert [finding.about for finding in verify(store).findings] == [manifest.pack.hex()[:8]]


def test_a_damaged_chunk_that_no_document_needs_is_found_too(store: CaseStore) -> None:
    path = plant(store, replace(crafted(store), items=()), b"jello")
    assert [finding.about for finding in verify(store).findings] == [path.stem[:8]]


@settings(max_examples=300)
@given(st.binary(min_size=0, max_size=200), st.lists(st.integers(1, 100), min_size=1, max_size=4), st.booleans())
def test_no_bytes_make_unpacking_raise_anything_else(data: bytes, sizes: list[int], packed: bool) -> None:
    first, *others = sizes
    table = [Chunk(bytes(32), max(1, len(data)), first, PACKING_ZSTD if packed else PACKING_NONE)]
    table += [Chunk(bytes(32), 0, size, PACKING_JOINED) for size in others]
    with pytest.raises(DamagedPack):
        for chunk, raw in zip(table, unpack_block(data, table), strict=True):
            check_chunk(raw, chunk, bytes(32))


@settings(max_examples=100)
@given(st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=8))
def test_chunks_that_are_packed_together_come_apart_again(contents: list[bytes]) -> None:
    stored, table = pack_block([(blake3(data, key=bytes(32)).digest(), data) for data in contents])
    assert sum(chunk.stored for chunk in table) == len(stored)
    unpacked, start = [], 0
    for first, end in table_of(table).blocks():
        length = table[first].stored
        unpacked += unpack_block(stored[start : start + length], table[first:end])
        start += length
    assert unpacked == contents
    for chunk, data in zip(table, unpacked, strict=True):
        check_chunk(data, chunk, bytes(32))


@settings(max_examples=200)
@given(st.data())
def test_no_changed_manifest_makes_a_reader_raise_anything_else(data: st.DataObject) -> None:
    from vault import manifest as manifests

    encoded = bytearray(_ENCODED)
    for _ in range(data.draw(st.integers(1, 3))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        manifests.decode(bytes(encoded))
    except Damaged as error:
        assert isinstance(error, DamagedPack)


def _example() -> bytes:
    from vault.manifest import encode
    from vault.model import Event

    item = Item(b"i" * 16, b"name", 5, b"s" * 32, -1, DAY, "note", "source", ("a", "б"), "file", b"k" * 32,
                (Extent(b"", 0, 1), Extent(b"p" * 16, 3, 4)))  # fmt: skip
    return encode(
        Manifest(1, b"c" * 16, 2, b"q" * 16, b"d" * 16, b"a" * 32, 2, b"h" * 32, DAY,
                 (Chunk(b"k" * 32, 5, 5, 0),), (item,), (Event(DAY, "filed", (b"i" * 16,), "x"),))
    )  # fmt: skip


_ENCODED = _example()


def test_every_truncated_manifest_is_refused() -> None:
    from vault import manifest as manifests

    assert manifests.encode(manifests.decode(_ENCODED)) == _ENCODED
    for size in range(len(_ENCODED)):
        with pytest.raises(DamagedPack):
            manifests.decode(_ENCODED[:size])
    with pytest.raises(DamagedPack):
        manifests.decode(_ENCODED + b"\0")


def test_a_cut_compressed_manifest_is_refused_and_a_changed_one_raises_nothing_else() -> None:
    from vault import manifest as manifests

    packed = bytearray(manifests.compress(_ENCODED))
    for place in range(len(packed)):
        with pytest.raises(DamagedPack):
            manifests.decompress(bytes(packed[:place]))
        for bit in range(8):
            packed[place] ^= 1 << bit
            with suppress(DamagedPack):  # a flip in the content gives another content: the signature finds that
                manifests.decompress(bytes(packed))
            packed[place] ^= 1 << bit
    with pytest.raises(DamagedPack):
        manifests.decompress(bytes(packed) + b"x")


def test_a_short_note_cannot_be_told_from_a_page_by_its_size(store: CaseStore) -> None:
    file(store, {b"note": b"1"})
    file(store, {b"page": os.urandom(20_000)})
    note, page = pack_paths(store)[-2:]
    assert note.stat().st_size == page.stat().st_size > LEAST_PLAINTEXT


def test_a_pack_that_is_given_up_leaves_nothing_behind(store: CaseStore) -> None:
    folder = os.path.join(store.folder, "packs")
    before = os.listdir(folder)
    writer = PackWriter(Disk(), folder, PackId(os.urandom(16)), store.keys.epochs[-1].recipient)
    writer.add_chunks([b"hello"])
    writer.abandon()
    assert os.listdir(folder) == before


def test_equal_chunks_of_two_cases_have_different_ids(tmp_path: Path, store: CaseStore) -> None:
    with unlock(newsroom(tmp_path / "other", case=None)) as vault:
        from vault.cases import create_case

        other = create_case(vault, "Other")
        assert kdf.chunk_id_key(other.keys).expose() != kdf.chunk_id_key(store.keys).expose()
