# SPDX-License-Identifier: Apache-2.0
"""The reader page: one HTML file with which a browser opens a bundle, offline (decision 0033).

The file is built from ``reader/`` by `make reader` and shipped; a test builds it again and compares. This module hands
it on. It is no secret, and it must not be exchanged on its way: who gets it compares its SHA-256.
"""

from __future__ import annotations

import hashlib
from gettext import gettext as _
from importlib import resources

from vault.errors import AlreadyThere
from vault.names import printable


def page() -> bytes:
    """The file."""
    return resources.files("vault").joinpath("data", "reader.html").read_bytes()


def digest() -> str:
    """SHA-256 of the file, 64 hex digits."""
    return hashlib.sha256(page()).hexdigest()


def write(path: str) -> None:
    """Write it to a new file. Raises AlreadyThere."""
    try:
        with open(path, "xb") as f:
            f.write(page())
    except FileExistsError as exc:
        raise AlreadyThere(_("{path} is there already").format(path=printable(path)), _("choose another name")) from exc
