# SPDX-License-Identifier: Apache-2.0
"""How large a file a carrier takes: what ``--volume-size`` may say. Sources are in docs/format-bundle.md §10.5."""

from __future__ import annotations

import re
from gettext import gettext as _

from vault.errors import BadInput
from vault.names import printable

CARRIERS = {
    "mail": 18_000_000,
    "signal": 100_000_000,
    "telegram": 2_000_000_000,
}
"""Bytes of the file itself, before the carrier's own wrapping."""

_SIZE = re.compile(r"(?P<number>[0-9]{1,12})(?P<unit>[KMG]?)(?P<kind>I?B)?", re.ASCII)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3}


def file_size(text: str) -> int:
    """Bytes, from ``20M``, ``20MB`` (powers of 1000), ``20MiB`` (of 1024), or a carrier's name. Raises BadInput.

    Without an ``i`` the smaller meaning is taken, because a file that is too large does not arrive.
    """
    if text.lower() in CARRIERS:
        return CARRIERS[text.lower()]
    match = _SIZE.fullmatch(text.upper())
    if match is None or (match["kind"] == "IB" and not match["unit"]):
        raise BadInput(
            _("{text} is no size").format(text=printable(text[:40])),
            _("say for example 20M, 100MB, or one of: {carriers}").format(carriers=", ".join(CARRIERS)),
        )
    base = 1024 if match["kind"] == "IB" else 1000
    return int(match["number"]) * int(base ** _POWERS[match["unit"]])
