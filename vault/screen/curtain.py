# SPDX-License-Identifier: Apache-2.0
"""An empty screen in front of everything. It hides, and locks nothing: the keys are still in memory."""

from __future__ import annotations

from gettext import gettext as _

from textual.app import ComposeResult
from textual.screen import ModalScreen

from vault.screen.dialogs import Words


class Curtain(ModalScreen[None]):
    """Nothing but how to go on: a screen without a word looks broken."""

    def compose(self) -> ComposeResult:
        """One line that says nothing of what is behind."""
        yield Words(_("Enter"), classes="quiet")
