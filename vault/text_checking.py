# SPDX-License-Identifier: Apache-2.0
"""Whether the texts of a case are as they should be: each page of their file, and that the case lists their documents.

Says it, and mends nothing: `sandyk index` does. No document is judged by its text (docs/format.md §7.1).
"""

from __future__ import annotations

from gettext import gettext as _

from keys.secret import Secret
from vault import text_files
from vault.errors import Busy, DiskFailed, NewerFormat, VaultError
from vault.store import CaseStore
from vault.texts import TextsUnusable


def trouble_with_texts(store: CaseStore, device_secret: Secret, *, every_page: bool = True) -> VaultError | None:
    """What is wrong with them, with what to do; None when nothing is, or nobody read any document yet.

    Without ``every_page`` only whether they open. Raises Wiped.
    """
    try:
        texts = text_files.texts_of(store, device_secret)
        if texts is None:
            return None
        with texts:
            if not every_page:
                return None
            texts.check()
            strangers = sum(len(page) - len(store.index.ids_among(page)) for page in texts.pages_of_items())
    except (TextsUnusable, NewerFormat, Busy, DiskFailed) as exc:
        return exc
    if not strangers:
        return None
    return TextsUnusable(
        _("{count} of the texts are of documents that the case does not list").format(count=strangers),
        _("`sandyk index` takes them out"),
    )
