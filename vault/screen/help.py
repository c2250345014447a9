# SPDX-License-Identifier: Apache-2.0
"""The keys in plain words, and what the screen keeps and does not keep."""

from __future__ import annotations

from gettext import gettext as _

from vault.screen.dialogs import Told


class Help(Told):
    """A page to read."""

    def __init__(self) -> None:
        super().__init__(_("What the keys do"), _lines())


def _lines() -> list[str]:
    return [
        _("Arrows, Page up, Page down: move. Tab: to the next part. Enter: open. A mouse does the same."),
        _("Space: mark a document, to export some of them. Escape: back; in the list, no search and no marks."),
        _("Letters work too: A add, R read, V check, E export, I index, / search, N new case, O open, ? this page."),
        _("With a Cyrillic layout press the same keys: nothing has to be switched over."),
        "",
        _("F9, or Escape twice: empties the screen at once. Enter brings it back. The keys stay in memory."),
        _("F10 or Ctrl+L: forgets the keys, also those that sandyk unlock left, and leaves."),
        _("Ctrl+Q: stops what is under way; with nothing under way, leaves. What sandyk unlock left stays."),
        "",
        _("F12 twice within two seconds, or held down: wipes the vault at once and for ever, without a question."),
        _("Ctrl+\\ twice, or two clicks on the word below, do the same. Practise with: sandyk panic --drill"),
        "",
        _("Nothing that you read here is written to a file. A terminal may keep what it showed in its own memory, and"
          " one that records its output keeps all of it."),
    ]  # fmt: skip
