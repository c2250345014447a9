# SPDX-License-Identifier: Apache-2.0
"""What is written for people is written elsewhere than in a vault's own folder.

There, a sealed file could take the place of the keys with ``--force``, and documents in clear would outlive an
emergency wipe, which deletes nothing but what the vault itself wrote (``vault.layout``). Asked before anything is
written, for any vault, also one that is not open. Links on the way are followed: what counts is where the bytes go.
"""

from __future__ import annotations

import os
from gettext import gettext as _

from vault import layout
from vault.errors import BadInput
from vault.names import printable


def expect_outside_vaults(path: str) -> None:
    """Return if ``path``, a file or a folder that need not be there yet, is in no vault. Raises BadInput."""
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    if layout.vault_around(folder) is not None:
        raise BadInput(
            _(
                "{path} is inside a vault's own folder: an emergency wipe would leave it, or it would harm the vault"
            ).format(path=printable(path)),
            _("another place; nothing was written"),
        )
