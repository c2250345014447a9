# SPDX-License-Identifier: Apache-2.0
"""One Chromium for all tests of the reader page; each test gets the page afresh."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.browser import Browser


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser."""
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Browser]:
    """The page, from a file, in English. Whatever a test does with it, nothing leaves it and nothing breaks."""
    chromium.open_page()
    yield chromium
    chromium.quiet()
