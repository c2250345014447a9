# SPDX-License-Identifier: Apache-2.0
"""A vault in which people have worked for a while, by typing commands; and everything that must not be found of it.

The work is what leaves old versions behind: documents filed in several runs, a passphrase changed, a member revoked,
an index rebuilt, documents read for search, an export, a copy taken out. Everything in clear lies outside the file
system that is searched.
"""

from __future__ import annotations

import io
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from keys import kdf, keyring, slots
from keys.card import encode
from keys.errors import NoMatch
from keys.header import read_header
from keys.identity import Identity
from keys.layout import KILL_AREA_SIZE, REGION_SIZE, SLOT_SIZE, SLOTS, SLOTS_OFFSET
from keys.primitives import FLOOR, argon2id
from keys.recipients import unwrap_file_key
from keys.secret import Secret
from tests.support.commands import Desk
from tests.support.residue import text_spellings
from vault.cases import list_cases
from vault.disk import Disk
from vault.founding import found
from vault.vaults import LockedVault

PASSPHRASES = ("the first passphrase of all", "the second one, typed later")
CASE = "Дело о сводных счетах"
TEXTS = (
    CASE, "Айгүл из бухгалтерии министерства", "editor abroad, her contact name", "canary: the note of a document",
    "canary: where the document comes from", "canary-tag-of-documents", "расшифровка-разговора-с-источником.txt",
    "the canary inside a document, repeated", "the canary in a document that came later", "reporter-who-was-revoked",
)  # fmt: skip
"""Names, notes and contents: none of them may be found anywhere, in any spelling."""
_LABEL, _CONTACT, _NOTE, _SOURCE, _TAG, _FILE, _CONTENT, _LATER, _REVOKED = TEXTS[1:]


@dataclass(slots=True)
class OldNewsroom:
    """The vault, and what is known of it. ``ciphertext``: what may be left, because it opens nothing."""

    desk: Desk
    keyring_parts: dict[str, bytes] = field(default_factory=dict)
    slots: dict[str, bytes] = field(default_factory=dict)
    """Every slot that a passphrase ever opened."""
    secrets: dict[str, bytes] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)
    ciphertext: dict[str, bytes] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The vault's path."""
        return str(self.desk.vault)

    @property
    def former_slots(self) -> dict[str, bytes]:
        """Slots that were live once and are not any more."""
        return {name: data for name, data in self.slots.items() if data != self.keyring_parts["slot in use"]}


def work_for_a_while(base: Path, vault: Path) -> OldNewsroom:
    """Found a vault at ``vault`` and work in it; everything else goes below ``base``."""
    home = base / "home"
    for name in ("tmp", "run"):
        (home / name).mkdir(parents=True)
    words = base / "passphrase"
    desk = Desk(home, vault, words)
    room = OldNewsroom(desk)
    first, second = (Secret(p.encode()) for p in PASSPHRASES)
    found(str(vault), first, None, disk=Disk(), label=_LABEL, now_ns=time.time_ns(), cost=FLOOR)
    words.write_text(PASSPHRASES[0] + "\n")

    desk.run("case", "new", CASE)
    document = desk.write(_FILE, f"{_CONTENT}\n" * 4000)
    desk.run("add", CASE, document, "--note", _NOTE, "--source", _SOURCE, "--tag", _TAG)
    desk.run("index", CASE, "--no-ocr")
    _learn(room, first, "at first")
    new = base / "new-passphrase"
    new.write_text(PASSPHRASES[1] + "\n")
    desk.run("journalist", "passwd", "--new-passphrase-file", str(new))
    words.write_text(PASSPHRASES[1] + "\n")
    _contact(desk, _CONTACT)
    _contact(desk, _REVOKED)
    desk.run("case", "grant", CASE, _REVOKED)
    _learn(room, second, "before the revocation")
    desk.run("case", "revoke", CASE, _REVOKED)
    desk.run("add", CASE, desk.write("later.txt", f"{_LATER}\n" * 3000))
    desk.run("rebuild", CASE)
    desk.run("index", CASE, "--no-ocr")
    desk.run("search", _NOTE)
    desk.run("export", CASE, "-o", str(home / "bundle.age"), "--to", _CONTACT)
    desk.run("get", "--all", CASE, "-o", str(home / "out"))
    _learn(room, second, "in the end")
    for text in TEXTS:
        room.texts |= text_spellings(text)
    room.texts |= {f"passphrase {n}": p.encode() for n, p in enumerate(PASSPHRASES)}
    return room


def _contact(desk: Desk, name: str) -> None:
    card = desk.home / "card"
    card.write_text(encode(Identity.generate().card()))
    desk.run("contact", "add", name, str(card))
    desk.run("contact", "verify", name, "--words", desk.json("card", "show", str(card))["words"])


def _learn(room: OldNewsroom, passphrase: Secret, when: str) -> None:
    """Take down every secret that the passphrase leads to now, and the bytes that carry them."""
    untrusted = (room.desk.vault / "keyring").read_bytes()
    header = keyring.parse_header((room.desk.vault / "VAULT").read_bytes())
    with LockedVault.at(room.folder, disk=Disk()).unlock(passphrase) as vault:
        opened = vault.opened
        slot = untrusted[SLOTS_OFFSET + opened.slot * SLOT_SIZE :][:SLOT_SIZE]
        environment = slots.environment(untrusted, opened.compartment)
        stretched = argon2id(passphrase.expose(), header.salt, header.cost)
        room.keyring_parts = {
            "K": untrusted[:KILL_AREA_SIZE],
            "slot in use": slot,
            "all slots": untrusted[SLOTS_OFFSET : SLOTS_OFFSET + SLOTS * SLOT_SIZE],
        } | {f"R{c}": untrusted[slots.region_offset(c) :][:REGION_SIZE] for c in range(4)}
        room.slots[f"slot {when}"] = slot
        room.secrets |= {
            f"E, {when}": environment,
            f"stretched passphrase, {when}": stretched,
            f"KEK, {when}": slots.slot_key(stretched, opened.slot, environment, b""),
            "device secret": vault.device_secret.expose(),
            f"filler seed, {when}": opened.journalist.filler_seed.expose(),
            "compartment identity": kdf.compartment_identity(vault.device_secret).encode().expose(),
            **_of_identity("journalist", vault.me),
        }
        [case], unusable = list_cases(vault)
        if unusable:
            raise AssertionError(unusable)
        for number, epoch in enumerate(case.keys.epochs, 1):
            room.secrets |= _of_identity(f"case epoch {number}", epoch)
        room.secrets |= {
            f"index key, {when}": kdf.index_key(vault.device_secret, case.keys).expose(),
            f"text key, {when}": kdf.text_key(vault.device_secret, case.keys.epochs[-1]).expose(),
            "chunk id key": kdf.chunk_id_key(case.keys).expose(),
        }
        every = [vault.me.age, *(e.age for e in case.keys.epochs), kdf.compartment_identity(vault.device_secret).age]
        for path in room.desk.vault.rglob("*.age"):
            name = f"{path.relative_to(room.desk.vault)}, {when}"
            sealed = path.read_bytes()
            start = max(0, len(sealed) - 4096) // 8 * 8  # at a multiple of eight, where the search expects large ones
            room.ciphertext[name] = sealed[start : start + 4096]
            key = _file_key(sealed, every)
            if key:
                room.secrets[f"file key of {name}"] = key


def _of_identity(whose: str, identity: Identity) -> dict[str, bytes]:
    return {
        f"age seed of {whose}": identity.age_seed.expose(),
        f"signing seed of {whose}": identity.signing_seed.expose(),
        f"age identity of {whose}": identity.age.encode().expose(),
    }


def _file_key(untrusted: bytes, identities: list[object]) -> bytes | None:
    header, _ = read_header(io.BytesIO(untrusted))
    try:
        return unwrap_file_key(header, identities)  # type: ignore[arg-type]
    except NoMatch:
        return None  # a decoy book or roster: nobody has its key


def chown_all(folder: str, uid: int) -> None:
    """Give a folder and all in it to somebody else."""
    for where, _, names in os.walk(folder):
        for name in (".", *names):
            os.chown(os.path.join(where, name), uid, uid, follow_symlinks=False)
