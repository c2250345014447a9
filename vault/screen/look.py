# SPDX-License-Identifier: Apache-2.0
"""How the screen looks: colours for dark and light terminals, and a layout for 80 columns and 24 lines or more.

Only glyphs that the fonts of plain consoles have (code page 437: single lines and half blocks), or ASCII where the
locale is no UTF-8. Nothing is told by colour alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import ClassVar

from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.theme import Theme

DARK = Theme(
    name="sandyk-dark", dark=True, primary="#5fafd7", secondary="#87afaf", accent="#d7af5f", warning="#d7af5f",
    error="#d75f5f", success="#87af5f", foreground="#d0d0d0", background="#121212", surface="#1c1c1c", panel="#303030",
)  # fmt: skip
LIGHT = Theme(
    name="sandyk-light", dark=False, primary="#005f87", secondary="#5f5f87", accent="#875f00", warning="#875f00",
    error="#af0000", success="#005f00", foreground="#1c1c1c", background="#ffffff", surface="#f4f4f4", panel="#dadada",
)  # fmt: skip


class PlainBar(ScrollBarRender):
    """A scroll bar of whole cells: eighths of blocks are question marks on a plain console."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "]
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "]


def use_plain_bars() -> None:
    """Draw every scroll bar of this process with ``PlainBar``."""
    ScrollBar.renderer = PlainBar


def speaks_utf8(environment: Mapping[str, str]) -> bool:
    """Whether the locale says that the terminal takes UTF-8 (locale(7): the first of these that is set counts)."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if environment.get(name):
            return environment[name].lower().replace("-", "").endswith("utf8")
    return os.name == "nt"


def is_light(environment: Mapping[str, str]) -> bool:
    """Whether the terminal says that its background is light: COLORFGBG, as rxvt and Konsole set it. Else dark."""
    return environment.get("COLORFGBG", "").rpartition(";")[2] in {"7", "15"}


CSS = """
Screen { background: $background; color: $foreground; }
* { scrollbar-size: 1 1; link-style: none; link-color: $foreground; link-background: $surface;
    link-style-hover: reverse; link-color-hover: $foreground; link-background-hover: $surface; }
Words { width: auto; height: auto; }
Words.wide { width: 1fr; }
Words.heading { text-style: bold; color: $primary; margin-bottom: 1; width: 1fr; }
Words.quiet { color: $secondary; }
Words.question { margin-top: 1; text-style: bold; width: 1fr; }
Words.warning { color: $error; text-style: bold; }

Input, Input:focus { border: none; height: 1; padding: 0 1; background: $panel; }
Input:focus { background: $primary 30%; }
Button, Button:hover, Button:focus { border: none; height: 1; min-width: 10; margin: 0 2 0 0; background: $panel; }
Button:focus { background: $primary; color: $background; text-style: bold; }
OptionList, OptionList:focus { border: none; padding: 0; background: $background; }
Choices > .option-list--option-highlighted { background: $background; color: $foreground; text-style: none; }
Choices:focus > .option-list--option-highlighted { background: $primary; color: $background; text-style: bold; }
Toast { background: $panel; }

#search-line { height: 1; }
#search-line Words { padding: 0 1; }
#search { width: 1fr; }
#columns { height: 1fr; }
#cases-box { width: 30%; max-width: 26; border: solid $panel; }
#documents-box { width: 1fr; border: solid $panel; }
#cases-box:focus-within, #documents-box:focus-within { border: solid $primary; }
#cases { height: 1fr; }
#documents { height: 1fr; }
#said { height: auto; max-height: 3; width: 1fr; padding: 0 1; color: $secondary; }
KeyBar { dock: bottom; width: 1fr; height: auto; max-height: 3; padding: 0 1; background: $surface; }

Documents { overflow-x: hidden; }
Documents > .row--cursor { background: $panel; }
Documents:focus > .row--cursor { background: $primary; color: $background; text-style: bold; }

ModalScreen { align: center middle; background: $background; }
.box { width: 76; max-width: 100%; height: auto; max-height: 100%; border: solid $primary; padding: 0 2; }
Entrance { align: center middle; }
.box .row { height: auto; width: 1fr; }
.buttons { height: auto; margin-top: 1; padding: 0 1; width: 1fr; }
.box .buttons { padding: 0; }
.field { height: 1; padding: 0 1; }
.field Words { width: 12; }
.field Input { width: 1fr; }
#chooser-folder { padding: 0 1; }
Chooser OptionList, Chooser OptionList:focus { padding: 0 1; }
.form { padding: 0 1; }
Adding > Words, Opening > Words, Exporting > Words, ChooseFolder > Words { padding: 0 1; }
Adding > .buttons, Exporting > .buttons { margin-bottom: 1; }
.tall { height: 1fr; }
#reading { height: 1fr; padding: 0 1; }
#reading Words { width: 1fr; }
#inside { height: auto; }
PassphraseField { height: 1; background: $panel; padding: 0 1; }
PassphraseField:focus { background: $primary 30%; }
Chooser { height: 1fr; }
#chosen { height: auto; max-height: 4; color: $secondary; }
Curtain { background: $background; align: left bottom; }

Browse.-ascii #cases-box, Browse.-ascii #documents-box { border: ascii $panel; }
Browse.-ascii #cases-box:focus-within, Browse.-ascii #documents-box:focus-within { border: ascii $primary; }
Browse.-ascii Toast { border: none; }
Browse.-ascii .box { border: ascii $primary; }
"""
