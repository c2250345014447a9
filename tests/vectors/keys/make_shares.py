# SPDX-License-Identifier: Apache-2.0
"""Writes the vectors of shares of a key (docs/format.md §2.7, §3.6, and the second versions of §4.4 and §4.5), once.

Run from the project's root: ``python tests/vectors/keys/make_shares.py``. As with ``make.py``, what was released is never
written anew. The secret is fixed; how it was split, and how files were sealed, is random.
"""

import hashlib
import json
import sys
from datetime import date
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2]))

from keys import shares, slots
from keys.book import Book, Contact, seal_book
from keys.identity import Identity
from keys.primitives import Cost, argon2id
from keys.roster import Roster, seal_roster
from keys.secret import Secret
from keys.share_set import Holder, ShareSet
from keys.share_text import HeldShare, seal_share


def fixed(label: str, size: int) -> bytes:
    return hashlib.shake_256(label.encode()).digest(size)


def person(name: str) -> Identity:
    return Identity.decode(fixed(f"identity {name}", 64))


def slot_of(passphrase: Secret, number: int, cost: Cost) -> dict:
    salt, nonce = fixed("salt", 16), fixed(f"nonce {number}", 24)
    journalist = slots.JournalistSlot(
        person("journalist"), Secret(fixed("device", 32)), fixed("id", 16), number // 32, False,
        Secret(fixed("filler", 32)),
    )
    environment = slots.environment(fixed("keyring", 1 << 20), number // 32)
    key = slots.slot_key(argon2id(passphrase.expose(), salt, cost, floor=cost), number, environment, b"")
    plaintext = slots.encode_payload(slots.RecoverySlot(journalist, 11))
    return {
        "slot": number, "salt": salt.hex(), "memory_kib": cost.memory_kib, "passes": cost.passes,
        "payload_before_zeros": plaintext[:152].hex(), "sealed": slots.seal_slot(plaintext, key, nonce).hex(),
    }


def main() -> None:
    me, editor, secret, set_id = person("me"), person("editor"), Secret(fixed("split", 32)), fixed("set", 16)
    made = shares.split(secret, threshold=2, count=3)
    keys = [shares.check_key(share, set_id) for share in made]
    passphrase, challenge = shares.slot_passphrase(secret), "abacus abdomen abdominal abide"
    vector = {
        "secret": secret.expose().hex(), "set": set_id.hex(), "threshold": 2,
        "shares": [share.words.expose().decode() for share in made],
        "slot_passphrase": passphrase.expose().hex(), "check_keys": [key.expose().hex() for key in keys],
        "challenge": challenge, "answers": [shares.answer(key, challenge) for key in keys],
        "recovery_slot": slot_of(passphrase, 41, Cost(8, 1)),
    }
    (HERE / "shares.json").write_text(json.dumps(vector, indent=1) + "\n")
    held = HeldShare(made[1], set_id, 3, date(2026, 11, 21), me.card().words, me.signing_public, "Гүлнара")
    (HERE / "share.age").write_bytes(seal_share(held, me, editor.card()))
    holders = (
        Holder("Редактор", editor.card().fingerprint, keys[0], challenge, 9),
        *(Holder(f"h{n}", fixed(f"fingerprint {n}", 32), keys[n]) for n in (1, 2)),
    )
    book = Book(shares=ShareSet(set_id, 8, 2, 9, holders)).with_contact(Contact("Редактор", editor.card(), 1, 2))
    (HERE / "book-2.age").write_bytes(seal_book(book, me))
    roster = Roster().with_entry(5, "Гүлнара", me.card(), 6).with_recovery(5, 9)
    (HERE / "roster-2.age").write_bytes(seal_roster(roster, Secret(fixed("device", 32))))


if __name__ == "__main__":
    main()
