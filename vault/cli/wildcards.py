# SPDX-License-Identifier: Apache-2.0
"""Files that were named by ``*`` and ``?``: shells of Windows leave that to the program.

Elsewhere the shell has done it, and such a letter that is left belongs to a name. Only arguments that name files go
through here: in a search or a note a ``*`` is what was typed.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable


def expanded(paths: Iterable[str]) -> list[str]:
    """On Windows each path with such letters becomes the paths that it fits, in order; itself if there is none."""
    return [one for path in paths for one in (_fitting(path) or [path])]


def _fitting(path: str) -> list[str]:
    if os.name != "nt" or not set(path) & set("*?"):
        return []
    return sorted(glob.glob(path.replace("[", "[[]"), include_hidden=True))  # a bracket is part of many names
