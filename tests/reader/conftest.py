# SPDX-License-Identifier: Apache-2.0
"""Browsers for all tests of the reader page; each test gets the page afresh."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.browser import Browser, Chromium
from tests.support.firefox import Firefox
from tests.support.webkit import WebKit


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """The browser that most is tested with."""
    browser = Chromium()
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Chromium, or for a test that is marked ``everywhere`` one browser after another."""
    engine = getattr(request, "param", "chromium")
    if engine == "chromium":
        yield request.getfixturevalue("chromium")
        return
    browser = {"firefox": Firefox, "webkit": WebKit}[engine]()
    yield browser
    browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Browser]:
    """The page, from a file, in English. Whatever a test does with it, nothing leaves it and nothing breaks."""
    browser.open_page()
    yield browser
    browser.quiet()
