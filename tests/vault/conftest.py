# SPDX-License-Identifier: Apache-2.0
"""A vault with one case in it, opened, and the case's store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.newsroom import newsroom, store_of, unlock
from vault.store import CaseStore
from vault.vaults import Vault


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with unlock(newsroom(tmp_path / "vault")) as opened:
        yield opened


@pytest.fixture
def store(vault: Vault) -> Iterator[CaseStore]:
    with store_of(vault) as opened:
        yield opened
