# SPDX-License-Identifier: Apache-2.0
"""What the emergency wipe says about itself: as a text for a person, as JSON for a program.

A pure judge: it turns what was done and what was found out into sentences, and does no I/O. Each sentence comes
from a fact of this run, or says that the fact is unknown. It promises nothing about the medium: overwriting in
place means what the file system and the drive make of it (docs/threat-model.md). Standard library only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from vault.discard import DISCARD_ALL, JOURNAL
from vault.language import later
from vault.language import said as _
from vault.medium import INLINE, SHARED, Medium

TYPE_CHECKING = False  # the same as typing's, without its import
if TYPE_CHECKING:
    from vault.killing import Kill
    from vault.traces import Traces
    from vault.wiping import Tally

_WRITES_ANEW = frozenset(("btrfs", "zfs", "bcachefs", "f2fs", "nilfs2"))
"""File systems that do not write in place unless told to, file by file (btrfs only)."""
_ELSEWHERE = frozenset(("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "afs", "virtiofs", "fuseblk"))
"""File systems behind which a server or a program decides what is kept."""
_IN_MEMORY = frozenset(("tmpfs", "ramfs"))
_SHOWN_STRANGERS = 20
"""Lines of strangers' names in the text; JSON has all."""

ALWAYS = (
    later("memory: programs that had the vault open may hold its keys until they end. Power the machine off."),
    later("copies that cannot be seen from here: backups, disk images taken before now, synced folders."),
)
OTHERS_STOP = (
    later(
        "other programs: one that has the vault open stops at its next step. The file that it writes now may still "
        "appear, an index may still be brought up to date, and its own -wal, -shm and .new files go."
    ),
)
"""With ``--keep`` only: else whatever they leave is gone too."""
TRACES_STAY = (
    later(
        "traces of names and times in logs, shell histories and lists of recent files are not removed. "
        "This program's own: sandyk panic --traces, before the vault is gone."
    ),
)
REQUESTS_FOLLOW = later(
    "Now the file system is asked to forget what is free, for 5 s at most. Nothing depends on it.\n"
)
LAW = later("Wiping once a search has begun, or when you must keep evidence, can be a crime.")


@dataclass(frozen=True, slots=True)
class Report:
    """What one run did. All texts are safe to print."""

    keys_gone: bool
    keys_gone_ms: float
    counted_from: str
    verified: bool
    past_the_cache: bool
    kept: bool
    destroyed: tuple[tuple[str, int], ...]
    done_as_well: tuple[str, ...]
    not_done: tuple[str, ...]
    not_asked_for: tuple[str, ...]
    medium: tuple[str, ...]
    abroad: str
    left_behind: tuple[str, ...]
    snapshot: bool
    traces_removed: tuple[str, ...]
    always: tuple[str, ...]


def make(
    *, kill: Kill, keys_gone_ms: float, counted_from: str, kept: bool, tally: Tally,
    medium: Medium, asked: tuple[tuple[str, str], ...], untrusted_counter: bytes | None, traces: Traces | None = None,
) -> Report:  # fmt: skip
    """The report of a run. ``not_done`` is what makes it a failure; ``not_asked_for`` are favours a system refused."""
    not_done = []
    snapshot = bool(medium.extents.flags & SHARED)
    if kill.problem:
        not_done.append(_("overwrite the keys: {problem}").format(problem=_(kill.problem)))
    elif not kill.verified:
        not_done.append(_("verify: what was written over the keys could not be read back as written"))
    if snapshot:
        not_done.append(_("reach the old keyring in a snapshot or a copy that shares its blocks"))
    not_done += [_failure(*failure) for failure in tally.failures]
    not_done += tally.notes
    not_done += [
        _("remove the trace {path}: {why}").format(path=shown(path), why=_(why))
        for path, why in (traces.failed if traces else ())
    ]
    return Report(
        keys_gone=not kill.problem,
        keys_gone_ms=round(keys_gone_ms, 1),
        counted_from=counted_from,
        verified=kill.verified,
        past_the_cache=kill.past_the_cache,
        kept=kept,
        destroyed=(("keyring_bytes", kill.overwritten), *tally.counts.items()),
        done_as_well=tuple(_(name) for name, why in asked if not why),
        not_done=tuple(not_done),
        not_asked_for=tuple(f"{_(name)}: {_(why)}" for name, why in asked if why),
        medium=lines(medium, asked),
        abroad=abroad(untrusted_counter),
        left_behind=tuple(shown(name) for name in tally.left_behind),
        snapshot=snapshot,
        traces_removed=_traces(traces),
        always=(*map(_, ALWAYS), *map(_, OTHERS_STOP if kept else ()), *_traces_that_stay(traces)),
    )


def as_text(report: Report) -> str:
    """Everything after the first line, which was printed when the keys were gone."""
    counts = dict(report.destroyed)
    out = []
    if report.verified:
        out.append(
            _("Verified: read back from the medium, the new bytes are there.")
            if report.past_the_cache
            else _("Verified: read back (through the system's cache), the new bytes are there.")
        )
    if report.keys_gone and report.verified:
        out.append(
            _("A SNAPSHOT OR A COPY SHARES THE OLD KEYRING. THE VAULT CAN STILL BE OPENED FROM IT. Delete it.")
            if report.snapshot
            else _("No passphrase opens this vault on this disk as the file system shows it.")
        )
    out.append(
        _(
            "Overwritten: {keyring_bytes} bytes of the keyring, {sealed_files} rosters, books and access files, the "
            "heads of {indexes} index files."
        ).format(**counts)
    )
    if report.kept:
        out.append(_("Everything else was left in its place (--keep)."))
    else:
        out.append(
            _(
                "Deleted: {packs} packs and {drops} sealed drops (overwriting them adds nothing: they are encrypted), "
                "{other_files} other files, {folders} folders."
            ).format(**counts)
        )
    if report.left_behind:
        out.append(_("Left behind, because they are not the vault's:"))
        out += [f" - {name}" for name in report.left_behind[:_SHOWN_STRANGERS]]
        if len(report.left_behind) > _SHOWN_STRANGERS:
            out.append(_(" - and {count} more").format(count=len(report.left_behind) - _SHOWN_STRANGERS))
    out += [_("Traces: {line}.").format(line=line) for line in report.traces_removed]
    if report.done_as_well:
        out.append(_("Also done: {done}.").format(done="; ".join(report.done_as_well)))
    if report.not_done:
        out.append(_("COULD NOT BE DONE:"))
        out += [f" - {line}" for line in report.not_done]
    out.append(_("NOT guaranteed, and why:"))
    out += [f" - {line}" for line in (*report.medium, *report.always)]
    out += [_(" - not done: {line}").format(line=line) for line in report.not_asked_for]
    out += [_("Abroad: {state}").format(state=report.abroad), _(LAW)]
    return "\n".join(out) + "\n"


def as_text_since(before: Report, after: Report) -> str:
    """What the requests to the file system added to a report that was printed before them."""
    done = [line for line in after.done_as_well if line not in before.done_as_well]
    out = [_("Also done: {done}.").format(done="; ".join(done))] if done else []
    refused = [line for line in after.not_asked_for if line not in before.not_asked_for]
    out += [_(" - not done: {line}").format(line=line) for line in refused]
    out += [_(" - now: {line}").format(line=line) for line in after.medium if line not in before.medium]
    return "".join(f"{line}\n" for line in out)


def as_json(report: Report) -> str:
    """One document. The names are stable: docs/cli.md."""
    import json

    document = {
        "keys_gone": report.keys_gone,
        "keys_gone_ms": report.keys_gone_ms,
        "counted_from": report.counted_from,
        "verified": report.verified,
        "past_the_cache": report.past_the_cache,
        "kept": report.kept,
        "destroyed": dict(report.destroyed),
        "done_as_well": list(report.done_as_well),
        "not_done": list(report.not_done),
        "best_effort_not_done": list(report.not_asked_for),
        "medium": [*report.medium, *report.always],
        "abroad": report.abroad,
        "left_behind": list(report.left_behind),
        "traces_removed": list(report.traces_removed),
    }
    return json.dumps(document, ensure_ascii=True, indent=2) + "\n"


def no_vault_json() -> str:
    """The document when there is no vault: nothing was touched."""
    import json

    return json.dumps({"keys_gone": False, "not_done": [_("no vault here")]}, indent=2) + "\n"


def abroad(untrusted: bytes | None) -> str:
    """What the public counter says of the last known state abroad. It is not signed, and it may be missing."""
    if untrusted is None:
        return _("unknown, there is no counter.")
    from vault.counter import parse

    known = parse(untrusted)
    if known is None:
        return _("unknown, the counter makes no sense.")
    if not known.sealed and not known.safe:
        text = _(
            "the counter says {filed} documents filed here, 0 of them sealed for others, 0 confirmed by an editor's "
            "signed receipt. It may be behind. Whether the others arrived is not known here."
        )
    elif not known.safe:
        text = _(
            "the counter says {filed} documents filed here, {sealed} of them sealed for others, last on {last_sealed}, "
            "0 confirmed by an editor's signed receipt. It may be behind. Whether the others arrived is not known here."
        )
    else:
        text = _(
            "the counter says {filed} documents filed here, {sealed} of them sealed for others, last on {last_sealed}, "
            "{safe} confirmed by an editor's signed receipt, last on {last_safe}. It may be behind. Whether the others "
            "arrived is not known here."
        )
    return text.format(
        filed=known.filed,
        sealed=known.sealed,
        last_sealed=known.last_sealed,
        safe=known.safe,
        last_safe=known.last_safe,
    )


def shown(name: str) -> str:
    """A file name with whatever could confuse a terminal or a reader escaped; on Windows ``\\`` is between folders."""
    escaped = "" if os.name == "nt" else "\\"
    return "".join(
        c if c.isprintable() and c != escaped else c.encode("unicode_escape", "surrogatepass").decode("ascii")
        for c in name
    )


def lines(medium: Medium, asked: tuple[tuple[str, str], ...] = ()) -> tuple[str, ...]:
    """What this medium and this machine may still hold, one sentence or two for each fact."""
    done = frozenset(name for name, why in asked if not why)
    return (
        *_drives(medium),
        _encryption(medium),
        *_file_system(medium, done),
        _snapshots(medium),
        _free_space(medium, done),
        *_memory(medium),
    )


def _drives(medium: Medium) -> list[str]:
    if medium.mount and medium.mount.kind in _IN_MEMORY:
        return [_("drive: none, the vault was in memory; only swap can have taken it to a disk.")]
    out = []
    for drive in medium.below.drives:
        if drive.rotational:
            text = _(
                "drive: {name} says that it is a spinning disk, which USB sticks and virtual disks often say too. "
                "If it is flash, it may keep old copies of what was overwritten until it reuses the cells."
            )
        elif drive.rotational is False:
            text = _(
                "flash: {name} may keep old copies of what was overwritten until it reuses the cells; "
                "reading them takes chip-level work."
            )
        else:
            text = _("drive: what {name} is could not be found out; flash may keep old copies.")
        sentences = [text.format(name=shown(drive.name))]
        if drive.discards is not None:
            sentences.append(_("It takes discards (TRIM).") if drive.discards else _("It takes no discards (TRIM)."))
        out.append(" ".join(sentences))
    return out or [_("drive: unknown. Flash keeps old copies of what was overwritten until it reuses the cells.")]


def _encryption(medium: Medium) -> str:
    match medium.below.encrypted:
        case True:
            return _(
                "disk encryption below the vault: YES (dm-crypt). Old copies on the drive are encrypted too, "
                "as long as the disk's passphrase is not given up."
            )
        case False:
            return _("disk encryption below the vault: none was found.")
    return _("disk encryption below the vault: unknown.")


def _file_system(medium: Medium, done: frozenset[str]) -> list[str]:
    mount = medium.mount
    if mount is None:
        return [_("file system: unknown, and so is whether it writes in place.")]
    kind, out = shown(mount.kind), []
    if mount.kind in _WRITES_ANEW and not medium.no_cow:
        text = (
            _(
                "file system: {kind} writes to new blocks instead of in place; the freed blocks with the old keys were "
                "asked to be discarded."
            )
            if DISCARD_ALL in done
            else _(
                "file system: {kind} writes to new blocks instead of in place; the freed blocks with the old keys stay "
                "until they are reused."
            )
        )
        out.append(text.format(kind=kind))
    elif mount.kind in _ELSEWHERE or mount.kind.startswith("fuse"):
        out.append(
            _("file system: {kind}. What the server or program behind it keeps cannot be seen from here.").format(
                kind=kind
            )
        )
    elif mount.kind == "overlay":
        out.append(_("file system: overlay. A lower layer may still hold the old keyring."))
    elif "data=journal" in mount.options:
        out.append(
            _("file system: the journal holds whole data (data=journal); it was emptied and zeroed.")
            if JOURNAL in done
            else _("file system: the journal holds whole data (data=journal). COPIES OF THE OLD KEYS MAY BE IN IT.")
        )
    else:
        text = (
            _("file system: {kind}, writes this file in place.")
            if medium.no_cow
            else _("file system: {kind}, usually writes in place.")
        )
        out.append(text.format(kind=kind))
    if medium.extents.flags & INLINE:
        out.append(
            _("file system: the keyring lay among the file system's own records, which may keep old versions.")
        )
    return out


def _snapshots(medium: Medium) -> str:
    if medium.extents.flags & SHARED:
        return _(
            "snapshots: a snapshot or a copy (reflink) shares the old keyring's blocks. "
            "THE VAULT CAN BE OPENED FROM IT with a passphrase, until it is deleted."
        )
    if not medium.extents.known:
        return _("snapshots: whether one holds the old keyring could not be found out.")
    return _(
        "snapshots: no file of this file system shares the old keyring's blocks. "
        "Snapshots below it (LVM, virtual machines, storage) cannot be seen from here."
    )


def _free_space(medium: Medium, done: frozenset[str]) -> str:
    """What deleting leaves, and what every earlier change of a sealed file left (found so in raw images)."""
    if medium.mount and medium.mount.kind in _IN_MEMORY:
        return _("free space: what was deleted lay in memory.")
    what = _(
        "free space: blocks that are free now, and older versions in them, still hold packs, indexes and other "
        "sealed files. They are encrypted, and what opened them here is gone; the key of another member of a case, in "
        "another vault, still opens that case's. They show that something was there."
    )
    return " ".join((what, _("The drive was asked to discard them."))) if DISCARD_ALL in done else what


def _memory(medium: Medium) -> list[str]:
    out = []
    if medium.swaps is None:
        out.append(_("swap: unknown."))
    elif not medium.swaps:
        out.append(_("swap: none is in use now."))
    for swap in medium.swaps or ():
        if swap.in_memory:
            text = _("swap: {name}, compressed memory, gone at power-off unless it was given a disk to write to.")
        elif swap.encrypted:
            text = _("swap: {name}, encrypted (dm-crypt).")
        else:
            text = _("swap: {name}, no encryption was found below it; memory that was moved there may hold keys.")
        out.append(text.format(name=shown(swap.name)))
    match medium.hibernation:
        case None:
            out.append(_("hibernation: unknown."))
        case True:
            out.append(
                _("hibernation: possible on this machine; an image made while the vault was open holds its keys.")
            )
        case False:
            out.append(_("hibernation: off."))
    if medium.core_pattern is None:
        out.append(_("crash dumps: unknown."))
    elif medium.core_pattern:
        pattern = shown(medium.core_pattern)
        text = (
            _("crash dumps: handed to {pattern}; one of a program that had the vault open holds keys.")
            if pattern.startswith("|")
            else _(
                "crash dumps: written to files named {pattern}; one of a program that had the vault open holds keys."
            )
        )
        out.append(text.format(pattern=pattern.lstrip("|")))
    return out


def _traces(traces: Traces | None) -> tuple[str, ...]:
    if traces is None:
        return ()
    deleted = [_("deleted {path}").format(path=shown(path)) for path in traces.removed]
    taken_out = [
        _("{count} entries taken out of {path}").format(count=count, path=shown(path)) for path, count in traces.lines
    ]
    return (*deleted, *taken_out)


def _traces_that_stay(traces: Traces | None) -> tuple[str, ...]:
    if traces is None:
        return tuple(map(_, TRACES_STAY))
    from vault.traces import OUT_OF_REACH

    return tuple(_("traces out of reach: {line}.").format(line=_(line)) for line in OUT_OF_REACH)


def _failure(what: str, why: str, count: int, example: str) -> str:
    if not example:
        text = _("{what}: {why}")
    elif count == 1:
        text = _("{what} {path}: {why}")
    else:
        text = _("{what} {path} and {more} more: {why}")
    return text.format(what=_(what), why=_(why), more=count - 1, path=shown(example))
