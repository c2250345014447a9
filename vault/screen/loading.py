# SPDX-License-Identifier: Apache-2.0
"""The one way in to the screen: Textual is asked for by name, and nothing in the environment may change what it does.

``TEXTUAL_LOG`` names a file that every message is written to, ``TEXTUAL=devtools`` opens a connection that sends them
away, ``TEXTUAL_SCREENSHOT`` saves what is on the screen (textual/constants.py, textual/features.py). A shell's start-up
file with one of these lines, whoever wrote it, would copy evidence out of the vault.
"""

from __future__ import annotations

import importlib.util
import os

from vault.errors import LibraryMissing


def expect_textual() -> None:
    """Forget every setting of Textual's in the environment, before it reads them. Raises LibraryMissing."""
    for name in [name for name in os.environ if name == "TEXTUAL" or name.startswith("TEXTUAL_")]:
        del os.environ[name]
    if importlib.util.find_spec("textual") is None:
        from gettext import gettext as _

        raise LibraryMissing(
            _("the screen needs the library textual, which is not installed"),
            _("install it with: pip install 'sandyk[browse]'"),
            _("every other command works without it"),
        )
