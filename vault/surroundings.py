# SPDX-License-Identifier: Apache-2.0
"""Where a vault lies, and what around it may keep copies or give it away: facts, and what they mean in plain words.

``look`` gathers, ``warnings`` judges. What cannot be found out is not guessed: it is left out, or said to be unknown.
A folder counts as synced when a program for that is set up for it (its settings name the folder, or it left its mark
there), or when a folder on the way has the name that such a program gives. It asks no such program, and no network.
Standard library only; facts about drives and memory are ``vault.medium``'s.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from gettext import gettext as _

from vault.medium import Extents, Medium, gather

_NAMES = (
    (re.compile(r"dropbox( \(.+\))?", re.I), "Dropbox"),
    (re.compile(r"onedrive( - .+)?", re.I), "OneDrive"),
    (re.compile(r"(google ?drive( \(.+\))?|googledrive-.+|my drive)", re.I), "Google Drive"),
    (re.compile(r"(icloud ?drive|com~apple~clouddocs|mobile documents)", re.I), "iCloud"),
    (re.compile(r"nextcloud.*", re.I), "Nextcloud"),
    (re.compile(r"owncloud.*", re.I), "ownCloud"),
    (re.compile(r"(yandex\.?disk.*|яндекс\.?диск)", re.I), "Yandex.Disk"),
    (re.compile(r"(mega|megasync)", re.I), "MEGA"),
    (re.compile(r"pclouddrive", re.I), "pCloud"),
    (re.compile(r"mail\.ru (cloud|облако)|cloud mail\.ru|облако mail\.ru", re.I), "Mail.ru Cloud"),
)
"""Folders as these programs name them, whole names only."""
_MARKS = (
    (re.compile(r"\.dropbox(\.cache)?"), "Dropbox"),
    (re.compile(r"\._?sync_[0-9a-f]+\.db|\.nextcloudsync\.log|\.owncloudsync\.log"), "Nextcloud or ownCloud"),
    (re.compile(r"\.stfolder|\.stignore|\.stversions"), "Syncthing"),
    (re.compile(r"\.tmp\.drive(down|up)load"), "Google Drive"),
    (re.compile(r"\.sync"), "Yandex.Disk or Resilio Sync"),
)
"""What they leave in the folder that they sync."""
_SETTINGS = (
    (".dropbox/info.json", re.compile(r'"path": *"([^"]+)"'), "Dropbox"),
    (".config/Nextcloud/nextcloud.cfg", re.compile(r"localPath=(.+)"), "Nextcloud"),
    (".config/yandex-disk/config.cfg", re.compile(r'dir="([^"]+)"'), "Yandex.Disk"),
    (".config/syncthing/config.xml", re.compile(r'<folder [^>]*path="([^"]+)"'), "Syncthing"),
    (".local/state/syncthing/config.xml", re.compile(r'<folder [^>]*path="([^"]+)"'), "Syncthing"),
)
"""Settings below the home folder that name the folders they sync."""
_VARIABLES = ("OneDrive", "OneDriveConsumer", "OneDriveCommercial")
_ON_THE_NETWORK = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "webdav", "davfs", "9p", "ceph", "glusterfs", "afs", "virtiofs")
)
_WITH_SNAPSHOTS = frozenset(("btrfs", "zfs", "bcachefs", "nilfs2", "apfs"))
_MAX_SETTINGS = 1 << 20


@dataclass(frozen=True, slots=True)
class Synced:
    """A folder on the way to the vault that a program copies elsewhere. ``how``: ``settings``, ``mark`` or ``name``."""

    program: str
    folder: str
    how: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The facts. ``network`` and ``snapshots`` are kinds of file systems; None: no, or unknown."""

    synced: tuple[Synced, ...]
    network: str | None
    snapshots: str | None
    medium: Medium
    known: bool
    """Whether drives and memory could be asked at all: on Linux only so far."""


@dataclass(frozen=True, slots=True)
class Caution:
    """One thing to know. ``kind`` is stable: synced, network, snapshots, encryption, swap, hibernation, crash-dumps,
    unknown.
    """

    kind: str
    text: str


def look(
    folder: str, *, environ: Mapping[str, str] = os.environ, platform: str = sys.platform,
    proc: str = "/proc", sys_root: str = "/sys",
) -> Surroundings:  # fmt: skip
    """The facts about a folder that exists. Never fails."""
    folder = os.path.realpath(folder)
    medium = gather(folder, Extents(), None, proc=proc, sys_root=sys_root)
    kind = medium.mount.kind if medium.mount else ""
    remote = kind in _ON_THE_NETWORK or kind.startswith("fuse.") or folder.startswith("\\\\")
    return Surroundings(
        synced=tuple(_synced(folder, environ)),
        network=(kind or _("a network path")) if remote else None,
        snapshots=kind if kind in _WITH_SNAPSHOTS else None,
        medium=medium,
        known=platform == "linux" and medium.mount is not None,
    )


def warnings(facts: Surroundings) -> tuple[Caution, ...]:
    """What the facts mean for somebody who may have to wipe this vault. Texts hold names as found, not escaped."""
    found = [Caution("synced", _about_synced(each)) for each in facts.synced]
    if facts.network is not None:
        found.append(
            Caution(
                "network",
                _(
                    "the vault lies behind {network}: what a server or program there keeps, the wipe cannot reach"
                ).format(network=facts.network),
            )
        )
    if facts.snapshots is not None:
        found.append(
            Caution(
                "snapshots",
                _(
                    "{snapshots} can keep snapshots: the vault opens from one that was made before the "
                    "wipe. Keep the vault out of them"
                ).format(snapshots=facts.snapshots),
            )
        )
    if not facts.known:
        found.append(
            Caution("unknown", _("disk encryption, swap and hibernation could not be looked at on this system"))
        )
        return tuple(found)
    return (*found, *_about_the_machine(facts.medium))


def _about_synced(each: Synced) -> str:
    because = {
        "settings": _("its settings name this folder"),
        "mark": _("it left its mark in this folder"),
        "name": _("this is the name of its folder"),
    }[each.how]
    return _(
        "{folder} seems to be synced by {program} ({because}): a copy of the keyring elsewhere "
        "survives the wipe. Put the vault somewhere else"
    ).format(folder=each.folder, program=each.program, because=because)


def _about_the_machine(medium: Medium) -> Iterator[Caution]:
    if medium.below.encrypted is False:
        yield Caution(
            "encryption",
            _(
                "no disk encryption was found below the vault: what a drive keeps of old blocks, and all "
                "that lies outside the vault, can be read from it"
            ),
        )
    elif medium.below.encrypted is None:
        yield Caution("encryption", _("whether there is disk encryption below the vault could not be found out"))
    bare = [swap.name for swap in medium.swaps or () if not swap.in_memory and not swap.encrypted]
    if bare:
        yield Caution(
            "swap",
            _("no encryption was found below swap ({bare}): memory with keys in it may be put there").format(
                bare=", ".join(bare)
            ),
        )
    if medium.hibernation:
        yield Caution(
            "hibernation", _("this machine can hibernate: with the vault open, that writes its keys to the disk")
        )
    if medium.core_pattern:
        yield Caution(
            "crash-dumps",
            _("crash dumps are on: this program switches its own off; programs that show documents write theirs"),
        )


def _synced(folder: str, environ: Mapping[str, str]) -> Iterator[Synced]:
    above = [folder]
    while os.path.dirname(above[-1]) != above[-1]:
        above.append(os.path.dirname(above[-1]))
    seen: set[str] = set()
    for program, root in _set_up(environ):
        if root in above and root not in seen:
            seen.add(root)
            yield Synced(program, root, "settings")
    for each in above:
        how = None if each in seen else _by_mark(each) or _by_name(each)
        if how is not None:
            yield how


def _set_up(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Programs and the folders that their settings name."""
    for variable in _VARIABLES:
        if environ.get(variable):
            yield "OneDrive", os.path.realpath(environ[variable])
    home = environ.get("HOME") or environ.get("USERPROFILE")
    for name, pattern, program in _SETTINGS if home else ():
        try:
            with open(os.path.join(str(home), name), encoding="utf-8", errors="replace") as f:
                untrusted = f.read(_MAX_SETTINGS)
        except OSError:
            continue
        for found in pattern.findall(untrusted):
            yield program, os.path.realpath(os.path.expanduser(found.strip()))


def _by_mark(folder: str) -> Synced | None:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(".")]
    except OSError:
        return None
    for pattern, program in _MARKS:
        if any(pattern.fullmatch(name) for name in names):
            return Synced(program, folder, "mark")
    return None


def _by_name(folder: str) -> Synced | None:
    name = os.path.basename(folder)
    return next((Synced(program, folder, "name") for pattern, program in _NAMES if pattern.fullmatch(name)), None)
