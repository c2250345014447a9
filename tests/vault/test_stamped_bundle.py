# SPDX-License-Identifier: Apache-2.0
"""Bundles with a time stamp: asked for before anything is written, judged before anything is believed."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import bundles
from tests.support.bundles import DOCUMENTS, EDITOR, SENDER, SIGNED_PLAIN, read_all
from tests.support.newsroom import add_paths, newsroom, store_of, unlock
from tests.support.tools import need
from tests.support.tsa import authority
from vault import timestamp
from vault.bundle import BundleReader, IdentitySigner, compose
from vault.bundle_layout import TIMESTAMP
from vault.cases import find_case
from vault.errors import BadInput, BrokenTimestamp, TimestampFailed
from vault.exporting import Addressee, export
from vault.model import EVENT_EXPORTED
from vault.opening import Opened, open_into_folder
from vault.vaults import Vault


def quiet(documents: int, size: int) -> None:
    """Progress that nobody sees."""


def stamped(signature: bytes) -> bytes:
    """What a server on this machine answers."""
    return authority().reply(timestamp.request_for(signature).der)


def sealed(stamp: object = stamped) -> bytes:
    return bundles.seal(stamp=stamp)[0]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Vault]:
    (tmp_path / "letter").write_bytes(b"letter")
    with unlock(newsroom(tmp_path / "here")) as vault:
        add_paths(vault, tmp_path / "letter")
        yield vault


def opened(tmp_path: Path, bundle: bytes) -> Opened:
    (tmp_path / "in.age").write_bytes(bundle)
    return open_into_folder(str(tmp_path / "in.age"), [EDITOR.age], str(tmp_path / "out"), None, progress=quiet)


def test_a_stamp_travels_with_the_bundle_and_is_over_its_signature() -> None:
    reader = BundleReader(io.BytesIO(sealed()), [EDITOR.age])
    tags = reader.tags
    assert tags.untrusted_timestamp is not None
    roots = timestamp.read_roots(authority().root.read_bytes())
    assert timestamp.judge(tags.untrusted_timestamp, tags.signature, roots=roots).name == "CN=Time,O=Test"
    assert read_all(reader) == list(DOCUMENTS)


def test_openssl_verifies_what_was_unpacked(tmp_path: Path) -> None:
    folder = opened(tmp_path, sealed()).place
    command = "ts -verify -in tagmanifest-sha256.txt.tsr -data tagmanifest-sha256.txt.sig -CAfile"
    run = subprocess.run([need("openssl"), *command.split(), authority().root], cwd=folder, capture_output=True)
    assert run.returncode == 0, run.stderr


def test_who_opens_a_bundle_is_told_of_its_stamp(tmp_path: Path) -> None:
    result = opened(tmp_path, sealed())
    assert result.stamp is not None
    assert (result.stamp.name, result.stamp.checked_against) == ("CN=Time,O=Test", ())


@pytest.mark.parametrize("stamp", [lambda _: stamped(b"another signature"), lambda _: b"nonsense"])
def test_a_stamp_over_something_else_is_refused_and_nothing_is_kept(tmp_path: Path, stamp: object) -> None:
    with pytest.raises(BrokenTimestamp):
        opened(tmp_path, sealed(stamp))
    assert list((tmp_path / "out").glob("*")) == []


def test_without_the_library_a_bundle_opens_and_its_stamp_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = sealed(lambda _: b"nonsense")
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    result = opened(tmp_path, bundle)
    assert result.stamp is None
    assert result.tags is not None and result.tags.untrusted_timestamp == b"nonsense"


def test_a_drop_has_no_signature_to_stamp() -> None:
    with pytest.raises(BadInput, match="drop"):
        bundles.seal(signer=None, stamp=stamped)


def test_a_stamp_larger_than_a_reader_takes_is_refused_by_the_writer() -> None:
    with pytest.raises(BadInput, match="too large"):
        sealed(lambda _: bytes(timestamp.MAX_SIZE + 1))


def test_without_the_option_there_is_no_stamp() -> None:
    assert TIMESTAMP.encode() not in SIGNED_PLAIN


def test_when_no_stamp_is_to_be_had_nothing_is_exported_or_recorded(here: Vault, tmp_path: Path) -> None:
    def fail(signature: bytes) -> bytes:
        raise TimestampFailed("no server")

    to = [Addressee("editor", EDITOR.recipient, "editor", True)]
    with pytest.raises(TimestampFailed):
        export(here, find_case(here, "Mine"), [], to, str(tmp_path / "out.age"), stamp=fail)
    assert not (tmp_path / "out.age").exists()
    with store_of(here) as store:
        assert not list(store.index.events(EVENT_EXPORTED))


def test_the_stamp_is_asked_for_once_and_over_the_signature_that_is_written() -> None:
    asked = []

    def stamp(signature: bytes) -> bytes:
        asked.append(signature)
        return stamped(signature)

    composed = compose(
        [EDITOR.recipient], bundles.items_of(), signer=IdentitySigner(SENDER), clock_ns=bundles.CLOCK,
        bundle_id=bundles.ID, stamp=stamp,
    )  # fmt: skip
    (signature,) = asked
    sink = io.BytesIO()
    composed.write(sink, bundles.in_pieces(DOCUMENTS))
    assert signature in sink.getvalue()
