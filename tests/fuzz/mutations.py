# SPDX-License-Identifier: Apache-2.0
"""Inputs for a short run: seeds that are changed in the ways in which formats break, the same ones each time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

_TOKENS = (
    *(b"", b"\0", b"\xff", b"\n", b"\r\n", b" ", b"/", b"..", b"=", b"-", b"%", b'"', b"\\", b":", b"{", b"[", b"null"),
    *(b"0", b"-1", b"1e9", b"18446744073709551616", b"9" * 40, b"\xff" * 4, b"\x7f" + b"\xff" * 7),
    *(b"\xe2\x80\xae", b"\xed\xa0\x80", b"\xef\xbb\xbf", "ү".encode(), b"\xd9\xa0", b"-> X25519 a\n", b"--- "),
)


def inputs(seeds: Sequence[bytes], seed: str, count: int) -> Iterator[bytes]:
    """Each seed as it is, then ``count`` inputs made of them."""
    yield from seeds
    chance = random.Random(seed)
    for _ in range(count):
        data = chance.choice(seeds)
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            data = _mutated(data, chance, seeds)
        yield data


def _mutated(data: bytes, chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    at, end = sorted((chance.randint(0, len(data)), chance.randint(0, len(data))))
    near = data[at : at + chance.choice((1, 2, 4, 8, 64))]
    match chance.randrange(8):
        case 0:  # a bit
            return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :] if at < len(data) else data
        case 1:  # some other bytes
            return data[:at] + chance.randbytes(len(near)) + data[at + len(near) :]
        case 2:  # a token put in
            return data[:at] + chance.choice(_TOKENS) + data[at:]
        case 3:  # a token in another's place
            return data[:at] + chance.choice(_TOKENS) + data[at + len(near) :]
        case 4:  # cut out
            return data[:at] + data[end:]
        case 5:  # twice, or many times
            return data[:end] + data[at:end] * chance.choice((1, 1, 2, 50)) + data[end:] if end - at < 2000 else data
        case 6:  # cut off
            return data[:at]
        case _:  # the rest of another one
            other = chance.choice(seeds)
            return data[:at] + other[chance.randint(0, len(other)) :]
