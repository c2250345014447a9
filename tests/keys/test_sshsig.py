# SPDX-License-Identifier: Apache-2.0
"""SSHSIG signatures: OpenSSH's own tool is the judge, both ways."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import primitives, sshsig
from keys.errors import BadSignature, KeysError, Malformed, MalformedSignature
from keys.secret import Secret
from tests.support.openssh import allowed_signer

NAMESPACE = "bundle.v1@sandyk"
SEED = Secret(bytes(range(32)))
PUBLIC = primitives.signing_public(SEED.expose())
MESSAGE = "2 + 2 = 4, сандык\n".encode()

needs_openssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


def _run(*args: str, stdin: bytes = b"", cwd: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(args, input=stdin, cwd=cwd, capture_output=True, check=False)


@needs_openssh
def test_ssh_keygen_verifies_what_we_sign(tmp_path: Path) -> None:
    (tmp_path / "sig").write_text(sshsig.sign(MESSAGE, NAMESPACE, SEED))
    (tmp_path / "allowed").write_text(allowed_signer(PUBLIC, "sender", NAMESPACE))
    verify = ("ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "sender", "-n", NAMESPACE, "-s", "sig")
    good = _run(*verify, stdin=MESSAGE, cwd=tmp_path)
    assert good.returncode == 0, good.stderr
    assert sshsig.fingerprint(PUBLIC).encode() in good.stdout
    assert _run(*verify, stdin=MESSAGE + b"x", cwd=tmp_path).returncode != 0


@needs_openssh
def test_an_allowed_signer_without_the_namespace_is_refused_by_ssh_keygen(tmp_path: Path) -> None:
    (tmp_path / "sig").write_text(sshsig.sign(MESSAGE, NAMESPACE, SEED))
    (tmp_path / "allowed").write_text(allowed_signer(PUBLIC, "sender", "other@sandyk"))
    args = ("ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "sender", "-n", NAMESPACE, "-s", "sig")
    assert _run(*args, stdin=MESSAGE, cwd=tmp_path).returncode != 0


@needs_openssh
def test_we_verify_what_ssh_keygen_signs_and_spell_it_the_same(tmp_path: Path) -> None:
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", "key", cwd=tmp_path)
    signed = _run("ssh-keygen", "-Y", "sign", "-q", "-f", "key", "-n", NAMESPACE, stdin=MESSAGE, cwd=tmp_path)
    assert signed.returncode == 0, signed.stderr
    public = sshsig.verify(signed.stdout, MESSAGE, NAMESPACE)
    assert sshsig.public_line(public) == (tmp_path / "key.pub").read_text().strip()
    listed = _run("ssh-keygen", "-l", "-f", "key.pub", cwd=tmp_path).stdout.decode()
    assert sshsig.fingerprint(public) == listed.split()[1]


@needs_openssh
@pytest.mark.parametrize("kind", [["-t", "ecdsa"], ["-t", "rsa", "-b", "2048"]])
def test_other_kinds_of_keys_are_refused(tmp_path: Path, kind: list[str]) -> None:
    _run("ssh-keygen", "-q", *kind, "-N", "", "-f", "key", cwd=tmp_path)
    signed = _run("ssh-keygen", "-Y", "sign", "-q", "-f", "key", "-n", NAMESPACE, stdin=MESSAGE, cwd=tmp_path)
    with pytest.raises(MalformedSignature):
        sshsig.verify(signed.stdout, MESSAGE, NAMESPACE)


@needs_openssh
def test_a_signature_over_sha256_is_refused(tmp_path: Path) -> None:
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key", cwd=tmp_path)
    args = ("ssh-keygen", "-Y", "sign", "-q", "-O", "hashalg=sha256", "-f", "key", "-n", NAMESPACE)
    with pytest.raises(MalformedSignature, match="SHA-512"):
        sshsig.verify(_run(*args, stdin=MESSAGE, cwd=tmp_path).stdout, MESSAGE, NAMESPACE)


def test_a_digest_signs_like_its_message() -> None:
    digest = hashlib.sha512(MESSAGE).digest()
    assert sshsig.sign_digest(digest, NAMESPACE, SEED) == sshsig.sign(MESSAGE, NAMESPACE, SEED)


@given(st.binary(max_size=200), st.text("abcdefgh.@0123456789", min_size=1, max_size=128))
def test_what_is_signed_verifies_and_names_the_key(message: bytes, namespace: str) -> None:
    text = sshsig.sign(message, namespace, SEED)
    assert sshsig.verify(text, message, namespace) == PUBLIC
    assert len(text) <= 465


@given(st.binary(min_size=1, max_size=60))
def test_another_message_is_a_bad_signature(extra: bytes) -> None:
    text = sshsig.sign(MESSAGE, NAMESPACE, SEED)
    with pytest.raises(BadSignature):
        sshsig.verify(text, MESSAGE + extra, NAMESPACE)


def test_a_signature_for_another_purpose_is_refused() -> None:
    text = sshsig.sign(MESSAGE, "receipt.v1@sandyk", SEED)
    with pytest.raises(MalformedSignature, match="purpose"):
        sshsig.verify(text, MESSAGE, NAMESPACE)


def test_the_namespace_of_a_signature_cannot_be_swapped() -> None:
    text = sshsig.sign(MESSAGE, "bundle.v0@sandyk", SEED)
    blob = base64.b64decode("".join(text.split("\n")[1:-2]))
    swapped = blob.replace(b"bundle.v0", b"bundle.v1")
    with pytest.raises(BadSignature):
        sshsig.verify(sshsig._armor(swapped), MESSAGE, NAMESPACE)


def test_every_truncation_is_our_error() -> None:
    text = sshsig.sign(MESSAGE, NAMESPACE, SEED)
    for n in range(len(text)):
        with pytest.raises(MalformedSignature):
            sshsig.verify(text[:n], MESSAGE, NAMESPACE)


def test_every_flipped_bit_is_our_error() -> None:
    raw = sshsig.sign(MESSAGE, NAMESPACE, SEED).encode()
    for i in range(len(raw)):
        for bit in range(8):
            flipped = raw[:i] + bytes([raw[i] ^ (1 << bit)]) + raw[i + 1 :]
            with pytest.raises((MalformedSignature, BadSignature)):
                sshsig.verify(flipped, MESSAGE, NAMESPACE)


@pytest.mark.parametrize(
    "respell",
    [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t[:-1],
        lambda t: t + "\n",
        lambda t: " " + t,
        lambda t: t.replace("\n", "\n\n", 1),
        lambda t: "comment\n" + t,
        lambda t: "\n".join([t.split("\n")[0], "".join(t.split("\n")[1:-2]), *t.split("\n")[-2:]]),
    ],
    ids=["crlf", "no newline", "two newlines", "leading space", "blank line", "preamble", "one long line"],
)
def test_a_signature_has_one_spelling(respell) -> None:  # type: ignore[no-untyped-def]
    text = sshsig.sign(MESSAGE, NAMESPACE, SEED)
    with pytest.raises(MalformedSignature):
        sshsig.parse(respell(text))


@given(st.binary(max_size=400))
def test_any_bytes_in_the_armor_are_our_error_or_reencode_to_themselves(blob: bytes) -> None:
    text = sshsig._armor(b"SSHSIG\0\0\0\x01" + blob)
    try:
        parsed = sshsig.parse(text)
    except KeysError:
        return
    assert sshsig._armor(sshsig._encode(parsed)) == text


def test_a_huge_text_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(MalformedSignature, match="longer"):
        sshsig.parse("A" * (sshsig.MAX_ARMOR_CHARS + 1))


@pytest.mark.parametrize("namespace", ["", "a b", "a\n", "ф", "n" * 129])
def test_an_impossible_namespace_is_refused_when_signing(namespace: str) -> None:
    with pytest.raises(MalformedSignature):
        sshsig.sign(MESSAGE, namespace, SEED)


def test_a_key_of_the_wrong_size_has_no_fingerprint() -> None:
    with pytest.raises(Malformed):
        sshsig.fingerprint(os.urandom(31))
