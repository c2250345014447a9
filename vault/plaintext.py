# SPDX-License-Identifier: Apache-2.0
"""The plaintext of a sealed file as a stream, and the door at which age's errors become ours.

In one go, or, for a file on a disk, with parts left out: whoever has a document already need not decrypt it again.
What is left out is not authenticated, so only the digest that the sender signed may vouch for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from gettext import gettext as _

from keys import age
from keys.errors import Damaged as DamagedAge
from keys.errors import MalformedAge
from vault.errors import DamagedBundle
from vault.tar import Source

WINDOW = 1 << 20
"""Bytes decrypted at once where parts may be left out: small documents lie close together."""


class DamagedSeal(DamagedBundle):
    """Raised when the encryption itself shows that bytes were changed or cut off."""


class Plaintext:
    """From beginning to end. NoMatch passes: the caller has other keys to try."""

    def __init__(self, source: Source, identities: Sequence[age.Identity], workers: int) -> None:
        """Raises DamagedSeal, NoMatch."""
        try:
            self._opener = age.Opener(source, identities, workers=workers)
        except (MalformedAge, DamagedAge) as exc:
            raise _damaged_start() from exc

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none only at the authenticated end. Raises DamagedSeal."""
        try:
            return self._opener.read(size)
        except (MalformedAge, DamagedAge) as exc:
            raise _damaged() from exc


class SkippingPlaintext:
    """The same of a binary file that can be read at any place, with ``skip``."""

    def __init__(self, source: age.RandomAccess, identities: Sequence[age.Identity]) -> None:
        """Raises DamagedSeal, also for an armored file, and NoMatch."""
        try:
            self._opener = age.SeekableOpener(source, identities)
        except (MalformedAge, DamagedAge) as exc:
            raise _damaged_start() from exc
        self._window = b""
        self._start = self._position = 0

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none only at the end. Raises DamagedSeal."""
        if not self._start <= self._position < self._start + len(self._window):
            self._start = self._position
            try:
                self._window = self._opener.read_at(self._position, WINDOW)
            except DamagedAge as exc:
                raise _damaged() from exc
        offset = self._position - self._start
        data = self._window[offset : offset + size]
        self._position += len(data)
        return data

    def skip(self, size: int) -> None:
        """Leave out ``size`` bytes."""
        self._position += size


def again_hint() -> str:
    """What to do about a sealed file that does not open whole."""
    return _("copy it once more from where you had it from, or ask the sender to send it again")


def _damaged_start() -> DamagedSeal:
    return DamagedSeal(_("the sealed file is damaged, or is no age file"), again_hint())


def _damaged() -> DamagedSeal:
    return DamagedSeal(_("the sealed file was changed or cut off"), again_hint())
