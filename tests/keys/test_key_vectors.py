# SPDX-License-Identifier: Apache-2.0
"""What was written once opens for ever: fixed files, and the slot computed a second time without ``keys``."""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
import unicodedata
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from keys import keyring, mldsa, slots
from keys.access import Former, open_access
from keys.book import open_book
from keys.card import encode, parse_card
from keys.identity import Identity
from keys.keyring import Header
from keys.primitives import Cost
from keys.roster import open_roster
from keys.secret import Secret
from keys.words import normalise

VECTORS = Path(__file__).parents[1] / "vectors" / "keys"
SLOTS = json.loads((VECTORS / "slots.json").read_text())


def fixed(label: str, size: int) -> bytes:
    return hashlib.shake_256(label.encode()).digest(size)


def person(name: str) -> Identity:
    return Identity.decode(fixed(f"identity {name}", 64))


class OneSlot:
    """The keyring that the vectors name, with one slot put in."""

    def __init__(self, slot: int, sealed: bytes) -> None:
        self._data = bytearray(fixed("keyring", 1 << 20))
        start = (16 << 10) + slot * 4096
        self._data[start : start + 4096] = sealed

    def read(self) -> bytes:
        return bytes(self._data)

    def overwrite(self, offset: int, data: bytes) -> None:
        raise AssertionError("unlocking writes nothing")


@pytest.mark.parametrize("vector", SLOTS, ids=lambda v: f"slot {v['slot']}")
def test_a_slot_is_what_the_format_says(vector: dict) -> None:
    """Computed here from the rules alone: hashlib, another Argon2id, and XChaCha20 by its draft."""
    number, token = vector["slot"], bytes.fromhex(vector["token"])
    file, c = fixed("keyring", 1 << 20), vector["slot"] // 32
    region = 0x084000 + c * 124 * 1024
    areas = bytes([c]) + file[: 16 * 1024] + file[region : region + 124 * 1024]
    environment = hashlib.blake2b(areas, digest_size=32, person=b"sandyk E").digest()
    assert environment.hex() == vector["environment"]

    passphrase = unicodedata.normalize("NFC", " ".join(vector["typed"].split())).encode()
    salt, cost = bytes.fromhex(vector["salt"]), (vector["passes"], vector["memory_kib"])
    a = Argon2id(salt=salt, length=32, iterations=cost[0], lanes=1, memory_cost=cost[1]).derive(passphrase)
    message = b"kek" + struct.pack(">H", number) + environment + token
    key = hashlib.blake2b(message, digest_size=32, key=a).digest()
    assert key.hex() == vector["key"]

    nonce = bytes.fromhex(vector["nonce"])
    commitment = hashlib.blake2b(b"commit" + nonce, digest_size=32, key=key).digest()
    assert commitment.hex() == vector["commitment"]
    payload = bytes.fromhex(vector["payload_before_zeros"]).ljust(4024, b"\0")
    inner = ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], payload, None)
    assert (nonce + commitment + inner).hex() == vector["sealed"]

    filler = hashlib.shake_256(b"sandyk filler v1" + payload[120:152]).digest(4096)
    assert filler.hex() == vector["filler"]


@pytest.mark.parametrize("vector", SLOTS, ids=lambda v: f"slot {v['slot']}")
def test_an_old_slot_opens(vector: dict) -> None:
    cost = Cost(vector["memory_kib"], vector["passes"])
    token = Secret(bytes.fromhex(vector["token"])) if vector["token"] else None
    file = OneSlot(vector["slot"], bytes.fromhex(vector["sealed"]))
    header = Header(cost, bytes.fromhex(vector["salt"]))
    opened = keyring.unlock(file, header, normalise(vector["typed"]), token, floor=cost)
    assert opened.slot == vector["slot"]
    assert opened.journalist.identity == person("journalist")
    assert opened.journalist.device_secret.expose() == fixed("device", 32)
    assert opened.journalist.journalist_id == fixed("id", 16)
    assert opened.journalist.needs_token == bool(token)
    if vector["kind"] == "duress":
        assert isinstance(opened.payload, slots.DuressSlot) and opened.payload.destroy == (0, 2)
        assert opened.home == (1, 11)


def test_old_cards_are_read_and_written_the_same() -> None:
    words = json.loads((VECTORS / "words.json").read_text())
    for name, expected in zip(("person.card", "case.card"), words, strict=True):
        text = (VECTORS / name).read_text()
        card = parse_card(text)
        assert encode(card) == text
        assert " ".join(card.words) == expected
    assert parse_card((VECTORS / "person.card").read_bytes()) == person("me").card()
    assert card == person("case").card(case_id=fixed("case id", 16), epoch=3)


def test_an_old_ml_dsa_key_and_signature_are_the_same() -> None:
    """The seed computed here by RFC 5869; the signature verifies, and its key is the one that the old card names."""
    vector = json.loads((VECTORS / "mldsa.json").read_text())
    values = {name: bytes.fromhex(vector[name]) for name in ("signing_seed", "seed", "public", "sha256", "signature")}
    assert person("me").signing_seed.expose() == values["signing_seed"]
    extracted = hmac.digest(bytes(32), values["signing_seed"], "sha256")
    assert hmac.digest(extracted, b"sandyk mldsa v1\x01", "sha256") == values["seed"]
    assert person("me").mldsa_public == mldsa.public_of(Secret(values["seed"])) == values["public"]
    assert hashlib.sha256(values["public"]).digest() == values["sha256"]
    assert parse_card((VECTORS / "person.card").read_bytes()).mldsa_digest == values["sha256"]
    mldsa.verify(vector["message"].encode(), vector["context"], values["signature"], values["public"])


def test_an_old_access_file_opens() -> None:
    sealed = (VECTORS / "access.age").read_bytes()
    for member in (person("me"), person("editor")):
        access = open_access(sealed, member)
        assert access.granter == person("me").card()
        assert (access.keys.case_id, access.keys.name) == (fixed("case id", 16), "Мост")
        assert access.keys.epochs == (person("case"), person("case 2"))
        assert access.keys.members == (person("me").card(), person("editor").card())
        assert access.keys.former == (Former(person("former").signing_public, 1),)


def test_an_old_book_and_roster_open() -> None:
    book = open_book((VECTORS / "book.age").read_bytes(), person("me"))
    contact = book.contact("Редактор")
    assert contact is not None and (contact.card, contact.verified_ns) == (person("editor").card(), 2)
    case = book.case(fixed("case id", 16))
    assert case is not None and case.recipient == person("case").recipient.raw
    assert [foreign.name for foreign in book.foreign] == ["Тоннель"]
    known = [("Гүлнара", person("me").card(), True), ("Бермет", person("editor").card(), False)]
    assert [(c.name, c.signing, c.fingerprint, c.here) for c in book.colleagues] == [
        (name, card.signing, card.fingerprint, here) for name, card, here in known
    ]
    roster = open_roster((VECTORS / "roster.age").read_bytes(), Secret(fixed("device", 32)))
    assert [(e.pair, e.label, e.card, e.added_ns) for e in roster.entries] == [(5, "Гүлнара", person("me").card(), 6)]


def hchacha20(key: bytes, nonce16: bytes) -> bytes:
    """draft-irtf-cfrg-xchacha-03 §2.2."""
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce16))
    for _ in range(10):
        for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)):
            quarter_round(state, a, b, c, d)
        for a, b, c, d in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter_round(state, a, b, c, d)
    return struct.pack("<8I", *state[:4], *state[12:])


def quarter_round(state: list[int], a: int, b: int, c: int, d: int) -> None:
    for into, other, target, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[into] = (state[into] + state[other]) & 0xFFFFFFFF
        mixed = state[target] ^ state[into]
        state[target] = ((mixed << bits) | (mixed >> (32 - bits))) & 0xFFFFFFFF
