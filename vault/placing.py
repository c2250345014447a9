# SPDX-License-Identifier: Apache-2.0
"""The documents of a bundle on their way into a folder that is being filled.

Owns who does what at once: whoever calls unseals and takes the tar apart, one thread computes digests and another
writes; of documents that are not long, many in one job. One writes: two threads that make files in one folder wait for
each other, and used more processor time than one. Keeps the rule that a file which stays in the folder was verified:
a document that is not long before it is written, a long one before the next thing is done, and either is removed when
anything goes wrong on its way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from vault.appending import Appender
from vault.bundle_items import SealedItem
from vault.bundle_reader import WHOLE, Document, TarBundleReader, check_whole
from vault.disk import Disk
from vault.holes import HoleWriter, PlainFile
from vault.lanes import Lane
from vault.partial import PartialFolder

PIECE = 1 << 20
TOGETHER_DOCUMENTS = 64
TOGETHER_BYTES = 2 << 20
WORTH_BEGINNING = 1 << 20
"""Bytes of a file that is handed to the medium at once: with a shorter one, that takes longer than making it."""

Progress = Callable[[int, int], None]


def place_documents(reader: TarBundleReader, out: PartialFolder, progress: Progress) -> int:
    """Bring every document into the folder, from the bundle or from what an earlier run left of it.

    Returns how many were left by an earlier run. Raises DamagedBundle, OSError, and what ``reader`` raises; then no
    thread is at work any more, and each document in the folder is whole.
    """
    kept = 0
    with Lane("bundle-place") as placing, Lane("bundle-check") as checking:
        little = _Little(out, checking, placing, progress)
        for item, document in reader.payload():
            path = f"{out.root}/{item.path}"
            if out.take(path, item.size, item.sha256, lambda size: progress(0, size)):
                document.pass_over()
                kept += 1
                _date(out.path(path), item)
            elif item.size <= WHOLE:
                little.add(item, document.untrusted_whole())
                continue
            else:
                little.finish()
                _stream(out, path, item, document, progress)
            out.holds_documents = True
            progress(1, 0)
        little.finish()
    return kept


class _Little:
    """Documents that go to the threads together: handing over one by one would cost as much as writing them."""

    def __init__(self, out: PartialFolder, checking: Lane, placing: Lane, progress: Progress) -> None:
        self._out, self._checking, self._placing, self._progress = out, checking, placing, progress
        self._batch: list[tuple[SealedItem, bytes]] = []
        self._size = 0

    def add(self, item: SealedItem, untrusted: bytes) -> None:
        """Take a document, whose digest was not compared yet."""
        self._batch.append((item, untrusted))
        self._size += len(untrusted)
        if len(self._batch) >= TOGETHER_DOCUMENTS or self._size >= TOGETHER_BYTES:
            self._hand_over()

    def finish(self) -> None:
        """Return when all are verified and in the folder."""
        self._hand_over()
        self._checking.wait()
        self._placing.wait()

    def _hand_over(self) -> None:
        if self._batch:
            self._checking.do(partial(self._check, self._batch))
            self._batch, self._size = [], 0

    def _check(self, batch: list[tuple[SealedItem, bytes]]) -> None:
        for item, untrusted in batch:
            check_whole(item, untrusted)
            # Here, since making a folder takes as long as making the file in it, and neither waits for the other.
            self._out.make_folder_of(f"{self._out.root}/{item.path}")
        self._placing.do(partial(_place, self._out, batch, self._progress))


def _place(out: PartialFolder, batch: list[tuple[SealedItem, bytes]], progress: Progress) -> None:
    for item, content in batch:
        path = f"{out.root}/{item.path}"
        try:
            _write(out.new_file(path), content)
        except BaseException:
            _remove(out.path(path))
            raise
        _date(out.path(path), item)
        out.holds_documents = True
    progress(len(batch), sum(len(content) for _, content in batch))


def _write(fd: int, content: bytes) -> None:
    try:
        writer = HoleWriter(PlainFile(fd))
        writer.write(content)
        writer.finish()
        if len(content) >= WORTH_BEGINNING:
            _begin_sync(fd)
    finally:
        os.close(fd)


def _begin_sync(fd: int) -> None:
    """Have the system begin to write a file to its medium, and do not wait: the sync at the end has less left to do.

    POSIX_FADV_DONTNEED is for bytes that are not read again; Linux begins to write those that are not written yet
    (posix_fadvise(2)). Elsewhere it does what that system takes it to mean, or nothing.
    """
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def _stream(out: PartialFolder, path: str, item: SealedItem, document: Document, progress: Progress) -> None:
    try:
        # The lane ends before the file is closed: a write that waits must not go to whatever has the number next.
        with out.create(path) as f, Lane("bundle-write") as lane:
            file = Appender(Disk(), f.fileno(), path)
            writer = HoleWriter(file)
            while piece := document.read(PIECE):
                lane.do(partial(writer.write, piece))
                progress(0, len(piece))
            lane.wait()
            writer.finish()
            file.finish()
    except BaseException:
        _remove(out.path(path))
        raise
    _date(out.path(path), item)


def _date(path: str, item: SealedItem) -> None:
    if item.mtime_ns is not None:
        with suppress(OSError, OverflowError):
            os.utime(path, ns=(item.mtime_ns, item.mtime_ns))


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
