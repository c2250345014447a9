# SPDX-License-Identifier: Apache-2.0
"""The packs of a case as they lie on the disk: which there are, and reading from them.

Keeps a few of them open. Knows nothing of chains or of who may file: ``vault.store`` asks, and judges.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from gettext import gettext as _

from keys import age
from vault.blocks import Table
from vault.errors import DamagedPack
from vault.index import Index
from vault.model import PackId
from vault.pack import PackReader, pack_name, table_of, unreadable
from vault.unpacking import Unpacker

OPEN_READERS = 16
"""How many packs are kept open for reading at a time."""


class PackFolder:
    """One case's folder of packs. May be used from several threads."""

    def __init__(
        self, path: str, id_key: bytes, *, index: Callable[[], Index], alive: Callable[[], None]
    ) -> None:
        """``index`` gives the index that is open now; ``alive`` raises Wiped when the vault is gone."""
        self.path = path
        self.identities: Sequence[age.Identity] = ()
        """What opens the packs, the newest epoch's first."""
        self._id_key, self._index, self._alive = id_key, index, alive
        self._readers: OrderedDict[PackId, tuple[PackReader, Table]] = OrderedDict()
        self._lock = threading.Lock()
        self._unpackers = threading.local()

    def path_of(self, pack: PackId) -> str:
        """Where a pack's file lies."""
        return os.path.join(self.path, pack_name(pack))

    def on_disk(self) -> set[PackId]:
        """The packs that there are."""
        names = set()
        with os.scandir(self.path) as entries:
            for entry in entries:
                stem = entry.name.removesuffix(".age")
                if len(stem) == 32 and entry.name.endswith(".age"):
                    with suppress(ValueError):
                        names.add(PackId(bytes.fromhex(stem)))
        return names

    def open(self, pack: PackId, name: str | None = None) -> PackReader:
        """A reader for one pack, which the caller closes. Raises DamagedPack when it is gone, and Wiped.

        ``name`` is the path from this folder, of a file that does not bear the pack's name.

        A wipe that leaves the packs in place (``panic --keep``) ends here what another process is copying out.
        """
        self._alive()
        try:
            return PackReader(self.path, pack, self.identities, name=name)
        except FileNotFoundError as exc:
            self._alive()
            if pack in self._index().replaced_ids():
                raise DamagedPack(
                    _("pack {pack} was written anew").format(pack=pack.hex()[:8]),
                    _(
                        "run the command again; if it says the same, somebody removed a document that has these "
                        "bytes: another copy of the vault may still have them"
                    ),
                ) from exc
            raise DamagedPack(_("pack {pack} is missing").format(pack=pack.hex()[:8])) from exc
        except OSError as exc:
            raise unreadable(pack, exc) from exc

    def kept(self, pack: PackId) -> tuple[PackReader, Table]:
        """A reader that stays open for a while, and the pack's table of chunks. Raises DamagedPack, Wiped."""
        with self._lock:
            if pack in self._readers:
                self._readers.move_to_end(pack)
                return self._readers[pack]
            self._readers[pack] = self.open(pack), table_of(self._index().chunks_of(pack))
            while len(self._readers) > OPEN_READERS:
                self._readers.popitem(last=False)
            return self._readers[pack]

    def unpacker(self) -> Unpacker:
        """The calling thread's own."""
        if not hasattr(self._unpackers, "own"):
            self._unpackers.own = Unpacker(self.kept, self._id_key)
        own: Unpacker = self._unpackers.own
        return own

    def forget_readers(self) -> None:
        """Keep no pack open: one that was removed meanwhile is missing from now on."""
        with self._lock:
            self._readers.clear()
            self._unpackers = threading.local()

    def forget_cached(self) -> None:
        """Ask the system to drop the packs from its cache, so that reading them back reads the medium. Best effort."""
        self.forget_readers()
        if not hasattr(os, "posix_fadvise"):
            return
        for pack in self.on_disk():
            with suppress(OSError):
                fd = os.open(self.path_of(pack), os.O_RDONLY)
                try:
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                finally:
                    os.close(fd)
