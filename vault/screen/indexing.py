# SPDX-License-Identifier: Apache-2.0
"""Reading the documents of a case for searches, from the screen: what `sandyk index` does, and what came of it."""

from __future__ import annotations

from gettext import gettext as _

from vault import overheard
from vault.cases import Case, open_store
from vault.errors import NotAllowed
from vault.extracting.answer import EMPTY, READ, WAITING
from vault.extracting.ocr import installed
from vault.extracting.reader import Reader
from vault.indexing import Indexed, index_case
from vault.names import printable
from vault.screen.desk import Desk
from vault.screen.jobs import Job

SHOWN = 20
"""Documents that were not read, named in the window; the command names all."""


def index_documents(desk: Desk, case: Case) -> None:
    """Read what was not read yet, and tell what came of it."""

    def act(job: Job) -> Indexed:
        with open_store(desk.vault, case) as store:
            if not store.writes:
                raise NotAllowed(_("this medium cannot be written"), _("search finds what was read before"))
            ocr = installed()
            return index_case(desk.vault, case, store, lambda: Reader(ocr), progress=job.advance)

    desk.work(_("Reading documents for searches"), act, lambda done: desk.tell(printable(case.name), _lines(done)))


def _lines(done: Indexed) -> list[str]:
    lines = [_("{count} document(s) read; a search finds what is in them.").format(count=done.states[READ])]
    if count := done.states[EMPTY]:
        lines.append(_("{count} document(s) hold no text").format(count=count))
    if count := done.states[WAITING]:
        lines.append(_("{count} document(s) show pictures that only tesseract can read").format(count=count))
    for problem in done.problems[:SHOWN]:
        name, reason = printable(problem.name), printable(overheard.reason(problem.reason))
        lines.append(_("not read: {name}: {reason}").format(name=name, reason=reason))
    if len(done.problems) > SHOWN:
        lines.append(_("and {count} more that were not read").format(count=len(done.problems) - SHOWN))
    return lines
