# SPDX-License-Identifier: Apache-2.0
"""Shares that were given out once open for ever: fixed words, a fixed slot, and files sealed once."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from datetime import date
from pathlib import Path

import shamir_mnemonic

from keys import keyring, shares
from keys.book import open_book
from keys.identity import Identity
from keys.keyring import Header, RecoverySlot
from keys.primitives import Cost
from keys.roster import open_roster
from keys.secret import Secret
from keys.share_text import open_share

VECTORS = Path(__file__).parents[1] / "vectors" / "keys"
VECTOR = json.loads((VECTORS / "shares.json").read_text("ascii"))
SHARES = [shares.parse_share(words) for words in VECTOR["shares"]]


def fixed(label: str, size: int) -> bytes:
    return hashlib.shake_256(label.encode()).digest(size)


def person(name: str) -> Identity:
    return Identity.decode(fixed(f"identity {name}", 64))


class OneSlot:
    """The keyring that the vectors name, with one slot put in."""

    def read(self) -> bytes:
        data, slot = bytearray(fixed("keyring", 1 << 20)), VECTOR["recovery_slot"]
        start = (16 << 10) + slot["slot"] * 4096
        data[start : start + 4096] = bytes.fromhex(slot["sealed"])
        return bytes(data)

    def overwrite(self, offset: int, data: bytes) -> None:
        raise AssertionError("unlocking writes nothing")


def test_any_two_old_shares_give_the_old_secret() -> None:
    for two in itertools.permutations(SHARES, 2):
        assert shares.combine(two).expose().hex() == VECTOR["secret"]
    assert shamir_mnemonic.combine_mnemonics(VECTOR["shares"][:2]).hex() == VECTOR["secret"]


def test_what_is_derived_from_them_is_what_the_format_says() -> None:
    """Computed here by RFC 5869: one block of HKDF-SHA-256."""

    def hkdf(secret: bytes, label: str, salt: bytes) -> str:
        return hmac.digest(hmac.digest(salt, secret, "sha256"), label.encode() + b"\x01", "sha256").hex()

    assert hkdf(bytes.fromhex(VECTOR["secret"]), "sandyk recovery v1", bytes(32)) == VECTOR["slot_passphrase"]
    for share, key, answer in zip(SHARES, VECTOR["check_keys"], VECTOR["answers"], strict=True):
        assert hkdf(share.words.expose(), "sandyk share check v1", bytes.fromhex(VECTOR["set"])) == key
        assert shares.check_key(share, bytes.fromhex(VECTOR["set"])).expose().hex() == key
        assert shares.answer(Secret(bytes.fromhex(key)), VECTOR["challenge"]) == answer


def test_an_old_recovery_slot_opens() -> None:
    slot = VECTOR["recovery_slot"]
    cost = Cost(slot["memory_kib"], slot["passes"])
    passphrase = shares.slot_passphrase(shares.combine(SHARES[1:]))
    opened = keyring.unlock(OneSlot(), Header(cost, bytes.fromhex(slot["salt"])), passphrase, floor=cost)
    assert isinstance(opened.payload, RecoverySlot)
    assert (opened.slot, opened.home) == (41, (1, 11))
    assert opened.journalist.identity == person("journalist")
    assert opened.journalist.device_secret.expose() == fixed("device", 32)


def test_an_old_sealed_share_opens() -> None:
    held = open_share((VECTORS / "share.age").read_bytes(), person("editor"))
    assert (held.share, held.set_id.hex(), held.count) == (SHARES[1], VECTOR["set"], 3)
    assert (held.made, held.name, held.owner) == (date(2026, 11, 21), "Гүлнара", person("me").card().words)
    assert held.signing == person("me").signing_public


def test_an_old_book_and_roster_with_shares_open() -> None:
    book = open_book((VECTORS / "book-2.age").read_bytes(), person("me"))
    assert book.shares is not None and book.contact("Редактор") is not None
    assert (book.shares.set_id.hex(), book.shares.made_ns) == (VECTOR["set"], 8)
    assert (book.shares.threshold, book.shares.place) == (2, 9)
    first, *others = book.shares.holders
    assert (first.name, first.fingerprint) == ("Редактор", person("editor").card().fingerprint)
    assert (first.challenge, first.checked_ns) == (VECTOR["challenge"], 9)
    assert [(h.name, h.challenge, h.checked_ns) for h in others] == [("h1", None, None), ("h2", None, None)]
    assert [h.check_key.expose().hex() for h in book.shares.holders] == VECTOR["check_keys"]
    (entry,) = open_roster((VECTORS / "roster-2.age").read_bytes(), Secret(fixed("device", 32))).entries
    assert (entry.pair, entry.label, entry.recovery) == (5, "Гүлнара", 9)
