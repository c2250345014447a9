# SPDX-License-Identifier: Apache-2.0
"""Shares of a key as a holder who lies reads them out: whole by themselves, and made by nobody's split."""

from __future__ import annotations

from keys.shares import Share, parse_share


def forged(share: Share, value: bytes = bytes(32), as_in: Share | None = None) -> Share:
    """A whole share of the same split and number, with another value; or with its own, as one of another split."""
    from shamir_mnemonic.share import Share as Slip39Share

    parsed = Slip39Share.from_mnemonic(share.words.expose().decode("ascii"))
    other = Slip39Share(
        as_in.identifier if as_in else parsed.identifier, parsed.extendable, parsed.iteration_exponent, 0, 1, 1,
        parsed.index, parsed.member_threshold, parsed.value if as_in else value,
    )  # fmt: skip
    return parse_share(other.mnemonic())
