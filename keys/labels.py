# SPDX-License-Identifier: Apache-2.0
"""Every label that keeps one use of a key apart from another (docs/format.md §1). Constants only.

A label is never reused for something else: a new meaning gets a new number. Labels of what
the vault signs with an ``Identity`` (packs, bundles) are listed where those are made; that of packs has the
same form, ``sandyk <purpose> v<number>``, which no other program's signed messages begin with.
"""

CARD_SIGNATURE = "sandyk card v1"
ACCESS_SIGNATURE = "sandyk access v1"
BOOK_SIGNATURE = "sandyk book v1"
ROSTER_SIGNATURE = "sandyk roster v1"
RECEIPT_SIGNATURE = "sandyk receipt v1"
PART_SIGNATURE = "sandyk part v1"
SHARE_SIGNATURE = "sandyk share v1"
"""Ed25519 signatures over label | NUL | message (``keys.identity``; that of a part of a bundle: ``vault.parts``)."""

CARD_FINGERPRINT = "sandyk card fingerprint v1"
"""SHA-256 over label | NUL | fields (``keys.card``)."""

CHUNK_ID = "sandyk chunk id v1"
INDEX = "sandyk index v1"
TEXT = "sandyk text v1"
DEVICE = "sandyk device v1"
COMPARTMENT = "sandyk compartment v1"
ARRANGEMENT = "sandyk arrangement v1"
DECOYS = "sandyk decoys v1"
MLDSA = "sandyk mldsa v1"
RECOVERY = "sandyk recovery v1"
SHARE_CHECK = "sandyk share check v1"
"""HKDF-SHA-256 info (``keys.kdf``, ``keys.duress``, ``keys.identity``, ``keys.shares``)."""

SHARE_ANSWER = "sandyk share answer v1"
"""HMAC-SHA-256 over label | NUL | challenge (``keys.shares``)."""

FILLER = "sandyk filler v1"
"""SHAKE-256 over label | seed (``keys.slots``)."""

ENVIRONMENT_PERSON = b"sandyk E"
ALIVE_PERSON = b"sandyk alive"
MARK_PERSON = b"sandyk mark"
"""BLAKE2b personalisation, at most 16 bytes (``keys.slots``, ``vault.marks``)."""
