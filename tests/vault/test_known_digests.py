# SPDX-License-Identifier: Apache-2.0
"""Whose word is taken for a document's SHA-256 when it is sealed: one's own, and nobody else's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from keys.secret import Secret
from tests.support.bundles import EDITOR
from tests.support.newsroom import (
    file,
    listing,
    newsroom,
    pack_paths,
    read_manifest,
    store_of,
    unlock,
    write_pack,
)
from vault.cases import find_case, grant
from vault.compacting import compact
from vault.errors import DamagedPack
from vault.exporting import Addressee, export
from vault.model import PackId
from vault.proving import with_known_digest
from vault.sources import CHUNK_SIZE
from vault.store import CaseStore
from vault.vaults import Vault

THEIR_PASSPHRASE = "second passphrase"
TO_EDITOR = [Addressee("editor", EDITOR.recipient, "words", True)]


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[Vault]:
    """A vault with a colleague in its case."""
    with unlock(newsroom(tmp_path / "vault")) as vault:
        entry = vault.add_journalist("Бакыт", Secret(THEIR_PASSPHRASE.encode()))
        grant(vault, find_case(vault, "Mine"), entry.card, "Бакыт")
        yield vault


@pytest.fixture
def theirs(mine: Vault) -> Iterator[Vault]:
    with unlock(mine.folder, THEIR_PASSPHRASE) as vault:
        yield vault


def known(store: CaseStore) -> set[bytes]:
    items = listing(store)
    digests = with_known_digest(store, store.me, items)
    return {item.name for item in items if item.id in digests}


def test_what_one_filed_oneself_is_known_also_when_it_is_empty_or_long(mine: Vault) -> None:
    with store_of(mine) as store:
        file(store, {b"empty": b"", b"short": b"1", b"long": os.urandom(3 * CHUNK_SIZE)})
        assert known(store) == {b"empty", b"short", b"long"}


def test_what_a_colleague_filed_is_not_known_until_one_has_read_it(mine: Vault, theirs: Vault) -> None:
    with store_of(theirs) as store:
        file(store, {b"theirs": b"samsa" * 30})
    with store_of(mine) as store:
        file(store, {b"mine": b"plov"})
        assert known(store) == {b"mine"}
    compact(mine, find_case(mine, "Mine"))  # reads what is a colleague's before it signs
    with store_of(mine) as store:
        assert known(store) == {b"mine", b"theirs"}


def test_what_lies_in_a_colleague_s_pack_is_not_known_although_one_listed_it(mine: Vault, theirs: Vault) -> None:
    shared = os.urandom(CHUNK_SIZE)
    with store_of(theirs) as store:
        file(store, {b"first": shared})
    with store_of(mine) as store:
        file(store, {b"again": shared, b"alone": b"1"})
        assert known(store) == {b"alone"}


def test_what_a_colleague_wrote_anew_is_not_known_any_more(mine: Vault, theirs: Vault) -> None:
    with store_of(mine) as store:
        file(store, {b"mine": b"plov"})
        file(store, {b"too": b"manty"})
    compact(theirs, find_case(theirs, "Mine"))
    with store_of(mine) as store:
        assert known(store) == set()


def seal(vault: Vault, path: Path) -> None:
    export(vault, find_case(vault, "Mine"), [], TO_EDITOR, str(path), thumbnails=False)


def test_a_document_of_which_a_colleague_states_another_sha256_is_not_sealed(
    mine: Vault, theirs: Vault, tmp_path: Path
) -> None:
    with store_of(theirs) as store:
        file(store, {b"true": b"content"})
        example = read_manifest(store, pack_paths(store)[-1])
        sequence, previous = store.index.end_of_chain(example.device)
        false = replace(example.items[0], id=os.urandom(16), name=b"false", sha256=bytes(32))
        next_one = replace(example, sequence=sequence + 1, previous=previous)
        lying = replace(next_one, pack=os.urandom(16), items=(false,), events=())
        write_pack(store, lying, (b"content",), theirs.me)
    with pytest.raises(DamagedPack, match="changed since its digest was taken"):
        seal(mine, tmp_path / "bundle.age")
    assert not (tmp_path / "bundle.age").exists()


def test_a_document_of_one_s_own_that_is_not_what_its_chunk_ids_say_is_not_sealed(mine: Vault, tmp_path: Path) -> None:
    with store_of(mine) as store:
        file(store, {b"memo": b"content"})
        path = pack_paths(store)[-1]
        manifest = read_manifest(store, path)
        path.unlink()
        # The case's recipient is all that it takes to seal other bytes of the same length into the same place.
        write_pack(store, manifest, (b"CONTENT",), mine.me)
        assert known(store) == {b"memo"}
    with pytest.raises(DamagedPack, match="not what its id says"):
        seal(mine, tmp_path / "bundle.age")
    assert not (tmp_path / "bundle.age").exists()


def test_nothing_is_known_of_a_pack_that_the_index_does_not_know(mine: Vault) -> None:
    with store_of(mine) as store:
        file(store, {b"memo": b"content"})
        (item,) = listing(store)
        store.index.forget_pack(PackId(item.extents[0].pack))
        assert with_known_digest(store, store.me, [item]) == frozenset()
