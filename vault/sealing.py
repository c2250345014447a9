# SPDX-License-Identifier: Apache-2.0
"""Writing one sealed file so that, at any instant, it is not there or whole and durable."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from gettext import gettext as _
from typing import TypeVar

from keys.age import Sink
from vault.appending import Appender
from vault.disk import NAMED_WHILE_OPEN, TEMPORARY_SUFFIX, Disk
from vault.errors import AlreadyThere, DiskFailed
from vault.interrupts import undisturbed
from vault.lanes import Lane
from vault.names import printable
from vault.refusals import refusal

T = TypeVar("T")

_LEFT = re.compile(r"(?P<name>.+)-[0-9a-f]{8}" + re.escape(TEMPORARY_SUFFIX), re.DOTALL)
_GIVEN = re.compile(r"[0-9a-f]{8}\.(age|zip)", re.ASCII)
"""A name that this program gave: another each time, so what a killed run left has another one than the next run's."""


def write_sealed(
    path: str, fill: Callable[[Sink], T], *, disk: Disk, force: bool | None = None,
    when_whole: Callable[[int], object] = lambda size: None,
) -> T:  # fmt: skip
    """Call ``fill`` with a sink, then sync and publish the file at ``path``; what ``fill`` returned.

    ``when_whole`` is told the file's bytes when it is whole and durable, and has no name yet. Whatever ``fill`` or
    ``when_whole`` raises leaves nothing behind; what a run that was killed left is removed by the next that writes
    a file of the same name there. Raises AlreadyThere unless ``force``, which is None where nobody can ask for it, and
    DiskFailed.
    """
    if not force and os.path.lexists(path):
        raise _already_there(path, force)
    with suppress(OSError):
        disk.sweep(os.path.dirname(path) or ".", lambda name: _was_to_become(os.path.basename(path), name))
    publish = disk.publish if force else disk.publish_new
    temporary = f"{path}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
    whole: os.stat_result | None = None
    try:
        fd = disk.create(temporary)
        try:
            try:
                with Lane("sealed-write") as lane:  # which ends before the file is closed
                    sink = Appender(disk, fd, temporary, lane=lane)
                    result = fill(sink)
                    sink.finish()
                disk.sync(fd, temporary)
                whole = os.fstat(fd)
                when_whole(whole.st_size)
                if NAMED_WHILE_OPEN:
                    publish(temporary, path)
            finally:
                os.close(fd)
            if not NAMED_WHILE_OPEN:
                publish(temporary, path)
        except BaseException:
            with undisturbed(), suppress(OSError):
                os.unlink(temporary)
            raise
    except FileExistsError as exc:
        raise _already_there(path, force) from exc
    except OSError as exc:
        raise DiskFailed(
            _("{path} cannot be written: {reason}").format(
                path=printable(path), reason=refusal(exc).lower()
            ),
            _("it is there, and whole, but may be gone after a power cut: look, and write it again if so")
            if whole is not None and _is_at(path, whole)
            else _("nothing was left behind that looks like a whole file"),
        ) from exc
    return result


def _is_at(path: str, file: os.stat_result) -> bool:
    """Whether the file has got this name: the last step can fail behind that."""
    with suppress(OSError):
        return os.path.samestat(os.lstat(path), file)
    return False


def _was_to_become(wanted: str, name: str) -> bool:
    left = _LEFT.fullmatch(name)
    if left is None:
        return False
    return left["name"] == wanted or bool(_GIVEN.fullmatch(left["name"]) and _GIVEN.fullmatch(wanted))


def write_new(path: str, content: bytes, *, disk: Disk) -> None:
    """A small file, whole and durable or not there. Raises AlreadyThere, DiskFailed."""
    write_sealed(path, lambda sink: sink.write(content), disk=disk)


def _already_there(path: str, force: bool | None) -> AlreadyThere:
    hint = _("another name") if force is None else _("another name, or --force to overwrite it")
    return AlreadyThere(_("{path} is there already").format(path=printable(path)), hint)
