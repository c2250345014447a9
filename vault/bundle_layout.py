# SPDX-License-Identifier: Apache-2.0
"""What lies where in a sealed bundle, in which order and how large (docs/format-bundle.md).

Names, numbers, and the text of ``bag-info.txt``, which ties a bundle to its sender and to
those it was sealed for. No I/O, no cryptography but a hash over public keys.
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from gettext import gettext as _

from keys.canonical import is_newer
from vault import bagit
from vault.errors import DamagedBundle, NewerFormat

FORMAT = "1"
NOBODY_NAMED = "passphrase"
"""Stands for ``Sealed-For`` in a bundle that whoever knows a passphrase can open: ``vault.zipped``."""
NAMESPACE = "bundle.v1@sandyk"
"""What the sender's signatures are for: the namespace of the SSHSIG, the context of the ML-DSA one."""
PROFILE = "urn:uuid:be0bcdfc-1bbe-4fe4-8efe-9728cf21e564"
"""Names this form of bag, for programs that know BagIt profiles. A constant without further meaning."""
LEAST_PLAINTEXT = 256 << 10
"""Bundles smaller than this are padded to it, so that a page and a photograph look alike."""
ID_SIZE = 16
MAX_ITEMS = 100_000
MAX_RECIPIENTS = 32
MAX_OTHER_FILES = 200_000

MANIFEST = "manifest-sha256.txt"
ITEMS = "metadata/items.json"
CUSTODY = "metadata/custody.jsonl"
CARD = "metadata/sender.card"
MLDSA_KEY = "metadata/sender.mldsa65.pem"
TAG_MANIFEST = "tagmanifest-sha256.txt"
SIGNATURE = f"{TAG_MANIFEST}.sig"
MLDSA_SIGNATURE = f"{TAG_MANIFEST}.mldsa65"
TIMESTAMP = f"{TAG_MANIFEST}.tsr"
README = "README.txt"
CATALOGUE = "index.html"

UNLISTED = (TAG_MANIFEST, SIGNATURE, MLDSA_SIGNATURE, TIMESTAMP)
"""Made after the tag manifest, or from it: it cannot list them."""
SIGNED_WITH = (SIGNATURE, MLDSA_SIGNATURE, CARD, MLDSA_KEY)
"""What a signed bundle has, all of it, and a drop has not."""

MAX_BYTES = {
    bagit.DECLARATION_NAME: 64,
    bagit.INFO_NAME: 8 << 10,
    MANIFEST: 32 << 20,
    ITEMS: 64 << 20,
    CUSTODY: 64 << 20,
    CARD: 16 << 10,
    MLDSA_KEY: 4 << 10,
    TAG_MANIFEST: 32 << 20,
    SIGNATURE: 2 << 10,
    MLDSA_SIGNATURE: 4 << 10,
    TIMESTAMP: 64 << 10,
    README: 64 << 10,
    CATALOGUE: 256 << 20,
}
MAX_OTHER_BYTES = 1 << 20
"""For a file under ``metadata/`` that this version does not know."""
MAX_OTHER_TOTAL_BYTES = 64 << 20

_FIRST = (bagit.DECLARATION_NAME, bagit.INFO_NAME, MANIFEST)
_LAST = (*UNLISTED, README, CATALOGUE)
_OTHER = re.compile(r"metadata/[a-z0-9][a-z0-9._-]{0,63}(/[a-z0-9][a-z0-9._-]{0,63})?", re.ASCII)
_KEY_DIGEST = re.compile(r"SHA256:[A-Za-z0-9+/]{43}", re.ASCII)
_URN = re.compile(r"urn:uuid:([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})", re.ASCII)
_END_OF_TIME_NS = 253_402_300_800 * 10**9  # year 10000


@dataclass(frozen=True, slots=True)
class Binding:
    """Whom a bundle is tied to."""

    bundle_id: bytes
    """16 bytes."""
    sealed_for: tuple[str, ...]
    """``SHA256:…`` of each real recipient's raw key, sorted; or ``NOBODY_NAMED`` alone."""
    sealed_by: str | None
    """``SHA256:…`` fingerprint of the sender's signing key; None for a drop."""


def new_bundle_id() -> bytes:
    """16 random bytes in the form of a UUID of version 4."""
    return uuid.uuid4().bytes


def urn_of(bundle_id: bytes) -> str:
    """``urn:uuid:…``"""
    return uuid.UUID(bytes=bundle_id).urn


def parse_urn(untrusted: str) -> bytes:
    """The 16 bytes of a bundle's identifier. Raises DamagedBundle."""
    match = _URN.fullmatch(untrusted)
    if match is None:
        raise DamagedBundle(_("the bundle's identifier has another form than urn:uuid:…"))
    return bytes.fromhex("".join(match.groups()))


def root_of(bundle_id: bytes) -> str:
    """The folder that all files of the bundle lie in."""
    return f"bundle-{bundle_id[:4].hex()}"


def thumbnail_path(number: str) -> str:
    """Where a document's small picture lies; ``number`` is spelled as in the document's own path."""
    return f"metadata/thumbnails/{number}.png"


def file_name_of(bundle_id: bytes, ending: str = "age") -> str:
    """The name to give the sealed file: it tells nothing."""
    return f"{bundle_id[:4].hex()}.{ending}"


def key_digest(raw_recipient: bytes) -> str:
    """``SHA256:`` and 43 base64 characters over a recipient's raw key (1216 bytes hybrid, 32 classic)."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw_recipient).digest()).decode("ascii").rstrip("=")


def date_of(ns: int) -> str:
    """``YYYY-MM-DD`` in UTC. Raises DamagedBundle before 1970 and after 9999."""
    if not 0 <= ns < _END_OF_TIME_NS:
        raise DamagedBundle(_("a bundle was sealed between the years 1970 and 9999"))
    return datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%d")


def render_info(binding: Binding, sealed_ns: int, payload_size: int, items: int) -> bytes:
    """The text of ``bag-info.txt``."""
    return bagit.render_info(
        [
            ("External-Identifier", urn_of(binding.bundle_id)),
            ("Bagging-Date", date_of(sealed_ns)),
            ("Payload-Oxum", f"{payload_size}.{items}"),
            ("BagIt-Profile-Identifier", PROFILE),
            *(("Sealed-For", digest) for digest in binding.sealed_for),
            *((("Sealed-By", binding.sealed_by),) if binding.sealed_by else ()),
            ("Format", FORMAT),
        ]
    )


def refuse_newer(untrusted: bytes) -> None:
    """Raise NewerFormat when ``bag-info.txt`` names a higher version than this program's."""
    if any(is_newer(line, f"Format: {FORMAT}") for line in untrusted.split(b"\n")):
        raise NewerFormat(_("a bundle"))


def parse_binding(untrusted: bytes) -> Binding:
    """Whom ``bag-info.txt`` names. Its other lines are for the caller to compare. Raises DamagedBundle."""
    declaration = bagit.parse_declaration(bagit.DECLARATION)
    text = bagit.decode_text(untrusted, declaration, bagit.INFO_NAME)
    elements = bagit.parse_info(text, declaration, bagit.INFO_NAME)
    if _values(elements, "Format") != [FORMAT]:
        raise DamagedBundle(_("this bundle is of a version that never was"))
    sealed_for, sealed_by = _values(elements, "Sealed-For"), _values(elements, "Sealed-By")
    if not 1 <= len(sealed_for) <= MAX_RECIPIENTS or sealed_for != sorted(set(sealed_for)) or len(sealed_by) > 1:
        raise DamagedBundle(_("bag-info.txt names no recipients, too many, or one twice"))
    keys = sealed_by if sealed_for == [NOBODY_NAMED] else sealed_for + sealed_by
    if not all(_KEY_DIGEST.fullmatch(digest) for digest in keys):
        raise DamagedBundle(_("bag-info.txt names a key in another form than SHA256:…"))
    bundle_id = parse_urn("".join(_values(elements, "External-Identifier")))
    return Binding(bundle_id, tuple(sealed_for), sealed_by[0] if sealed_by else None)


def place_of(name: str) -> tuple[int, str]:
    """Sorts the tag files in the order in which they stand in the tar. Raises DamagedBundle for one that may not."""
    if name in _FIRST:
        return _FIRST.index(name), ""
    if name in _LAST:
        return 100 + _LAST.index(name), ""
    if _OTHER.fullmatch(name):
        return 50, name
    raise DamagedBundle(_("the bundle holds a file that does not belong into one"))


def _values(elements: tuple[tuple[str, str], ...], wanted: str) -> list[str]:
    return [value for label, value in elements if label == wanted]
