# SPDX-License-Identifier: Apache-2.0
"""Where the texts of a case lie, under which key, and how they are kept in step with what the case lists.

A document that was removed has no text either: whoever opens the case next takes it out, if the one who removed it did
not come to it, or was somebody else. What a file under the key of an older epoch holds is encrypted again on the way.
"""

from __future__ import annotations

import os
from contextlib import suppress
from gettext import gettext as _

from keys import kdf
from keys.secret import Secret
from vault import layout
from vault.errors import Busy, DiskFailed, NewerFormat
from vault.names import printable
from vault.refusals import refusal
from vault.sqlcipher import is_no_file
from vault.store import CaseStore
from vault.texts import Texts, TextsUnusable

_IN_STEP = "replaced packs"
"""The word under which is kept how many replaced packs were known when texts and index were last in step: documents go
only when packs that list them are replaced."""


def texts_of(store: CaseStore, device_secret: Secret, *, create: bool = False) -> Texts | None:
    """The texts of a case; None when nothing was read in it yet, unless they are to be made. The caller closes them.

    Raises TextsUnusable, NewerFormat, Busy, DiskFailed, Wiped.
    """
    if not os.path.lexists(_path(store)) and not create:
        return None
    store.check_alive()
    keys = [kdf.text_key(device_secret, epoch) for epoch in reversed(store.keys.epochs)]
    return Texts(_path(store), keys, writes=store.writes)


def bring_into_step(store: CaseStore, device_secret: Secret) -> None:
    """Forget the texts of documents that the case does not list any more, and use the current key.

    Best effort: what stands in the way now (another process, a full disk, a damaged file) does not keep anybody from
    opening the case. The next who opens it tries again.
    """
    with suppress(TextsUnusable, NewerFormat, Busy, DiskFailed):
        texts = texts_of(store, device_secret)
        if texts is None:
            return
        with texts:
            replaced = str(len(store.index.replaced_ids()))
            if texts.noted(_IN_STEP) != replaced:
                forget_removed(texts, store)
                texts.note(_IN_STEP, replaced)


def forget_removed(texts: Texts, store: CaseStore) -> int:
    """Forget the texts of all documents that the case does not list. How many there were."""
    return texts.forget(texts.items() - set(store.index.item_ids()))


def remove_texts(store: CaseStore, *, files: bool = True) -> None:
    """Delete what is no file of texts; without ``files`` only links, empty folders and the like in their places.

    Not while a newer epoch is there: then it is not damaged, and it is we who are behind. Raises Busy, Wiped, and
    TextsUnusable for what only a person should remove.
    """
    with store.placing():
        for path in (_path(store) + more for more in layout.BESIDE):
            try:
                if os.path.isdir(path) and not os.path.islink(path):
                    store.disk.remove_folder(path)
                elif files or is_no_file(path):
                    store.disk.unlink(path)
            except FileNotFoundError:
                pass
            except OSError as exc:
                raise TextsUnusable(
                    _("{path} cannot be removed: {reason}").format(path=printable(path), reason=refusal(exc)),
                    _("it lies where the texts of a case belong; documents and their names are safe, and are found"),
                    _("look at it, move it elsewhere, then run `sandyk index` again"),
                ) from exc


def _path(store: CaseStore) -> str:
    return os.path.join(store.folder, layout.TEXT)
