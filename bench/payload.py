# SPDX-License-Identifier: Apache-2.0
"""Seals standard input to standard output with ``keys.age``, or opens it: to set beside the ``age`` program.

    python -m bench.payload seal RECIPIENT WORKERS     python -m bench.payload open IDENTITY-FILE WORKERS
"""

from __future__ import annotations

import io
import sys

from keys import age

_PIECE = 4 << 20


def main() -> None:
    """Do what ``sys.argv`` says."""
    action, key, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    source, sink = io.FileIO(0, closefd=False), io.FileIO(1, "wb", closefd=False)
    buffer = bytearray(_PIECE)
    view = memoryview(buffer)
    if action == "seal":
        sealer = age.Sealer(sink, [age.parse_recipient(key)], workers=workers)
        while size := source.readinto(buffer):
            sealer.write(view[:size])
        sealer.finish()
        return
    with open(key, "rb") as f:
        identities = age.parse_identity_file(f.read())
    opener = age.Opener(source, identities, workers=workers)
    while size := opener.readinto(buffer):
        sink.write(view[:size])


if __name__ == "__main__":
    main()
