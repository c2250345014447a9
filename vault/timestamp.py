# SPDX-License-Identifier: Apache-2.0
"""The judge of time stamps (RFC 3161): what a server's answer says of a signature, and what that is worth.

The answer is a token over SHA-256 of the text of a bundle's ``.sig`` file. Reading it needs rfc3161-client, which
comes with the extra ``sandyk[timestamps]``. Does no I/O and knows no clock. Whether the token was made by the server
whose name is in it shows only against roots that somebody trusts and hands in; without them a token is a claim, which
anybody could have written, and ``Stamp.checked_against`` is empty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from gettext import gettext as _
from types import ModuleType
from typing import TYPE_CHECKING

from cryptography import x509

from vault.errors import BadInput, BrokenTimestamp, LibraryMissing
from vault.names import printable

if TYPE_CHECKING:
    from rfc3161_client import Accuracy, TimeStampResponse

MAX_SIZE = 64 << 10
"""Bytes of an answer: the limit of docs/format-bundle.md §5. Usual are 1 to 8 KiB."""
MAX_ROOTS_SIZE = 1 << 20
MAX_NAME_CHARS = 300

Roots = Sequence[x509.Certificate]
"""Certificates that somebody trusts to vouch for servers."""

_SHA256 = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")
_GRANTED = 0
"""PKIStatus (RFC 3161 section 2.4.2). "Granted with modifications" is not what was asked for."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent to a server: a digest and a random number, nothing else."""

    der: bytes
    nonce: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time stamp over a signature. All but the digest are the server's words; true if it and its root are trusted."""

    time: datetime
    """In UTC."""
    accuracy_us: int | None
    """How far the time may be off by, in microseconds, as the server says; None when it says nothing."""
    name: str
    """The subject of the certificate that signs, shortened and without characters that play tricks; may be empty."""
    serial: int
    policy: str
    checked_against: tuple[str, ...] = ()
    """Subjects of the roots that were handed in, of which one vouches for the certificate. Empty: not checked."""


def request_for(signature: bytes) -> Request:
    """Ask for a time stamp over the text of a ``.sig`` file, with the server's certificate. Raises LibraryMissing."""
    rfc3161 = _library()
    builder = rfc3161.TimestampRequestBuilder().data(signature).hash_algorithm(rfc3161.HashAlgorithm.SHA256)
    request = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    return Request(request.as_bytes(), request.nonce or 0)


def read_roots(untrusted: bytes) -> Roots:
    """The certificates in a PEM file. Raises BadInput."""
    try:
        roots = tuple(x509.load_pem_x509_certificates(untrusted))
    except ValueError as exc:
        raise BadInput(_("the file of roots holds no certificates in PEM (BEGIN CERTIFICATE)")) from exc
    return tuple(dict.fromkeys(roots))


def judge(untrusted: bytes, signature: bytes, *, nonce: int | None = None, roots: Roots = ()) -> Stamp:
    """The time stamp in a server's answer, if it is one over ``signature``.

    With ``nonce`` it must be the answer to that request; with ``roots`` its certificate must lead to one of them, as of
    the time that it states. Raises BrokenTimestamp, LibraryMissing.
    """
    rfc3161 = _library()
    if len(untrusted) > MAX_SIZE:
        raise BrokenTimestamp(_("the time stamp is larger than one can be"))
    try:
        response = rfc3161.decode_timestamp_response(untrusted)
        status = response.status
        if status != _GRANTED:
            raise BrokenTimestamp(
                _("the server gave no time stamp: {response}").format(response=_reason(response, status))
            )
        info = response.tst_info
        imprint = info.message_imprint
        if imprint.hash_algorithm != _SHA256 or imprint.message != hashlib.sha256(signature).digest():
            raise BrokenTimestamp(_("the time stamp is over something else than this signature"))
        if nonce is not None and info.nonce != nonce:
            raise BrokenTimestamp(_("the time stamp answers another request"))
        stamp = Stamp(
            info.gen_time, _accuracy(info.accuracy), _name(response), info.serial_number, info.policy.dotted_string
        )
    except BrokenTimestamp:
        raise
    except Exception as exc:  # the parser raises whatever comes to it on hostile bytes, also KeyError
        raise BrokenTimestamp(_("the time stamp is damaged, or of a form that cannot be read")) from exc
    return _checked(response, signature, stamp, roots) if roots else stamp


def _checked(response: TimeStampResponse, signature: bytes, stamp: Stamp, roots: Roots) -> Stamp:
    verifier = _library().VerifierBuilder(roots=list(roots)).build()
    try:
        verifier.verify(response, hashlib.sha256(signature).digest())
    except Exception as exc:  # as above
        raise BrokenTimestamp(
            _("the time stamp was not signed by a server that the given roots vouch for"),
            _("are these the roots of that server? `openssl ts -verify` says more"),
        ) from exc
    return replace(stamp, checked_against=tuple(sorted(_shown(root.subject) for root in roots)))


def _accuracy(accuracy: Accuracy | None) -> int | None:
    if accuracy is None:
        return None
    return ((accuracy.seconds or 0) * 1000 + (accuracy.millis or 0)) * 1000 + (accuracy.micros or 0)


def _name(response: TimeStampResponse) -> str:
    """The subject of the certificate whose key is said to have signed, if it is in the answer."""
    signers = {(signer.issuer, signer.serial_number) for signer in response.signed_data.signer_infos}
    for der in response.signed_data.certificates:
        certificate = x509.load_der_x509_certificate(der)
        if (certificate.issuer, certificate.serial_number) in signers:
            return _shown(certificate.subject)
    return ""


def _shown(subject: x509.Name) -> str:
    return printable(subject.rfc4514_string()[:MAX_NAME_CHARS])


def _reason(response: TimeStampResponse, status: int) -> str:
    """What the server says, after its number (RFC 3161 section 2.4.2)."""
    return printable(
        _("status {status} {status_string}")
        .format(status=status, status_string=" ".join(response.status_string))
        .strip()[:MAX_NAME_CHARS]
    )


def _library() -> ModuleType:
    try:
        import rfc3161_client
    except ImportError as exc:
        raise LibraryMissing(
            _("time stamps need the library rfc3161-client, which is not installed"),
            _("install it with: pip install 'sandyk[timestamps]'"),
        ) from exc
    return rfc3161_client
