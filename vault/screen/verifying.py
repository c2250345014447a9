# SPDX-License-Identifier: Apache-2.0
"""Reading a case back from the screen: what `sandyk verify` does, and its result in a window."""

from __future__ import annotations

from gettext import gettext as _

from vault.cases import Case, open_store
from vault.errors import VaultError
from vault.names import printable
from vault.screen.desk import Desk
from vault.screen.jobs import Job
from vault.terminal import size_text
from vault.text_checking import trouble_with_texts
from vault.verifying import Verdict, verify

SHOWN = 20
"""Findings named in the window; the command names all."""


def verify_case(desk: Desk, case: Case) -> None:
    """Read all of a case back, and tell what was found."""

    def act(job: Job) -> tuple[Verdict, VaultError | None]:
        with open_store(desk.vault, case, remark=False) as store:
            verdict = verify(store, progress=job.advance)
            return verdict, trouble_with_texts(store, desk.vault.device_secret)

    desk.work(_("Reading everything back"), act, lambda done: desk.tell(_heading(case, done[0]), _lines(*done)))


def _heading(case: Case, verdict: Verdict) -> str:
    name = printable(case.name)
    return _("{case}: whole").format(case=name) if verdict.whole else _("{case}: DAMAGED").format(case=name)


def _lines(verdict: Verdict, texts: VaultError | None) -> list[str]:
    read = _("{items} document(s), {size}, {packs} pack(s) were read back and compared with what was filed.")
    lines = [read.format(items=verdict.items, size=size_text(verdict.size), packs=verdict.packs)]
    found = [f"{finding.about} {finding.what}" for finding in verdict.findings]
    found += [f"{printable(one.item.name)}: {one.reason}" for one in verdict.damaged]
    lines += [printable(line) for line in found[:SHOWN]]
    if texts is not None:
        lines += [printable(line) for line in (str(texts), *texts.hints)]
    if not verdict.whole:
        lines.append(_("All of it, and what to do: sandyk verify"))
    return lines
