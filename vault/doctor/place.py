# SPDX-License-Identifier: Apache-2.0
"""The judge of where a vault lies: its folder, file system and drive, and what copies them. Pure.

Rests on ``vault.surroundings``, whose cautions `init` and `status` show too. Why each matters: docs/threat-model.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from gettext import gettext as _

from vault.doctor.finding import Finding, Level, good, look, weak
from vault.medium import SHARED, Extents, Medium
from vault.surroundings import Caution, Surroundings, warnings

LITTLE, VERY_LITTLE = 1 << 30, 64 << 20
"""Bytes of free space: below the first somebody should know, below the second filing fails soon."""
_OTHERS = 0o077
_WEAK = frozenset(("synced", "network", "swap"))


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """What was seen. None: could not be found out. ``mode`` is of the vault's folder, ``free`` in bytes."""

    surroundings: Surroundings
    extents: Extents
    no_cow: bool | None
    mode: int | None
    own: bool | None
    free: int | None
    backups: tuple[str, ...]


def judge(facts: PlaceFacts) -> Iterator[Finding]:
    """Each check's finding."""
    yield from judge_surroundings(facts.surroundings)
    yield from judge_drive(facts)
    yield judge_backups(facts.backups)
    yield judge_permissions(facts.mode, facts.own)
    yield judge_free_space(facts.free)


def judge_surroundings(facts: Surroundings) -> Iterator[Finding]:
    """The cautions of ``vault.surroundings`` with what to do, and for each kind without one that it is good."""
    cautions = [caution for caution in warnings(facts) if caution.kind != "crash-dumps"]  # ``machine`` knows more of it
    for caution in cautions:
        yield Finding(caution.kind, _level(caution, facts.medium), caution.text, _why(caution.kind), _do(caution.kind))
    for kind, text in _fine(facts).items():
        if kind not in {caution.kind for caution in cautions}:
            yield good(kind, text) if text else look(
                kind, _("whether this machine has it could not be found out: {kind}").format(kind=kind), _why(kind),
                _do(kind),
            )  # fmt: skip


def _level(caution: Caution, medium: Medium) -> Level:
    bare = caution.kind == "encryption" and medium.below.encrypted is False
    return Level.WEAK if bare or caution.kind in _WEAK else Level.LOOK


def _fine(facts: Surroundings) -> dict[str, str]:
    """What to say of each kind that there is no caution about; nothing where it is not known."""
    everywhere = {"synced": _("no program that syncs folders was found on the way to the vault")}
    if not facts.known:
        return everywhere
    return everywhere | {
        "network": _("the vault lies on a drive of this machine"),
        "snapshots": _("the vault's file system makes no snapshots; what lies below it cannot be seen from here"),
        "encryption": _("disk encryption was found below the vault"),
        "swap": _("swap is off, encrypted, or in memory") if facts.medium.swaps is not None else "",
        "hibernation": _("this machine does not offer to hibernate") if facts.medium.hibernation is not None else "",
    }


def _why(kind: str) -> str:
    match kind:
        case "synced" | "network" | "snapshots":
            return _("a copy of the vault that the wipe does not reach opens with a passphrase")
        case "encryption":
            return _("a searcher reads everything else on this disk without any passphrase")
        case "swap" | "hibernation":
            return _("keys and documents that were in memory can be read from the disk later")
        case _other:
            return _("what was not looked at may be weak")


def _do(kind: str) -> str:
    match kind:
        case "synced" | "network":
            return _("move the vault to a folder of this machine that nothing copies: --vault DIR, or SANDYK_VAULT")
        case "snapshots":
            return _("see which snapshots there are, and leave the vault's folder out of them")
        case "encryption":
            return _("have the whole disk encrypted, as the system's installer offers it")
        case "swap":
            return _("switch swap off, or have it encrypted, or use zram")
        case "hibernation":
            return _("switch hibernation off, and lock the vault before the lid is closed: sandyk lock")
        case _other:
            return _("look by yourself: is the disk encrypted, is swap on, does the machine hibernate?")


def judge_drive(facts: PlaceFacts) -> Iterator[Finding]:
    """What the file system and the drive below make of overwriting in place."""
    medium = facts.surroundings.medium
    kind = medium.mount.kind if medium.mount else ""
    if facts.extents.flags & SHARED:
        yield weak(
            "keyring-shared", _("blocks of the keyring belong to a second file as well: a snapshot, or a copy"),
            _("that copy keeps the keys when the keyring is overwritten"),
            _("remove the snapshot or copy, then give every journalist a new passphrase: sandyk journalist passwd"),
        )  # fmt: skip
    if medium.mount is not None and "data=journal" in medium.mount.options:
        yield weak(
            "journal", _("the file system writes whole blocks into its journal (data=journal)"),
            _("old blocks of the keyring stay in the journal after they were overwritten"),
            _("mount it without data=journal"),
        )  # fmt: skip
    if kind == "btrfs" and facts.no_cow is False:
        yield weak(
            "in-place", _("the keyring is not marked to be written in place"),
            _("btrfs writes anew and leaves the old keys in free space"),
            _("make a new vault: new keyrings are marked, an old one cannot be"),
        )  # fmt: skip
    yield _drives(medium)


def _drives(medium: Medium) -> Finding:
    drives = medium.below.drives
    names = ", ".join(drive.name for drive in drives)
    if not drives or any(drive.rotational is None for drive in drives):
        return look(
            "drive", _("what kind of drive the vault lies on could not be found out"),
            _("flash keeps old copies of what was overwritten, where only a laboratory reads them"),
            _("take it for flash, and use an outside half: sandyk journalist token add"),
        )  # fmt: skip
    if not any(drive.rotational is False for drive in drives):
        return good("drive", _("the drive says that it is no flash ({names})").format(names=names))
    text = (
        _("the vault lies on flash ({names}), which takes no discards")
        if any(drive.discards is False for drive in drives)
        else _("the vault lies on flash ({names})")
    )
    return look(
        "drive", text.format(names=names),
        _("flash keeps old copies of what was overwritten, where only a laboratory reads them"),
        _("an outside half makes them worthless: sandyk journalist token add"),
    )  # fmt: skip


def judge_backups(programs: tuple[str, ...]) -> Finding:
    """Programs for backups that were set up here."""
    if not programs:
        return good("backups", _("no program for backups was found to be set up here, among those that are known"))
    return look(
        "backups", _("programs for backups are set up here: {programs}").format(programs=", ".join(programs)),
        _("a backup of the vault survives the wipe, and opens with a passphrase"),
        _("see whether the vault's folder is among what they copy, and leave it out"),
    )  # fmt: skip


def judge_permissions(mode: int | None, own: bool | None) -> Finding:
    """Who else may look into the folder."""
    if mode is None or own is None:
        return look(
            "permissions", _("who may look into the vault's folder could not be found out"),
            _("others on this machine could see its files, and change them"),
            _("keep it in a folder of your own"),
        )  # fmt: skip
    if not own:
        return look(
            "permissions", _("the vault's folder belongs to another user"),
            _("whoever owns it can replace and remove its files"),
            _("have it belong to you, with mode 0700"),
        )  # fmt: skip
    if mode & _OTHERS:
        return weak(
            "permissions",
            _("others on this machine may look into the vault's folder (mode {mode})").format(mode=f"{mode:04o}"),
            _("they see how much there is and when it was used, and can copy it"),
            _("take it from them: chmod 700"),
        )  # fmt: skip
    return good("permissions", _("only you may look into the vault's folder"))


def judge_free_space(free: int | None) -> Finding:
    """Whether there is room to file."""
    if free is None or free >= LITTLE:
        return good("space", _("there is room to file documents") if free else _("free space was not looked at"))
    text = _("there are {mib} MiB of free space where the vault lies").format(mib=free >> 20)
    why = _("on a full disk documents cannot be filed, and passphrases cannot be changed")
    do = _("make room, or move the vault to a larger disk")
    return weak("space", text, why, do) if free < VERY_LITTLE else look("space", text, why, do)
