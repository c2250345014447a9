# SPDX-License-Identifier: Apache-2.0
"""The reader page: one HTML file with which a browser opens a bundle, offline (decision 0033).

The file is built from ``reader/`` by `make reader` and shipped; a test builds it again and compares. This module hands
it on. It is no secret, and it must not be exchanged on its way: who gets it compares its SHA-256.
"""

from __future__ import annotations

import hashlib
from importlib import resources

from vault.disk import Disk
from vault.sealing import write_new


def page() -> bytes:
    """The file."""
    return resources.files("vault").joinpath("data", "reader.html").read_bytes()


def digest() -> str:
    """SHA-256 of the file, 64 hex digits."""
    return hashlib.sha256(page()).hexdigest()


def write(path: str) -> None:
    """Write it to a new file. Raises AlreadyThere, DiskFailed."""
    write_new(path, page(), disk=Disk())
