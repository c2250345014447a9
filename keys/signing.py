# SPDX-License-Identifier: Apache-2.0
"""What exactly is signed, so that a signature made for one purpose never serves another (docs/format.md §1).

Pure. Labels of this package are in ``keys.labels``; which key may sign what is the caller's to judge.
"""

from __future__ import annotations

import re

from keys import primitives

_LABEL = re.compile(r"sandyk [a-z]+(?: [a-z]+)* v[1-9][0-9]?", re.ASCII)


def signed_bytes(label: str, message: bytes) -> bytes:
    """What Ed25519 signs: label | NUL | message.

    A label has the form ``sandyk <words> v<number>``; ValueError otherwise. It holds no NUL, so the
    first NUL ends it, and no other protocol's signed messages begin like it (``SSHSIG``).
    """
    if not _LABEL.fullmatch(label):
        raise ValueError(f"not a label: {label!r}")
    return label.encode("ascii") + b"\0" + message


def verify_signature(label: str, message: bytes, untrusted_signature: bytes, public: bytes) -> None:
    """Return, or raise BadSignature: ``Identity.sign`` turned round."""
    primitives.verify(signed_bytes(label, message), untrusted_signature, public)
