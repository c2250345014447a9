# SPDX-License-Identifier: Apache-2.0
"""``pytest tests/forensic --runs N``: how many interruptions are tried of each kind."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known only when this folder is named on the command line; the tests have a number of their own without it."""
    parser.addoption("--runs", type=int, default=None, help="how many interruptions of each kind to try")
