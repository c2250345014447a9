# SPDX-License-Identifier: Apache-2.0
"""Other implementations open what ours writes, and ours opens what they write.

pyrage (the age crate) is a test dependency; the programs ``age`` and ``node`` are looked
for on the machine (``tests/support/tools.py``).
"""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pyrage
import pytest

from keys.age import (
    HybridIdentity,
    Identity,
    Recipient,
    ScryptIdentity,
    ScryptRecipient,
    Sealer,
    X25519Identity,
    parse_identity,
    parse_identity_file,
    parse_recipient,
    seal,
    unseal,
)
from keys.secret import Secret
from tests.support.tools import need, need_hybrid_age, need_node_package

SIZES = [0, 1, 65536, 65537, 200_000]
NOISE = os.urandom(max(SIZES))
CLASSIC = X25519Identity.generate()
HYBRID = HybridIdentity.generate()
WORDS = "сандык ачкыч correct horse"
PASSPHRASE = Secret(WORDS.encode())


def text(identity: HybridIdentity | X25519Identity) -> str:
    return identity.encode().expose().decode()


def written(plaintext: bytes, recipient: Recipient, *, armored: bool) -> bytes:
    sink = io.BytesIO()
    sealer = Sealer(sink, [recipient], armored=armored)
    sealer.write(plaintext)
    sealer.finish()
    return sink.getvalue()


def read(untrusted: bytes, identity: Identity) -> bytes:
    return unseal(untrusted, [identity], limit=max(SIZES))


def node(request: dict[str, Any]) -> dict[str, str]:
    """One request to tests/interop/age.mjs, through its standard input."""
    folder = need_node_package()
    answer = subprocess.run(
        [need("node"), "age.mjs"], cwd=folder, input=json.dumps(request).encode(), capture_output=True, check=False
    )
    assert answer.returncode == 0, answer.stderr.decode()
    result: dict[str, str] = json.loads(answer.stdout)
    return result


def node_bytes(request: dict[str, Any], data: bytes) -> bytes:
    return base64.b64decode(node({**request, "data": base64.b64encode(data).decode()})["data"])


@pytest.mark.parametrize("size", SIZES)
def test_pyrage_opens_ours(size: int) -> None:
    """An X25519 file, binary and armored."""
    identity = pyrage.x25519.Identity.from_str(text(CLASSIC))
    for armored in (False, True):
        assert pyrage.decrypt(written(NOISE[:size], CLASSIC.recipient, armored=armored), [identity]) == NOISE[:size]


@pytest.mark.parametrize("size", SIZES)
def test_ours_opens_that_of_pyrage(size: int) -> None:
    """An X25519 file, binary and armored, to a key that pyrage made."""
    theirs = pyrage.x25519.Identity.generate()
    ours = X25519Identity.parse(str(theirs))
    assert str(ours.recipient) == str(theirs.to_public())
    for armored in (False, True):
        assert read(pyrage.encrypt(NOISE[:size], [theirs.to_public()], armored=armored), ours) == NOISE[:size]


def test_pyrage_opens_our_passphrase_file() -> None:
    """With a passphrase in two scripts."""
    sealed = seal(b"text", [ScryptRecipient(PASSPHRASE, work_factor=10)])
    assert pyrage.passphrase.decrypt(sealed, WORDS) == b"text"


def test_ours_opens_the_passphrase_file_of_pyrage() -> None:
    """Whose cost pyrage chooses by the machine's speed."""
    sealed = pyrage.passphrase.encrypt(b"text", WORDS)
    assert read(sealed, ScryptIdentity(PASSPHRASE, max_work_factor=22)) == b"text"


@pytest.mark.parametrize("size", SIZES)
def test_the_age_program_opens_ours(tmp_path: Path, size: int) -> None:
    """``age -d`` with our identity in a file, binary and armored."""
    age = need("age")
    key = tmp_path / "key"
    key.write_text(f"# ours\n{text(CLASSIC)}\n")
    for armored in (False, True):
        sealed = written(NOISE[:size], CLASSIC.recipient, armored=armored)
        opened = subprocess.run([age, "-d", "-i", key], input=sealed, capture_output=True, check=True)
        assert opened.stdout == NOISE[:size]


@pytest.mark.parametrize("size", SIZES)
def test_ours_opens_that_of_the_age_program(tmp_path: Path, size: int) -> None:
    """``age-keygen`` and ``age -r``, binary and armored, with a second recipient."""
    age, keygen = need("age"), need("age-keygen")
    key = tmp_path / "key"
    subprocess.run([keygen, "-o", key], capture_output=True, check=True)
    (identity,) = parse_identity_file(key.read_bytes())
    recipients = ["-r", str(CLASSIC.recipient), "-r", str(identity.recipient)]
    for flags in ([], ["-a"]):
        sealed = subprocess.run([age, *flags, *recipients], input=NOISE[:size], capture_output=True, check=True).stdout
        assert read(sealed, identity) == read(sealed, CLASSIC) == NOISE[:size]


@pytest.mark.parametrize("size", SIZES)
def test_the_age_program_and_ours_open_each_others_hybrid_files(tmp_path: Path, size: int) -> None:
    """``age-keygen -pq``, ``age -r age1pq1…`` with a second recipient and ``age -d``, binary and armored."""
    programs = need_hybrid_age()
    key = tmp_path / "key"
    subprocess.run([programs / "age-keygen", "-pq", "-o", key], capture_output=True, check=True)
    (theirs,) = parse_identity_file(key.read_bytes())
    assert isinstance(theirs, HybridIdentity)
    recipients = ["-r", str(HYBRID.recipient), "-r", str(theirs.recipient)]
    for armored, flags in ((False, []), (True, ["-a"])):
        sealed = written(NOISE[:size], theirs.recipient, armored=armored)
        opened = subprocess.run([programs / "age", "-d", "-i", key], input=sealed, capture_output=True, check=True)
        assert opened.stdout == NOISE[:size]
        made = subprocess.run([programs / "age", *flags, *recipients], input=NOISE[:size], capture_output=True)
        assert read(made.stdout, theirs) == read(made.stdout, HYBRID) == NOISE[:size]


@pytest.mark.parametrize("kind", ["hybrid", "x25519"])
def test_keys_of_age_encryption_are_ours(kind: str) -> None:
    """Both compute the same recipient from an identity that age-encryption made."""
    pair = node({"generate": kind})
    identity = parse_identity(pair["identity"])
    assert str(identity.recipient) == pair["recipient"]
    assert parse_recipient(pair["recipient"]) == identity.recipient


@pytest.mark.parametrize("armored", [False, True])
@pytest.mark.parametrize("identity", [HYBRID, CLASSIC], ids=["hybrid", "x25519"])
def test_age_encryption_opens_ours(identity: HybridIdentity | X25519Identity, armored: bool) -> None:
    """Hybrid and X25519 files of several blocks, binary and armored."""
    sealed = written(NOISE, identity.recipient, armored=armored)
    assert node_bytes({"identities": [text(identity)], "armor": armored}, sealed) == NOISE


@pytest.mark.parametrize("armored", [False, True])
@pytest.mark.parametrize("identity", [HYBRID, CLASSIC], ids=["hybrid", "x25519"])
def test_ours_opens_that_of_age_encryption(identity: HybridIdentity | X25519Identity, armored: bool) -> None:
    """Hybrid and X25519 files of several blocks, binary and armored."""
    request = {"seal": True, "armor": armored, "recipients": [str(identity.recipient)]}
    assert read(node_bytes(request, NOISE), identity) == NOISE


def test_passphrases_with_age_encryption() -> None:
    """A passphrase in two scripts, both ways."""
    sealed = seal(NOISE, [ScryptRecipient(PASSPHRASE, work_factor=10)])
    assert node_bytes({"passphrase": WORDS}, sealed) == NOISE
    theirs = node_bytes({"seal": True, "passphrase": WORDS, "workFactor": 10}, NOISE)
    assert read(theirs, ScryptIdentity(PASSPHRASE)) == NOISE
