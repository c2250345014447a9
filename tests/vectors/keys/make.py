# SPDX-License-Identifier: Apache-2.0
"""Writes the vectors in this folder, once for each version of the formats in docs/format.md §2 to §4.

Run from the project's root: ``python tests/vectors/keys/make.py``. Vectors that were released are never
written anew: a changed format gets a new number and new files. Everything but the age files is
made from fixed bytes and comes out the same every time; the age files must open, whoever made them.
"""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2]))

from keys import card, labels, mldsa, primitives, slots
from keys.access import CaseKeys, Former, seal_access
from keys.book import Book, CaseEntry, Colleague, Contact, ForeignCase, seal_book
from keys.identity import Identity
from keys.primitives import Cost, argon2id
from keys.roster import Roster, seal_roster
from keys.secret import Secret
from keys.words import normalise


def fixed(label: str, size: int) -> bytes:
    return hashlib.shake_256(label.encode()).digest(size)


def person(name: str) -> Identity:
    return Identity.decode(fixed(f"identity {name}", 64))


def slot_vector(number: int, kind: str, typed: str, token: bytes, cost: Cost) -> dict:
    keyring, salt, nonce = fixed("keyring", 1 << 20), fixed("salt", 16), fixed(f"nonce {number}", 24)
    payload = slots.JournalistSlot(
        person("journalist"), Secret(fixed("device", 32)), fixed("id", 16), number // 32, bool(token),
        Secret(fixed("filler", 32)),
    )
    plaintext = slots.encode_payload(payload)
    if kind == "duress":
        plaintext = slots.encode_payload(slots.DuressSlot(replace(payload, compartment=1), 11, number // 32, (0, 2)))
    environment = slots.environment(keyring, number // 32)
    key = slots.slot_key(argon2id(normalise(typed).expose(), salt, cost, floor=cost), number, environment, token)
    return {
        "kind": kind, "slot": number, "typed": typed, "token": token.hex(), "salt": salt.hex(),
        "memory_kib": cost.memory_kib, "passes": cost.passes, "keyring": "SHAKE-256 of the text keyring, 1 MiB",
        "nonce": nonce.hex(), "payload_before_zeros": plaintext[:152].hex(), "environment": environment.hex(),
        "key": key.hex(), "commitment": slots.commitment(key, nonce).hex(),
        "sealed": slots.seal_slot(plaintext, key, nonce).hex(),
        "filler": slots.filler(Secret(fixed("filler", 32))).hex(),
    }


def mldsa_vector(identity: Identity) -> dict:
    """The signature is hedged: another one each time this runs."""
    context, message = "bundle.v1@sandyk", b"a tag manifest\n"
    seed = primitives.hkdf(identity.signing_seed.expose(), labels.MLDSA)
    return {
        "signing_seed": identity.signing_seed.expose().hex(), "seed": seed.hex(),
        "public": identity.mldsa_public.hex(), "sha256": mldsa.digest_of(identity.mldsa_public).hex(),
        "context": context, "message": message.decode(), "signature": identity.sign_mldsa(message, context).hex(),
    }


def main() -> None:
    cheap, token = Cost(8, 1), fixed("token", 32)
    vectors = [
        slot_vector(0, "journalist", "correct horse battery staple", b"", cheap),
        slot_vector(70, "journalist", "  Үй\u0306  жок ", token, Cost(64, 3)),
        slot_vector(127, "duress", "correct horse battery staple", b"", cheap),
    ]
    (HERE / "slots.json").write_text(json.dumps(vectors, indent=1, ensure_ascii=True) + "\n")

    me, editor, case = person("me"), person("editor"), person("case")
    case_id = fixed("case id", 16)
    cards = [me.card(), case.card(case_id=case_id, epoch=3)]
    (HERE / "person.card").write_text(card.encode(cards[0]))
    (HERE / "case.card").write_text(card.encode(cards[1]))
    (HERE / "words.json").write_text(json.dumps([" ".join(c.words) for c in cards], indent=1) + "\n")
    (HERE / "mldsa.json").write_text(json.dumps(mldsa_vector(me), indent=1) + "\n")

    keys = CaseKeys(
        case_id, "Мост", (case, person("case 2")), (me.card(), editor.card()),
        (Former(person("former").signing_public, 1),), 1_700_000_000_000_000_000,
    )
    (HERE / "access.age").write_bytes(seal_access(keys, me))
    book = Book().with_contact(Contact("Редактор", editor.card(), 1, 2))
    book = book.with_case(CaseEntry(case_id, "Мост", 2, (me.signing_public,), case.recipient.raw))
    book = book.with_foreign(ForeignCase("Тоннель", case.card(case_id=fixed("foreign", 16), epoch=3), 4))
    book = book.with_colleague(Colleague("Гүлнара", me.signing_public, me.card().fingerprint))
    book = book.with_colleague(Colleague("Бермет", editor.signing_public, editor.card().fingerprint, here=False))
    (HERE / "book.age").write_bytes(seal_book(book, me))
    roster = Roster().with_entry(5, "Гүлнара", me.card(), 6)
    (HERE / "roster.age").write_bytes(seal_roster(roster, Secret(fixed("device", 32))))


if __name__ == "__main__":
    main()
