# SPDX-License-Identifier: Apache-2.0
"""Lines that go straight out, past what Python keeps back: for the way in and for the emergency wipe.

Any script gets through: what cannot be said in UTF-8 is escaped. Somebody who does not listen stops nothing. Standard
library only. On Windows a console takes bytes for letters of the code page that it is set to, and only Python's own
stream knows how to hand it UTF-8 (PEP 528); everywhere else the descriptor is as good, and needs no stream.
"""

from __future__ import annotations

import os
import sys

OUT, ERR = 1, 2


def put(fd: int, text: str) -> None:
    """Write text to standard output or standard error, now. Raises nothing."""
    data = text.encode("utf-8", "backslashreplace")
    stream = (sys.stdout if fd == OUT else sys.stderr) if os.name == "nt" else None
    try:
        if stream is not None:
            stream.flush()
            stream.buffer.write(data)
            stream.buffer.flush()
            return
        while data:
            data = data[os.write(fd, data) :]
    except (OSError, ValueError, AttributeError):  # closed, or put in another's place
        return
