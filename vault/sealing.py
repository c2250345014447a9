# SPDX-License-Identifier: Apache-2.0
"""Writing one sealed file so that, at any instant, it is not there or whole and durable."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from keys.age import Sink
from vault.appending import Appender
from vault.disk import NAMED_WHILE_OPEN, TEMPORARY_SUFFIX, Disk
from vault.errors import AlreadyThere, DiskFailed
from vault.names import printable

T = TypeVar("T")


def write_sealed(path: str, fill: Callable[[Sink], T], *, disk: Disk, force: bool = False) -> T:
    """Call ``fill`` with a sink, then sync and publish the file at ``path``; what ``fill`` returned.

    Whatever ``fill`` raises leaves nothing behind. Raises AlreadyThere unless ``force``, DiskFailed.
    """
    if not force and os.path.lexists(path):
        raise _already_there(path)
    publish = disk.publish if force else disk.publish_new
    temporary = f"{path}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
    try:
        fd = disk.create(temporary)
        try:
            try:
                sink = Appender(disk, fd, temporary)
                result = fill(sink)
                sink.finish()
                disk.sync(fd, temporary)
                if NAMED_WHILE_OPEN:
                    publish(temporary, path)
            finally:
                os.close(fd)
            if not NAMED_WHILE_OPEN:
                publish(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except FileExistsError as exc:
        raise _already_there(path) from exc
    except OSError as exc:
        raise DiskFailed(
            f"{printable(path)} cannot be written: {(exc.strerror or str(exc)).lower()}",
            "nothing was left behind that looks like a whole file",
        ) from exc
    return result


def write_new(path: str, content: bytes, *, disk: Disk) -> None:
    """A small file, whole and durable or not there. Raises AlreadyThere, DiskFailed."""
    write_sealed(path, lambda sink: sink.write(content), disk=disk)


def _already_there(path: str) -> AlreadyThere:
    return AlreadyThere(f"{printable(path)} is there already", "another name, or --force to overwrite it")
