# SPDX-License-Identifier: Apache-2.0
"""What of a vault does not lie on its disk: agents and documents in memory, an outside half in the TPM.

Owns what the emergency wipe does about them once the keys on the disk are gone, and what it says where it cannot know.
Which half belongs to a vault is remembered nowhere (docs/decisions/0031): it is known when somebody named it, else one
that looks like a half may be another vault's, and is told and left alone. Standard library only.
"""

from __future__ import annotations

from vault import view_sweep
from vault.agent import process
from vault.language import later
from vault.language import said as _

TYPE_CHECKING = False  # the same as typing's, without its import
if TYPE_CHECKING:
    from vault.wiping import Tally

SECONDS = 3.0
"""How long the TPM may take. It is asked before the files go, because the half is worth more than they are."""
UNDEFINE = later("undefine the outside half in the TPM")
UNKNOWN = later("undefine an outside half in the TPM, if this vault had one")


def take_away(agents: str | None, half: str | None, tally: Tally) -> tuple[tuple[str, str], ...]:
    """End the agents and the views with this mark, and undefine the half of this name (``tpm:0x01812345``; "" when
    nobody knows it).

    Returns what was done with "", and what is not known here with why; what should have been done and was not is
    noted in ``tally``.
    """
    return (*_end_agents(agents, tally), *_end_views(agents, tally), *_undefine(half, tally))


def _end_agents(mark: str | None, tally: Tally) -> list[tuple[str, str]]:
    outcome = process.end(mark)
    for number, why in outcome:
        if why:
            tally.note(
                _("end process {number}, an agent that holds the keys in memory: {why}").format(
                    number=number, why=_(why)
                )
            )
    ended = sum(1 for __, why in outcome if not why)
    return [(_("end {count} agent(s) that held the keys in memory").format(count=ended), "")] if ended else []


def _end_views(mark: str | None, tally: Tally) -> list[tuple[str, str]]:
    outcome = view_sweep.sweep(mark)
    for folder, why in outcome:
        if why:
            tally.note(
                _("remove a document in clear that was being viewed, in {folder}: {why}").format(
                    folder=folder, why=_(why)
                )
            )
    ended = sum(1 for __, why in outcome if not why)
    return [(_("end {count} view(s) of documents, and remove what was shown").format(count=ended), "")] if ended else []


def _undefine(half: str | None, tally: Tally) -> list[tuple[str, str]]:
    if half is None:
        return []
    from vault import nv

    if not half:
        return [(UNKNOWN, _what_is_there())] if nv.may_be_here() else []
    try:
        nv.take_away(nv.index_named(half), seconds=SECONDS)
    except (nv.NoTpm, ValueError) as error:
        tally.note(_("undefine the outside half in the TPM: {problem}").format(problem=error))
        return []
    return [(UNDEFINE, "")]


def _what_is_there() -> str:
    """Why nothing was undefined, and what somebody who knows more can do."""
    from vault import nv

    try:
        found = nv.like_halves(seconds=SECONDS)
    except nv.NoTpm:
        return _("which one belongs to a vault is written down nowhere, and the TPM could not be asked")
    if not found:
        return _("there is none in the TPM")
    names = ", ".join(nv.name_of(index) for index in found)
    return _(
        "which one belongs to a vault is written down nowhere; these look like one: {names}. To undefine one: "
        "tpm2_nvundefine INDEX -C o"
    ).format(names=names)
