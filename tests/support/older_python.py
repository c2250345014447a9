# SPDX-License-Identifier: Apache-2.0
"""A job of a confined child in a Python that was built for a kernel before 5.3, as some that are handed on are."""

from __future__ import annotations

import os

vars(os).pop("pidfd_open", None)


def echo(untrusted: bytes, _argument: bytes) -> bytes:
    return untrusted
