# SPDX-License-Identifier: Apache-2.0
"""The keyring: one file of 1 MiB that holds everything that opens anything (docs/format.md §2).

Owns which slot is tried, taken, rewritten and in what order; ``keys.slots`` owns the bytes of one slot, and
the caller owns the file, behind ``KeyringFile``, and the lock that keeps other writers out while
anything here but ``unlock`` and ``still_alive`` runs.

Write order, true at any instant, also after a power cut in the middle of a write:

* ``first`` and ``add``: the new passphrase opens or it does not; nobody else's slot is touched.
* ``change_passphrase``: the old passphrase opens, or both do, or the new one does; never neither. The new
  slot is written, synced, read back and opened before the old one is overwritten, in place. While both
  open, the next unlock decides: ``finish_interrupted`` leaves only the passphrase that was used.
* ``remove``: the passphrase opens until it does not; nobody else's slot is touched.
* ``place`` and ``erase``: the same in any compartment, for decoys and recovery slots. ``restore``: the latter open.

There is never a temporary file: a rename would leave the old slot behind in free blocks.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import os
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from gettext import gettext as _
from typing import Protocol

from keys import held, layout, slots
from keys.errors import Damaged, Full, MalformedKeyring, NoMatch, WeakPassphrase, Wiped
from keys.held import HeldSlot
from keys.preamble import Header, parse_header
from keys.primitives import AEAD_NONCE_SIZE, FLOOR, KEY_SIZE, Cost, argon2id
from keys.secret import Secret
from keys.slots import DuressSlot, JournalistSlot, Payload, RecoverySlot, journalist_of

__all__ = [
    "DuressSlot",
    "Header",
    "HeldSlot",
    "JournalistSlot",
    "KeyringFile",
    "OpenSlot",
    "Payload",
    "RecoverySlot",
    "add",
    "any_pair",
    "change_passphrase",
    "check_held",
    "create",
    "erase",
    "finish_interrupted",
    "first",
    "free_pair",
    "hold",
    "journalist_of",
    "new_token",
    "parse_header",
    "parse_token",
    "place",
    "remove",
    "restore",
    "still_alive",
    "unlock",
]


def in_use() -> str:
    """What is said of a passphrase that opens something already: the same words whatever that is."""
    return _("this passphrase is already in use here; choose another")


class KeyringFile(Protocol):
    """The file, as the vault's disk offers it. Both methods raise OSError."""

    def read(self) -> bytes:
        """All of it."""

    def overwrite(self, offset: int, data: bytes) -> None:
        """Replace bytes in place and return once they are durable. Never extends, never creates."""


@dataclass(frozen=True, slots=True)
class OpenSlot:
    """A slot that a passphrase opened, and marks by which to see that the file is still the same one."""

    slot: int
    payload: Payload
    alive: bytes
    """``slots.alive_mark`` of kill area and region, 32 bytes."""
    sealed: bytes
    """SHA-256 of the slot's 4096 bytes."""

    @property
    def compartment(self) -> int:
        """0 to 3."""
        return self.slot // layout.SLOTS_PER_COMPARTMENT

    @property
    def pair(self) -> int:
        """0 to 15, within the compartment."""
        return self.slot % layout.SLOTS_PER_COMPARTMENT // 2

    @property
    def journalist(self) -> JournalistSlot:
        """Whom it opens; for a duress slot, the decoy."""
        return journalist_of(self.payload)

    @property
    def home(self) -> tuple[int, int]:
        """Compartment and pair of the journalist it opens: whose roster, book and free places are theirs.

        Where the slot itself lies, but for a duress or recovery slot. A change of passphrase never moves the home.
        """
        if isinstance(self.payload, JournalistSlot):
            return self.compartment, self.pair
        return self.journalist.compartment, self.payload.pair

    def close(self) -> None:
        """Zero every secret in it."""
        self.payload.close()


@dataclass(frozen=True, slots=True, repr=False)
class _Match:
    slot: int
    key: bytes
    with_token: bool


def create() -> bytes:
    """A keyring that nothing opens yet: 1 MiB of random bytes."""
    return os.urandom(layout.KEYRING_SIZE)


def new_token() -> bytes:
    """The content of a new outside half: 32 random bytes, the whole file."""
    return os.urandom(slots.TOKEN_SIZE)


def parse_token(untrusted: bytes) -> Secret:
    """The outside half in a file of exactly 32 bytes. Raises MalformedKeyring."""
    if len(untrusted) != slots.TOKEN_SIZE:
        raise MalformedKeyring(_("an outside half is a file of exactly 32 bytes"))
    return Secret(untrusted)


def unlock(
    file: KeyringFile, header: Header, passphrase: Secret, token: Secret | None = None, *, floor: Cost = FLOOR
) -> OpenSlot:
    """Open the slot that belongs to this passphrase.

    Always the same work: one Argon2id, a commitment for each of the 128 slots (with a token, two for each:
    without and with it) and one decryption, of a stand-in when nothing matched. Where a passphrase
    opens both without and with the token, the slot with the token is taken.

    Raises NoMatch, MalformedKeyring, WeakCost, and Damaged when the slot was found but its bytes were changed.
    """
    keyring = _whole(file)
    stretched = argon2id(passphrase.expose(), header.salt, header.cost, floor=floor)
    matches = _matches(keyring, stretched, token)
    match = matches[-1] if matches else _Match(0, os.urandom(KEY_SIZE), False)
    try:
        plaintext = slots.open_slot(_slot(keyring, match.slot), match.key)
    except Damaged as exc:
        if not matches:
            raise NoMatch(_("no slot opens with this passphrase")) from None
        raise Damaged(
            _(
                "the slot of this passphrase was changed or cut off; if a change of passphrase was "
                "interrupted, the former one still opens"
            )
        ) from exc
    return _opened(keyring, match, plaintext)


def still_alive(file: KeyringFile, opened: OpenSlot | HeldSlot) -> bool:
    """Whether the file still has the kill area and region that ``opened`` was opened with."""
    try:
        _whole_and_alive(file, opened.compartment, opened.alive)
    except Wiped:
        return False
    return True


def hold(file: KeyringFile, opened: OpenSlot) -> HeldSlot:
    """What an agent may keep of an opened slot. Raises Wiped, and NoMatch when the passphrase was changed meanwhile."""
    return held.held(_unchanged(file, opened), opened.home, opened.journalist)


def check_held(file: KeyringFile, untrusted: HeldSlot) -> None:
    """Return while the file has what this was held from. Raises Wiped, and NoMatch when a passphrase was changed."""
    if not untrusted.fits(_whole_and_alive(file, untrusted.compartment, untrusted.alive)):
        raise NoMatch(_("the passphrase was changed or removed since this vault was opened"))


def first(
    file: KeyringFile,
    header: Header,
    payload: JournalistSlot,
    passphrase: Secret,
    token: Secret | None = None,
    *,
    floor: Cost = FLOOR,
) -> OpenSlot:
    """Put the first journalist of a new keyring into a compartment and pair chosen at random."""
    stretched = argon2id(passphrase.expose(), header.salt, header.cost, floor=floor)
    return _put(file, _whole(file), secrets.randbelow(layout.SLOTS), payload, stretched, token)


def free_pair(opened: OpenSlot, taken: Collection[int]) -> int:
    """A pair of one's home compartment that is not ``taken`` (as its roster knows), chosen at random. Raises Full."""
    return any_pair({*taken, opened.home[1]})


def any_pair(taken: Collection[int]) -> int:
    """A pair that is not ``taken``, chosen at random. Raises Full."""
    free = [pair for pair in range(layout.PAIRS_PER_COMPARTMENT) if pair not in taken]
    if not free:
        raise Full(_("no place is left for another journalist in this vault"))
    return secrets.choice(free)


def add(
    file: KeyringFile,
    header: Header,
    opened: OpenSlot,
    pair: int,
    payload: Payload,
    passphrase: Secret,
    token: Secret | None = None,
    *,
    floor: Cost = FLOOR,
) -> None:
    """Put another journalist into a pair of one's home compartment that ``free_pair`` chose.

    The pair is chosen first so that the roster can name it first: a slot that no roster names is a way in that
    nobody knows of, an entry without a slot is harmless.

    Raises Wiped, NoMatch when the opened passphrase was changed meanwhile, WeakPassphrase when the
    passphrase already opens something (of two slots with one passphrase only one could ever be reached), and
    Damaged when the new slot does not read back.
    """
    compartment, mine = opened.home
    if pair == mine:
        raise ValueError("not a free pair")
    place(file, header, opened, (compartment, pair), payload, passphrase, token, floor=floor)


def place(
    file: KeyringFile,
    header: Header,
    opened: OpenSlot,
    home: tuple[int, int],
    payload: Payload,
    passphrase: Secret,
    token: Secret | None = None,
    *,
    floor: Cost = FLOOR,
) -> None:
    """``add``, into any compartment and pair but the opened one: what ``home`` held before opens nothing any more.

    ``opened`` vouches that the keyring is the one it was. Raises what ``add`` raises.
    """
    if home == (opened.compartment, opened.pair) or not _is_place(home):
        raise ValueError("not a free pair")
    stretched = argon2id(passphrase.expose(), header.salt, header.cost, floor=floor)
    keyring = _unchanged(file, opened)
    if _matches(keyring, stretched, token):
        raise WeakPassphrase(in_use())
    slot = _slot_of(home) + secrets.randbelow(2)
    _put(file, keyring, slot, payload, stretched, token).close()


def change_passphrase(
    file: KeyringFile,
    header: Header,
    opened: OpenSlot,
    passphrase: Secret,
    token: Secret | None = None,
    *,
    floor: Cost = FLOOR,
) -> OpenSlot:
    """Move the opened payload to the other slot of its pair, under a new passphrase or token; the new slot.

    Raises Wiped, NoMatch when the passphrase was changed meanwhile, WeakPassphrase when the new one is already in
    use, and Damaged when the new slot does not read back: then the old one was not touched.
    """
    stretched = argon2id(passphrase.expose(), header.salt, header.cost, floor=floor)
    keyring = _unchanged(file, opened)
    for match in _matches(keyring, stretched, token):
        leftover = match.slot == opened.slot ^ 1
        token_alone_changes = match.slot == opened.slot and match.with_token != (token is not None)
        if not leftover and not token_alone_changes:
            raise WeakPassphrase(in_use())
    return _put(file, keyring, opened.slot ^ 1, opened.payload, stretched, token)


def restore(
    file: KeyringFile, header: Header, opened: OpenSlot, passphrase: Secret, token: Secret | None = None,
    *, floor: Cost = FLOOR,
) -> OpenSlot:  # fmt: skip
    """``change_passphrase`` for whoever opened a recovery slot: the new one goes into the journalist's own pair.

    What that pair held opens nothing any more; the recovery slot stays, for the caller to erase.
    """
    if not isinstance(opened.payload, RecoverySlot):
        raise ValueError("not a recovery slot")
    stretched = argon2id(passphrase.expose(), header.salt, header.cost, floor=floor)
    keyring, first_of_pair = _unchanged(file, opened), _slot_of(opened.home)
    if any(match.slot // 2 != first_of_pair // 2 for match in _matches(keyring, stretched, token)):
        raise WeakPassphrase(in_use())
    return _put(file, keyring, first_of_pair + secrets.randbelow(2), opened.journalist, stretched, token)


def finish_interrupted(file: KeyringFile, opened: OpenSlot) -> bool:
    """Overwrite what an interrupted change left in the other slot of the pair; whether there was anything.

    Called after each unlock, under the lock. The passphrase that was just used stays; the other one of
    an interrupted change, older or newer, opens nothing from here on.

    Raises Wiped, and NoMatch when the opened slot itself was replaced meanwhile.
    """
    keyring = _unchanged(file, opened)
    expected = slots.filler(opened.journalist.filler_seed)
    if hmac.compare_digest(_slot(keyring, opened.slot ^ 1), expected):
        return False
    _write(file, opened.slot ^ 1, expected, opened.alive)
    return True


def remove(file: KeyringFile, opened: OpenSlot, pair: int) -> None:
    """Overwrite both slots of a pair of one's home compartment with random bytes. Raises Wiped.

    Whose they were is the caller's to know; one's own pair is not refused.
    """
    erase(file, opened, (opened.home[0], pair))


def erase(file: KeyringFile, opened: OpenSlot, home: tuple[int, int]) -> None:
    """``remove``, for any compartment and pair. Raises Wiped."""
    if not _is_place(home):
        raise ValueError("no such pair")
    _whole_and_alive(file, opened.compartment, opened.alive)
    file.overwrite(_offset(_slot_of(home)), os.urandom(2 * layout.SLOT_SIZE))


def _matches(keyring: bytes, stretched: bytes, token: Secret | None) -> list[_Match]:
    """Every slot whose commitment fits, without the token first. No early exit: the work says nothing."""
    environments = [slots.environment(keyring, c) for c in range(layout.COMPARTMENTS)]
    found = []
    for outside_half in (b"",) if token is None else (b"", token.expose()):
        for slot in range(layout.SLOTS):
            key = slots.slot_key(stretched, slot, environments[slot // layout.SLOTS_PER_COMPARTMENT], outside_half)
            nonce, untrusted_commitment, __ = slots.split_slot(_slot(keyring, slot))
            if hmac.compare_digest(slots.commitment(key, nonce), untrusted_commitment):
                found.append(_Match(slot, key, bool(outside_half)))
    return found


def _opened(keyring: bytes, match: _Match, plaintext: bytes) -> OpenSlot:
    payload = slots.decode_payload(plaintext)
    lies_in = payload.compartment
    compartment = match.slot // layout.SLOTS_PER_COMPARTMENT
    if (lies_in, journalist_of(payload).needs_token) != (compartment, match.with_token):
        raise MalformedKeyring(_("a slot that lies where it says it does not"))
    sealed = hashlib.sha256(_slot(keyring, match.slot)).digest()
    return OpenSlot(match.slot, payload, slots.alive_mark(keyring, compartment), sealed)


def _put(
    file: KeyringFile, keyring: bytes, slot: int, payload: Payload, stretched: bytes, token: Secret | None
) -> OpenSlot:
    """Write a slot, read it back and open it, and only then fill the other one of its pair."""
    compartment = slot // layout.SLOTS_PER_COMPARTMENT
    alive = slots.alive_mark(keyring, compartment)
    placed = _placed(payload, compartment, token)
    outside_half = b"" if token is None else token.expose()
    key = slots.slot_key(stretched, slot, slots.environment(keyring, compartment), outside_half)
    plaintext = slots.encode_payload(placed)
    _write(file, slot, slots.seal_slot(plaintext, key, os.urandom(AEAD_NONCE_SIZE)), alive)

    written = _whole_and_alive(file, compartment, alive)
    if not hmac.compare_digest(slots.open_slot(_slot(written, slot), key), plaintext):
        raise Damaged(_("the new slot does not read back as it was written"))
    opened = _opened(written, _Match(slot, key, token is not None), plaintext)
    _write(file, slot ^ 1, slots.filler(journalist_of(placed).filler_seed), alive)
    return opened


def _placed(payload: Payload, compartment: int, token: Secret | None) -> Payload:
    """The payload as it lies in its new place, with a fresh filler seed. A decoy's home stays where it is."""
    journalist = dataclasses.replace(journalist_of(payload), needs_token=token is not None, filler_seed=Secret.random())
    if isinstance(payload, DuressSlot):
        return dataclasses.replace(payload, decoy=journalist, compartment=compartment)
    placed = dataclasses.replace(journalist, compartment=compartment)
    return dataclasses.replace(payload, journalist=placed) if isinstance(payload, RecoverySlot) else placed


def _write(file: KeyringFile, slot: int, data: bytes, alive: bytes) -> None:
    """Overwrite one slot, unless the keyring was wiped since: nothing is written into a dead one."""
    _whole_and_alive(file, slot // layout.SLOTS_PER_COMPARTMENT, alive)
    file.overwrite(_offset(slot), data)


def _unchanged(file: KeyringFile, opened: OpenSlot) -> bytes:
    keyring = _whole_and_alive(file, opened.compartment, opened.alive)
    if hashlib.sha256(_slot(keyring, opened.slot)).digest() != opened.sealed:
        raise NoMatch(_("the passphrase was changed or removed since this vault was opened"))
    return keyring


def _whole_and_alive(file: KeyringFile, compartment: int, alive: bytes) -> bytes:
    try:
        keyring = _whole(file)
    except (MalformedKeyring, FileNotFoundError) as exc:
        raise Wiped(_("the keyring is gone: this vault was wiped while it was open")) from exc
    if not hmac.compare_digest(slots.alive_mark(keyring, compartment), alive):
        raise Wiped(_("the kill area changed: this vault was wiped while it was open"))
    return keyring


def _whole(file: KeyringFile) -> bytes:
    keyring = file.read()
    if len(keyring) != layout.KEYRING_SIZE:
        raise MalformedKeyring(_("a keyring has exactly 1 MiB"))
    return keyring


def _is_place(home: tuple[int, int]) -> bool:
    return 0 <= home[0] < layout.COMPARTMENTS and 0 <= home[1] < layout.PAIRS_PER_COMPARTMENT


def _slot_of(home: tuple[int, int]) -> int:
    """The first slot of a pair."""
    return home[0] * layout.SLOTS_PER_COMPARTMENT + 2 * home[1]


def _slot(keyring: bytes, slot: int) -> bytes:
    return keyring[_offset(slot) : _offset(slot) + layout.SLOT_SIZE]


def _offset(slot: int) -> int:
    return layout.SLOTS_OFFSET + slot * layout.SLOT_SIZE
