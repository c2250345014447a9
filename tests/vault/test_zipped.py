# SPDX-License-Identifier: Apache-2.0
"""Bundles in a ZIP: opened by 7-Zip and tar, telling nothing of what is inside, and never taken for another's."""

from __future__ import annotations

import gc
import hashlib
import io
import subprocess
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pyzipper
from hypothesis import given
from hypothesis import strategies as st

from keys import age
from keys.secret import Secret
from tests.support.bundles import (
    CLOCK,
    DOCUMENTS,
    EDITOR,
    ID,
    SENDER,
    SIGNED_PLAIN,
    in_pieces,
    items_of,
    read_all,
)
from tests.support.tools import need
from vault.bundle import BundleReader, ContentChanged, IdentitySigner, compose
from vault.errors import BadInput, DamagedBundle, DoesNotOpen, Resealed, VaultError
from vault.zipped import MAX_DIRECTORY, MEMBER, WORDS, ZipBundleReader, new_words, zip_sink

PASSPHRASE = Secret(b"relay quarterly spoon caucasian entrench velocity stable tilt")
CONTENT_AT = 30 + len(MEMBER) + 20 + 11
"""Where the salt begins: behind the header, the name, and the fields of ZIP64 and of AES."""


def zipped(plaintext: bytes, passphrase: Secret = PASSPHRASE) -> bytes:
    """A ZIP as this program makes it around any bytes."""
    sink = io.BytesIO()
    with zip_sink(sink, passphrase) as inside:
        inside.write(plaintext)
    return sink.getvalue()


def bundle(*, signed: bool = True) -> bytes:
    """The tar of a bundle for whoever has the passphrase."""
    signer = IdentitySigner(SENDER) if signed else None
    composed = compose((), items_of(), signer=signer, clock_ns=CLOCK, bundle_id=ID, title="Т", by_passphrase=True)
    sink = io.BytesIO()
    composed.write(sink, in_pieces(DOCUMENTS))
    return sink.getvalue()


PLAIN = bundle()
ZIP = zipped(PLAIN)


def opened(untrusted: bytes, passphrase: Secret = PASSPHRASE) -> list[tuple[bytes, bytes]]:
    return read_all(ZipBundleReader(io.BytesIO(untrusted), passphrase))


@pytest.mark.parametrize("signed", [True, False])
def test_what_is_zipped_opens_and_is_judged_as_any_bundle(signed: bool) -> None:
    reader = ZipBundleReader(io.BytesIO(zipped(bundle(signed=signed))), PASSPHRASE)
    assert reader.tags.sealed_for == ("passphrase",)
    assert (reader.tags.signer is not None) is signed
    assert read_all(reader) == list(DOCUMENTS)


def test_7zip_and_tar_alone_give_the_documents_and_the_commands_of_the_readme_check_them(tmp_path: Path) -> None:
    """As README.txt says; a document's Cyrillic name comes out of the tar as it went in."""
    for tool in ("7zz", "tar", "sha256sum", "ssh-keygen"):
        need(tool)
    (tmp_path / "FILE.zip").write_bytes(ZIP)
    with tarfile.open(fileobj=io.BytesIO(PLAIN)) as archive:
        readme = archive.extractfile("bundle-00112233/README.txt")
        assert readme is not None
        english = readme.read().decode().partition("РУССКИЙ")[0]
    lines = [line.strip() for line in english.splitlines() if line.startswith("    ") and "SHA256:" not in line]
    commands = [line for line in lines if not line.startswith("openssl")]
    assert commands[0] == "7z x FILE.zip"
    commands[0] = f"7zz x -p'{PASSPHRASE.expose().decode()}' FILE.zip"
    script = "\n".join(commands)
    run = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Good" in run.stdout
    assert run.stdout.count(": OK") > len(DOCUMENTS)
    names = [path.name for path in sorted((tmp_path / "bundle-00112233" / "data").rglob("*")) if path.is_file()]
    assert "протокол №1.pdf" in names
    assert len(names) == len(DOCUMENTS)


def test_7zip_refuses_another_passphrase(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(ZIP)
    run = subprocess.run([need("7zz"), "t", "-pother", "x.zip"], cwd=tmp_path, capture_output=True, text=True)
    assert "Wrong password" in run.stdout + run.stderr


def test_pyzipper_opens_it() -> None:
    with pyzipper.AESZipFile(io.BytesIO(ZIP)) as archive:
        assert archive.read(MEMBER, pwd=PASSPHRASE.expose()) == PLAIN


def test_from_outside_it_shows_one_neutral_name_an_old_date_and_a_padded_size() -> None:
    with zipfile.ZipFile(io.BytesIO(ZIP)) as archive:
        (info,) = archive.infolist()
    assert (info.filename, info.date_time, info.file_size) == (MEMBER, (1980, 1, 1, 0, 0, 0), 256 << 10)
    assert (info.create_system, info.comment, info.CRC) == (0, b"", 0)
    other = zipped(bundle())
    assert other[:CONTENT_AT] == ZIP[:CONTENT_AT], "two bundles begin with the same bytes"
    assert other[-100:-80] != ZIP[-100:-80] or other[CONTENT_AT:1000] != ZIP[CONTENT_AT:1000]
    assert b"data/" not in ZIP


def test_more_than_4_gib_are_possible_because_the_header_has_room_for_large_sizes() -> None:
    """The ZIP64 field (APPNOTE 4.5.3) of the local header, which cannot be added when the size is known."""
    extra = ZIP[30 + len(MEMBER) : CONTENT_AT]
    assert extra[:4] == b"\x01\x00\x10\x00"


def test_the_passphrase_has_eight_random_words() -> None:
    assert WORDS == 8
    one, two = new_words(), new_words()
    assert len(one.expose().split()) == 8
    assert one != two


def test_another_passphrase_does_not_open_it() -> None:
    with pytest.raises(DoesNotOpen):
        opened(ZIP, Secret(b"relay quarterly spoon caucasian entrench velocity stable tile"))


def test_a_wrong_passphrase_that_slips_through_the_first_check_gives_nothing() -> None:
    """The check in a ZIP has 16 bits: one in 65,536 wrong passphrases passes it. Here the bits are made to agree."""
    wrong = Secret(b"another passphrase")
    salt = ZIP[CONTENT_AT : CONTENT_AT + 16]
    verifier = hashlib.pbkdf2_hmac("sha1", wrong.expose(), salt, 1000, 66)[64:]
    with pytest.raises(DamagedBundle):
        opened(ZIP[: CONTENT_AT + 16] + verifier + ZIP[CONTENT_AT + 18 :], wrong)


def test_every_changed_byte_is_refused_or_changes_nothing() -> None:
    """No byte of the framing is authenticated, and so nothing of it is believed; of the rest, every byte is."""
    end = CONTENT_AT + 18 + len(PLAIN) + 10
    places = [*range(CONTENT_AT + 100), *range(CONTENT_AT + 100, end - 40, 4999), *range(end - 40, len(ZIP))]
    for place in places:
        changed = ZIP[:place] + bytes([ZIP[place] ^ 0x41]) + ZIP[place + 1 :]
        try:
            assert opened(changed) == list(DOCUMENTS)
            assert not CONTENT_AT <= place < end, f"byte {place} of the content changed and nobody saw it"
        except VaultError:
            continue


def test_every_cut_is_refused() -> None:
    for size in [*range(CONTENT_AT + 40), *range(1000, len(ZIP), 9973), *range(len(ZIP) - 150, len(ZIP))]:
        with pytest.raises(VaultError):
            opened(ZIP[:size])


@given(st.binary(max_size=400))
def test_any_bytes_are_our_error(untrusted: bytes) -> None:
    for data in (untrusted, ZIP[:CONTENT_AT] + untrusted, untrusted + ZIP[-120:], ZIP[:5000] + untrusted + ZIP[-120:]):
        with pytest.raises(VaultError):
            opened(data)


def test_a_bundle_sealed_for_people_is_not_taken_from_a_zip() -> None:
    """Whoever may open a bundle could put it into a ZIP and send it on in the sender's name."""
    with pytest.raises(Resealed):
        opened(zipped(SIGNED_PLAIN))


def test_a_bundle_sealed_with_a_passphrase_is_not_taken_from_an_age_file() -> None:
    with pytest.raises(Resealed):
        BundleReader(io.BytesIO(age.seal(PLAIN, [EDITOR.recipient])), [EDITOR.age])


def test_a_bundle_has_recipients_or_a_passphrase() -> None:
    with pytest.raises(BadInput):
        compose([EDITOR.recipient], items_of(), signer=None, clock_ns=CLOCK, bundle_id=ID, by_passphrase=True)


def by_pyzipper(write: Callable[[Any], None], **options: Any) -> bytes:
    sink = io.BytesIO()
    with pyzipper.AESZipFile(sink, "w", **options) as archive:
        if options:
            archive.setpassword(PASSPHRASE.expose())
        write(archive)
    return sink.getvalue()


def aes(bits: int) -> dict[str, Any]:
    return {"encryption": pyzipper.WZ_AES, "encryption_kwargs": {"nbits": bits}}


def put(*names: str) -> Callable[[Any], None]:
    def write(archive: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pyzipper knows that one name twice is odd
            for name in names:
                archive.writestr(name, PLAIN)

    return write


OTHER_ZIPS = {
    "no member": by_pyzipper(put()),
    "in clear": by_pyzipper(put(MEMBER)),
    "several members": by_pyzipper(put(MEMBER, "other"), **aes(256)),
    "one name twice": by_pyzipper(put(MEMBER, MEMBER), **aes(256)),
    "another name": by_pyzipper(put("../content.tar"), **aes(256)),
    "AES-128": by_pyzipper(put(MEMBER), **aes(128)),
    "deflated": by_pyzipper(put(MEMBER), compression=pyzipper.ZIP_DEFLATED, **aes(256)),
    "LZMA": by_pyzipper(put(MEMBER), compression=pyzipper.ZIP_LZMA, **aes(256)),
    "bytes before": b"MZ" * 300 + ZIP,
    "AE-1": by_pyzipper(
        put(MEMBER), encryption=pyzipper.WZ_AES, encryption_kwargs={"nbits": 256, "force_wz_aes_version": 1}
    ),
}


@pytest.mark.parametrize("kind", OTHER_ZIPS)
def test_a_zip_of_another_shape_is_refused_before_anything_is_decrypted(kind: str) -> None:
    """So there is nothing to inflate, and no second member that a program could choose instead."""
    with pytest.raises(DamagedBundle, match="not made by sandyk"):
        opened(OTHER_ZIPS[kind])


@pytest.mark.parametrize("method", ["ZipCrypto", "AES192"])
def test_what_7zip_encrypts_in_other_ways_is_refused(tmp_path: Path, method: str) -> None:
    (tmp_path / MEMBER).write_bytes(PLAIN)
    command = [need("7zz"), "a", "-mx0", f"-mem={method}", f"-p{PASSPHRASE.expose().decode()}", "x.zip", MEMBER]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    with pytest.raises(DamagedBundle):
        opened((tmp_path / "x.zip").read_bytes())


def test_a_member_that_claims_another_size_than_it_has_is_refused() -> None:
    directory = ZIP.rindex(b"PK\x01\x02")
    for field in (20, 24):
        for size in (0, 27, 0xFFFFFFFE, 0xFFFFFFFF):
            changed = bytearray(ZIP)
            changed[directory + field : directory + field + 4] = size.to_bytes(4, "little")
            with pytest.raises(DamagedBundle):
                opened(bytes(changed))


class Counting(io.BytesIO):
    """Remembers the largest piece that was read."""

    largest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.largest = max(self.largest, len(data))
        return data


def test_a_list_of_many_members_is_refused_without_reading_it_all() -> None:
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number:0100}", b"")
    source = Counting(many.getvalue())
    with pytest.raises(DamagedBundle):
        ZipBundleReader(source, PASSPHRASE)
    assert source.largest <= MAX_DIRECTORY + 1


@pytest.mark.parametrize("stage", ["sink", "content", "end"])
def test_when_the_writing_fails_the_error_is_the_first_and_nothing_is_written_later(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that finished the ZIP when it is thrown away would make half a bundle look whole."""
    unraisable: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)

    class Full(io.BytesIO):
        def write(self, data: Any, /) -> int:
            full = self.tell() > 5000 if stage == "sink" else bytes(data[:4]) == b"PK\x01\x02"
            if full and stage != "content":
                raise OSError(28, "full")
            return super().write(data)

    sink = Full()
    with pytest.raises(ContentChanged if stage == "content" else OSError), zip_sink(sink, PASSPHRASE) as inside:
        inside.write(PLAIN[:10_000])
        if stage == "content":
            raise ContentChanged(0)
    size = len(sink.getvalue())
    gc.collect()
    assert (len(sink.getvalue()), unraisable) == (size, [])
    assert b"PK\x05\x06" not in sink.getvalue()


def test_nothing_of_a_wrong_zip_is_handed_out_before_the_signature_was_judged() -> None:
    """What is handed out before is text that describes, and the caller removes it when the constructor raises."""
    seen: list[str] = []
    changed = PLAIN.replace(b"Payload-Oxum: ", b"Payload-Oxun: ")
    with pytest.raises(DamagedBundle):
        ZipBundleReader(io.BytesIO(zipped(changed)), PASSPHRASE, on_tag=lambda path, piece: seen.append(path))
    assert seen
    assert not any("/data/" in path for path in seen)
