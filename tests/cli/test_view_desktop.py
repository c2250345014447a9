# SPDX-License-Identifier: Apache-2.0
"""`view --with` and an ordinary viewer on a desktop: GNOME's, which fills the lists and caches that desktops have."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.commands import Desk
from tests.support.display import Desktop, desktop
from tests.support.newsroom import files_below
from tests.support.telling_documents import picture
from tests.support.tools import need
from vault import view_places
from vault.agent.process import mark_at

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no folder in memory but on Linux")

VIEWER, QUIT = "eog", "ctrl+q"
RECENT = ".local/share/recently-used.xbel"
VIEWED = r"^document\.png"


@pytest.fixture
def seat(one: Desk) -> Iterator[tuple[Desk, Desktop]]:
    """A desk with a picture in its vault, and a desktop."""
    need(VIEWER)
    one.run("add", "Road works", one.write("informant.png", picture("PNG")))
    Path(one.home, "informant.png").unlink()
    with desktop() as screen:
        one.more = screen.environment
        yield one, screen


@contextmanager
def started(at: Desk, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A program of the desk's."""
    with subprocess.Popen(
        words, env=at.environment(), cwd=at.home, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()


def remembered(at: Desk) -> set[str]:
    """Whatever there is below the home folder, in other places than the vault."""
    return {name for name in files_below(at.home) if not name.startswith("vault/")}


def test_a_viewer_that_remembers_what_it_showed_remembers_nothing_of_a_view(seat: tuple[Desk, Desktop]) -> None:
    """Not even where one of the same name runs already, which would else be told over the bus to show it."""
    at, screen = seat
    photo = at.write("copies/holiday.png", picture("PNG"))
    with started(at, VIEWER, photo) as usual:
        screen.window("holiday")
        screen.press(screen.window("holiday"), QUIT)
        usual.communicate(timeout=60)
    assert "holiday.png" in Path(at.home, RECENT).read_text()
    with started(at, VIEWER, photo) as running:
        ours = screen.window("holiday")
        before = remembered(at)
        with started(at, *at.words("view", "informant.png", "--with", VIEWER)) as view:
            shown = screen.window(VIEWED)
            assert screen.process_of(shown) != screen.process_of(ours) == running.pid
            (folder,) = view_places.found(mark_at(str(at.vault / "keyring")))
            assert Path(folder, "document.png").exists()
            screen.press(shown, QUIT)
            _out, err = view.communicate(timeout=60)
        assert view.returncode == 0, err
        assert "closed: the document, and what the program wrote beside it, are removed" in err
        assert not Path(folder).exists()
        assert screen.has_window("holiday")
    assert remembered(at) == before
    assert not [name for name, content in files_below(at.home).items() if b"document.png" in content]


def test_panic_closes_the_window(seat: tuple[Desk, Desktop]) -> None:
    at, screen = seat
    with started(at, *at.words("view", "informant.png", "--with", VIEWER)) as view:
        screen.window(VIEWED)
        assert "end 1 view(s) of documents, and remove what was shown" in at.json("panic")["done_as_well"]
        assert screen.is_without(VIEWED)
        view.communicate(timeout=60)
    assert b"document.png" not in b"".join(files_below(at.home).values())
