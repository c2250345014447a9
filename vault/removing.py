# SPDX-License-Identifier: Apache-2.0
"""Taking documents out of a case for good, as far as this copy of the vault goes.

First the packs that list them are written anew without them, each with an event that says which items were
removed, when and why; never their names. Then the packs that hold nothing but their bytes. A chunk that another
document needs stays. What this cannot reach (free space of the medium, other copies, bundles) is for the caller to say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from gettext import gettext as _

from vault import arming, text_files
from vault.cases import Case, open_store
from vault.custody import Finding
from vault.errors import BadInput, Busy, DamagedPack
from vault.model import EVENT_EXPORTED, EVENT_REMOVED, Event, Item, ItemId, PackId
from vault.rewriting import rewrite, used_places
from vault.store import CaseStore
from vault.vaults import Vault

MAX_REASON = 2_000
"""Characters."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What was done: the items, how many packs were written anew, and how many bytes the vault has less.

    ``sharing``: how many of the items have bytes that other documents of the case need, which therefore stay.
    ``exported``: how many of them an export of this case covered. ``left``: packs that still have bytes of them,
    because something else in these packs does not read.
    """

    case: str
    items: tuple[Item, ...]
    packs: int
    freed: int
    sharing: int
    exported: int
    left: tuple[Finding, ...]


def check_reason(reason: str) -> None:
    """Raise BadInput for a reason that cannot be recorded."""
    if len(reason) > MAX_REASON:
        raise BadInput(_("a reason has at most {max_reason:,} characters").format(max_reason=MAX_REASON))
    try:
        reason.encode()
    except UnicodeEncodeError:
        raise BadInput(_("the reason is not UTF-8 text")) from None


def remove(
    vault: Vault, case: Case, items: Sequence[Item], *, reason: str,
    progress: Callable[[int, int], None] = lambda packs, size: None,
) -> Removed:  # fmt: skip
    """Remove items of a case. Raises DamagedPack when a pack that lists one does not read whole: it stays as it is.

    Interrupted, each item is either still there, whole, or gone from every list; bytes of one that is gone may then
    still lie in packs, until the case is compacted. Raises BadInput, Busy, DiskFailed, Wiped.
    """
    check_reason(reason)
    ids = {ItemId(item.id) for item in items}
    with open_store(vault, case) as store:
        items = [now for item in ids if (now := store.item(item)) is not None]  # where they lie by now
        listing = _listing(store, ids)
        doomed = _places(items)
        used = used_places(store, doomed, without=ids)
        sharing = sum(any(used[pack] & nos for pack, nos in _places([item]).items()) for item in items)
        exported = {i for row in store.index.events(EVENT_EXPORTED) for i in row.event.items if i in ids}

        def keep(pack: PackId, count: int) -> Collection[int]:
            needed = used_places(store, {pack}, without=ids)[pack]
            return {no for no in range(count) if no not in doomed[pack] or no in needed}

        def events(gone: tuple[ItemId, ...]) -> tuple[Event, ...]:
            arming.forget(vault.folder, disk=vault.disk)  # before any pack with documents gets its name
            return (Event(vault.clock(), EVENT_REMOVED, gone, reason),) if gone else ()

        freed = 0
        for pack, listed in listing.items():
            freed += rewrite(store, [pack], keep, partial(events, tuple(sorted(listed))), without=ids, overwrite=True)
            progress(1, 0)
        if any(store.item(item) for item in ids):
            raise Busy(
                _("somebody wrote packs of this case anew meanwhile"), _("run the command again: not all is removed")
            )
        text_files.bring_into_step(store, vault.device_secret)
        others = [pack for pack in doomed if pack not in listing and doomed[pack] - used[pack]]
        left = []
        for pack in others:
            try:
                freed += rewrite(store, [pack], keep, partial(events, ()), without=ids, overwrite=True)
            except DamagedPack as exc:
                left.append(Finding(str(exc), pack.hex()[:8]))
            progress(1, 0)
    packs = len(listing) + len(others) - len(left)
    return Removed(case.name, tuple(items), packs, freed, sharing, len(exported), tuple(left))


def _listing(store: CaseStore, items: Collection[ItemId]) -> dict[PackId, list[ItemId]]:
    found: dict[PackId, list[ItemId]] = defaultdict(list)
    for item in items:
        if (pack := store.index.owner(item)) is not None:
            found[pack].append(item)
    return dict(found)


def _places(items: Sequence[Item]) -> dict[PackId, set[int]]:
    places: dict[PackId, set[int]] = defaultdict(set)
    for item in items:
        for extent in item.extents:
            places[PackId(extent.pack)].update(range(extent.first, extent.first + extent.count))
    return places
