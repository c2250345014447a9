# SPDX-License-Identifier: Apache-2.0
"""SSHSIG: signatures that every OpenSSH since 8.1 can check (``ssh-keygen -Y verify``).

Owns one corner of OpenSSH's ``PROTOCOL.sshsig``: ssh-ed25519 keys, the sha512 hash, an
empty reserved field, and the armor exactly as ``ssh-keygen`` writes it. Anything else is
refused, so that a signature has one spelling. It decides nothing about who may sign: that
is the caller's question, asked with the public key that ``verify`` returns.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from gettext import gettext as _

from keys import primitives
from keys.errors import Malformed, MalformedSignature
from keys.secret import Secret

KEY_TYPE = b"ssh-ed25519"
HASH_NAME = b"sha512"
DIGEST_SIZE = 64
MAX_ARMOR_CHARS = 2048
"""Room to spare: a signature of this kind with the longest namespace takes 465 characters."""
MAX_NAMESPACE_CHARS = 128

_MAGIC = b"SSHSIG"
_VERSION = (1).to_bytes(4, "big")
_BEGIN = "-----BEGIN SSH SIGNATURE-----"
_END = "-----END SSH SIGNATURE-----"
_LINE_WIDTH = 70  # sshbuf_dtob64 with wrapping; PROTOCOL.sshsig says 76, ssh-keygen writes 70
_NAMESPACE = re.compile(rf"[!-~]{{1,{MAX_NAMESPACE_CHARS}}}")


@dataclass(frozen=True, slots=True)
class Signature:
    """What an SSHSIG says of itself. Nothing of it is verified yet."""

    public: bytes
    """The Ed25519 key, 32 bytes, that claims to have signed."""
    namespace: str
    """What the signature is for, 1 to 128 printable ASCII characters."""
    signature: bytes
    """The Ed25519 signature itself, 64 bytes."""


def sign(message: bytes, namespace: str, seed: Secret) -> str:
    """An armored signature over ``message`` by the Ed25519 key of a 32-byte ``seed``."""
    return sign_digest(hashlib.sha512(message).digest(), namespace, seed)


def sign_digest(sha512: bytes, namespace: str, seed: Secret) -> str:
    """The same over a message of which only the SHA-512 digest (64 bytes) is at hand."""
    public = primitives.signing_public(seed.expose())
    raw = primitives.sign(_to_be_signed(sha512, namespace), seed.expose())
    return _armor(_encode(Signature(public, namespace, raw)))


def parse(untrusted: str | bytes) -> Signature:
    """The parts of an armored signature, unverified. Raises MalformedSignature."""
    untrusted_text = _text(untrusted)
    lines = untrusted_text.split("\n")
    if len(lines) < 4 or lines[0] != _BEGIN or lines[-2:] != [_END, ""]:
        raise MalformedSignature(_("an SSH signature begins and ends with its own lines"))
    try:
        blob = base64.b64decode("".join(lines[1:-2]), validate=True)
    except ValueError as exc:
        raise MalformedSignature(_("the signature is not base64")) from exc
    signature = _decode(blob)
    if _armor(_encode(signature)) != untrusted_text:
        raise MalformedSignature(_("the signature is not spelled as ssh-keygen writes it"))
    return signature


def verify(untrusted: str | bytes, message: bytes, namespace: str) -> bytes:
    """The public key (32 bytes) that signed ``message`` for ``namespace``.

    Raises MalformedSignature for a form that is not ours or another namespace, BadSignature
    when the form is right and the signature is not over this message.
    """
    signature = parse(untrusted)
    if signature.namespace != namespace:
        raise MalformedSignature(_("the signature was made for another purpose"))
    digest = hashlib.sha512(message).digest()
    primitives.verify(_to_be_signed(digest, namespace), signature.signature, signature.public)
    return signature.public


def fingerprint(public: bytes) -> str:
    """``SHA256:`` and 43 base64 characters, as ``ssh-keygen -l`` shows a key of 32 bytes."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(_key_blob(public)).digest()).decode("ascii").rstrip("=")


def public_line(public: bytes) -> str:
    """The key as one line of a ``.pub`` file, without a comment and without a newline."""
    return f"{KEY_TYPE.decode('ascii')} {base64.b64encode(_key_blob(public)).decode('ascii')}"


def _text(untrusted: str | bytes) -> str:
    if len(untrusted) > MAX_ARMOR_CHARS:
        raise MalformedSignature(_("longer than a signature can be"))
    if isinstance(untrusted, str):
        return untrusted
    try:
        return untrusted.decode("ascii")
    except UnicodeDecodeError as exc:
        raise MalformedSignature(_("a signature is ASCII text")) from exc


def _checked_namespace(namespace: str) -> str:
    if not _NAMESPACE.fullmatch(namespace):
        raise MalformedSignature(_("a namespace is 1 to 128 printable ASCII characters"))
    return namespace


def _to_be_signed(sha512: bytes, namespace: str) -> bytes:
    if len(sha512) != DIGEST_SIZE:
        raise MalformedSignature(_("a SHA-512 digest has 64 bytes"))
    name = _checked_namespace(namespace).encode("ascii")
    return _MAGIC + _string(name) + _string(b"") + _string(HASH_NAME) + _string(sha512)


def _key_blob(public: bytes) -> bytes:
    if len(public) != primitives.KEY_SIZE:
        raise Malformed(_("an Ed25519 public key has 32 bytes"))
    return _string(KEY_TYPE) + _string(public)


def _encode(signature: Signature) -> bytes:
    return b"".join(
        (
            _MAGIC,
            _VERSION,
            _string(_key_blob(signature.public)),
            _string(signature.namespace.encode("ascii")),
            _string(b""),  # reserved
            _string(HASH_NAME),
            _string(_string(KEY_TYPE) + _string(signature.signature)),
        )
    )


def _decode(untrusted: bytes) -> Signature:
    if not untrusted.startswith(_MAGIC + _VERSION):
        raise MalformedSignature(_("not an SSHSIG of version 1"))
    untrusted_key, rest = _take(untrusted[len(_MAGIC + _VERSION) :])
    untrusted_namespace, rest = _take(rest)
    reserved, rest = _take(rest)
    hash_name, rest = _take(rest)
    untrusted_signature, rest = _take(rest)
    if reserved or rest:
        raise MalformedSignature(_("bytes where this version has none"))
    if hash_name != HASH_NAME:
        raise MalformedSignature(_("only signatures over SHA-512 are accepted"))
    try:
        namespace = _checked_namespace(untrusted_namespace.decode("ascii"))
    except UnicodeDecodeError as exc:
        raise MalformedSignature(_("a namespace is printable ASCII")) from exc
    return Signature(
        public=_typed(untrusted_key, primitives.KEY_SIZE),
        namespace=namespace,
        signature=_typed(untrusted_signature, primitives.SIGNATURE_SIZE),
    )


def _typed(untrusted: bytes, size: int) -> bytes:
    """The second string of a (type, value) pair, which must be of our type and ``size``."""
    key_type, rest = _take(untrusted)
    value, rest = _take(rest)
    if key_type != KEY_TYPE or len(value) != size or rest:
        raise MalformedSignature(_("only ssh-ed25519 keys and signatures are accepted"))
    return value


def _string(value: bytes) -> bytes:
    """RFC 4251 section 5: a length of four bytes, big endian, and the bytes."""
    return len(value).to_bytes(4, "big") + value


def _take(untrusted: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(untrusted[:4], "big")
    if len(untrusted) < 4 + size:
        raise MalformedSignature(_("the signature is cut off"))
    return untrusted[4 : 4 + size], untrusted[4 + size :]


def _armor(blob: bytes) -> str:
    text = base64.b64encode(blob).decode("ascii")
    lines = [text[i : i + _LINE_WIDTH] for i in range(0, len(text), _LINE_WIDTH)]
    return "\n".join([_BEGIN, *lines, _END, ""])
