# SPDX-License-Identifier: Apache-2.0
"""One spelling for each value in our text files: base64 (RFC 4648 §4), decimal numbers, and names with a version.

Python's decoders forgive a lot: ``b64decode("QUJDRB==")`` is ``b"ABCD"`` even with ``validate=True``, ``int("٣")``
is 3. A second spelling of signed or fingerprinted bytes is a way round a comparison, so none is accepted.
"""

from __future__ import annotations

import base64
import re
from gettext import gettext as _

from keys.errors import Malformed

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


def encode_base64(raw: bytes) -> str:
    """Padded standard base64."""
    return base64.b64encode(raw).decode("ascii")


def decode_base64(untrusted: str, *, size: int) -> bytes:
    """The ``size`` bytes that ``encode_base64`` turns into exactly this text. Raises Malformed."""
    try:
        raw = base64.b64decode(untrusted.encode("ascii"), validate=True)
    except ValueError as exc:
        raise Malformed(_("not base64")) from exc
    if len(raw) != size or encode_base64(raw) != untrusted:
        raise Malformed(_("not the canonical base64 of {size} bytes").format(size=size))
    return raw


def decode_number(untrusted: str) -> int:
    """A decimal number below 10**18 without sign or leading zeros. Raises Malformed."""
    if not _NUMBER.fullmatch(untrusted):
        raise Malformed(_("not a plain decimal number"))
    return int(untrusted)


def is_newer(untrusted: bytes | str, ours: str) -> bool:
    """Whether a text is ``ours``, a name and a version ("sandyk card 1"), but with a higher number.

    Of a form that is yet to come nothing else is known, so nothing else is to be looked at.
    """
    text = untrusted.decode("latin-1") if isinstance(untrusted, bytes) else untrusted
    name, __, version = text.rpartition(" ")
    known, __, own = ours.rpartition(" ")
    return name == known and bool(_NUMBER.fullmatch(version)) and int(version) > int(own)
