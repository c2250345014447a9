# SPDX-License-Identifier: Apache-2.0
"""What every part of the screen shares: the open vault, the work under way, and how its end is told."""

from __future__ import annotations

from collections.abc import Callable
from gettext import gettext as _
from typing import Any, TypeVar

from textual.app import App

from keys.errors import KeysError
from vault.errors import VaultError, Wiped
from vault.names import printable
from vault.screen.dialogs import Told, Working, problem
from vault.screen.jobs import Job, Jobs
from vault.screen.shelf import Shelf
from vault.vaults import Vault

_T = TypeVar("_T")


class Desk:
    """One person at work. ``gone`` is called when the vault turns out to be wiped."""

    def __init__(self, app: App[Any], gone: Callable[[], None]) -> None:
        self._app, self._gone = app, gone
        self.jobs = Jobs(app.post_message)
        self._working: dict[Job, Working] = {}
        self._told = 0
        self._shelf: Shelf | None = None

    @property
    def shelf(self) -> Shelf:
        """What can be looked at, once the vault is open."""
        assert self._shelf is not None
        return self._shelf

    @property
    def vault(self) -> Vault:
        """The open vault."""
        return self.shelf.vault

    @property
    def is_open(self) -> bool:
        """Whether the vault was opened."""
        return self._shelf is not None

    def begin(self, vault: Vault) -> None:
        """The vault is open."""
        self._shelf = Shelf(vault)

    def close(self, seconds: float) -> None:
        """Stop what is under way, wait for it so long, close the stores and zero the keys."""
        self.jobs.end_all(seconds)
        if self._shelf is not None:
            self._shelf.vault.close()
            if not any(job.thread.is_alive() for job in self.jobs.running):  # else one of them has the stores in hand
                self._shelf.close()

    def look(self, act: Callable[[Shelf], _T], then: Callable[[_T], None]) -> None:
        """Read something, without a word about it, and show it."""
        self.jobs.start(lambda _job: act(self.shelf), then)

    def work(self, heading: str, act: Callable[[Job], _T], then: Callable[[_T], None]) -> None:
        """Do something that one waits for, and show how far it is."""
        job = self.jobs.start(act, then, shown=True)
        self._working[job] = working = Working(heading, job)
        self._app.push_screen(working)

    def ended(self, job: Job) -> None:
        """Show what came of a job."""
        self.jobs.finished(job)
        working = self._working.pop(job, None)
        if working is not None:
            working.dismiss()
        if job.error is None:
            job.then(job.result)
        else:
            self._failed(job.error)
        self._tell_notices()

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.tell(_("Stopped."), self._news() or [_("What was finished before is kept; the rest was not done.")])
        elif isinstance(error, Wiped) or (isinstance(error, VaultError | OSError) and self._was_wiped()):
            self._gone()
        elif isinstance(error, VaultError | KeysError | OSError):
            self._app.push_screen(problem(error))
        else:
            raise error

    def _was_wiped(self) -> bool:
        if self._shelf is None:
            return False
        try:
            self._shelf.vault.check_alive()
        except Wiped:
            return True
        return False

    def _tell_notices(self) -> None:
        if news := self._news():
            self.tell(_("Please read this"), news)

    def _news(self) -> list[str]:
        """What the vault has noticed since this was asked last."""
        if self._shelf is None:
            return []
        news = self._shelf.vault.notices[self._told :]
        self._told += len(news)
        return [line if line.isprintable() else printable(line) for line in news]

    def tell(self, heading: str, lines: list[str]) -> None:
        """Something to read."""
        self._app.push_screen(Told(heading, lines))
