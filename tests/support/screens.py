# SPDX-License-Identifier: Apache-2.0
"""Somebody at the screen: real vaults, Textual's own pilot, and waiting for what is under way instead of sleeping."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widget import Widget

from tests.support.newsroom import unlock
from vault.screen.app import Browse, Way
from vault.screen.documents import Documents
from vault.screen.leaving import Ending
from vault.vaults import Vault

Act = Callable[["Seat"], Awaitable[None]]


class Seat:
    """A screen, and hands that press its keys."""

    def __init__(self, app: Browse, pilot: Pilot[Ending | None]) -> None:
        self.app, self.pilot = app, pilot

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, and wait until everything that they began has come to its end."""
        await self.pilot.press(*keys)
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing is under way but the look at the keyring, and what came of it is drawn or kept."""
        quiet = 0
        while quiet < 3:
            await self.pilot.pause()
            waiting = [job for job in self.app.desk.jobs.running if not job.behind and job not in self.app._kept]
            quiet = 0 if waiting else quiet + 1

    async def click(self, selector: str | type[Widget], **more: Any) -> None:
        """Click somewhere, and wait."""
        await self.pilot.click(selector, **more)
        await self.settle()

    async def click_on(self, words: str) -> None:
        """Click where these words are last to be seen, as somebody with a mouse does, and wait."""
        lines = self.text.splitlines()
        y = max(y for y, line in enumerate(lines) if words in line)
        x = cell_len(lines[y][: lines[y].rindex(words)])
        assert await self.pilot.click(offset=(x, y))
        await self.settle()

    @property
    def text(self) -> str:
        """What is to be seen, line by line."""
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())

    @property
    def names(self) -> list[str]:
        """The names in the list, as far as they were read."""
        documents = self.app.screen.query_one(Documents)
        items = [documents._item(row) for row in range(len(documents.rows))]
        return [item.name.decode() for item in items if item is not None]


def sit(folder: str, act: Act, *, size: tuple[int, int] = (80, 24), opened: Vault | None = None, **more: Any) -> Ending:
    """Open the screen over a vault, do something at it, and leave; how it ended."""

    async def session() -> Ending:
        way = Way(folder, lambda secret: unlock(folder, secret.expose().decode()), opened=opened, **more)
        app = Browse(way)
        try:
            async with app.run_test(size=size, notifications=True) as pilot:
                seat = Seat(app, pilot)
                await seat.settle()
                await act(seat)
        finally:
            app.desk.close(10)
        return app.ending

    return _with_signals_put_back(session())


def _with_signals_put_back(session: Coroutine[Any, Any, Ending]) -> Ending:
    with signals_put_back():
        return asyncio.run(session)


@contextmanager
def signals_put_back() -> Iterator[None]:
    """A wipe ignores Ctrl-C from then on: right for a process that ends, and not for that of the tests."""
    numbers = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
