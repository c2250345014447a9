# SPDX-License-Identifier: Apache-2.0
"""Locking a vault: the agent forgets its keys, and whatever is being viewed is closed and gone.

Both, whatever becomes of the other. Loads no cryptography: `sandyk lock` must be quick.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from gettext import gettext as _

from vault import view_sweep
from vault.agent import asking, process
from vault.errors import Busy
from vault.layout import KEYRING
from vault.names import printable


@dataclass(frozen=True, slots=True)
class Locked:
    """Whether an agent held the keys, and how many views were ended or were left over from some that were killed."""

    agent: bool
    views: int


def lock(folder: str) -> Locked:
    """End the agent and the views of the vault in ``folder``. Raises Busy when one of them does not end, NotAllowed."""
    mark = process.mark_at(os.path.join(folder, KEYRING))
    try:
        agent = asking.lock(folder)
    finally:
        swept = view_sweep.sweep(mark)
    for path, problem in swept:
        if problem:
            raise Busy(
                _("what is viewed could not be removed: {reason}").format(reason=problem),
                _("it lies in {folder}").format(folder=printable(path)),
            )
    return Locked(agent, len(swept))
