# SPDX-License-Identifier: Apache-2.0
"""The door to zfec, which comes with the extra ``sandyk[repair]``: docs/format-bundle.md §10.2.

A systematic Reed-Solomon code over GF(2^8): any N of N + K blocks give back the N. It works byte by byte, so a long
body can be taken in stripes of any length. Knows nothing of files; its caller has authenticated every block. Why zfec
is an extra: docs/decisions/0035-parts.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from gettext import gettext as _
from typing import Protocol, cast

from vault.errors import LibraryMissing


class _Encoder(Protocol):
    def encode(self, blocks: Sequence[bytes], numbers: Sequence[int], /) -> list[bytes]: ...


class _Decoder(Protocol):
    def decode(self, blocks: Sequence[bytes], numbers: Sequence[int], /) -> list[bytes]: ...


class Repair:
    """The code for ``data`` blocks and ``repair`` more. Blocks are numbered from 1, data blocks first."""

    def __init__(self, data: int, repair: int) -> None:
        """Raises LibraryMissing."""
        try:
            import zfec  # type: ignore[import-untyped,import-not-found,unused-ignore]
        except ImportError as exc:
            raise LibraryMissing(
                _("repair parts need the library zfec, which is not installed"),
                _("install it with: pip install 'sandyk[repair]'"),
                _("without it a bundle opens when all {data} data part(s) are there").format(data=data),
            ) from exc
        self._data = data
        self._encoder = cast(_Encoder, zfec.Encoder(data, data + repair))
        self._decoder = cast(_Decoder, zfec.Decoder(data, data + repair))

    def encode(self, blocks: Sequence[bytes], wanted: Sequence[int]) -> list[bytes]:
        """The repair blocks of these numbers, from all data blocks, which are of one length."""
        return self._encoder.encode(tuple(blocks), tuple(number - 1 for number in wanted))

    def decode(self, blocks: Mapping[int, bytes]) -> list[bytes]:
        """All data blocks, from as many blocks, by their numbers."""
        # zfec moves data blocks to their places inside of the sequences it is given, tuples too: so these are
        # made for this one call, and every data block stands where it would move it.
        spare = sorted(number for number in blocks if number > self._data)
        order = [number if number in blocks else spare.pop() for number in range(1, self._data + 1)]
        return self._decoder.decode([blocks[number] for number in order], [number - 1 for number in order])
