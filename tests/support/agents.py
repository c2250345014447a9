# SPDX-License-Identifier: Apache-2.0
"""A runtime folder for real agents and guards, with a path short enough for a socket."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vault.agent import asking, runtime
from vault.errors import VaultError


@contextmanager
def runtime_folder() -> Iterator[Path]:
    """A new ``XDG_RUNTIME_DIR``; whatever still runs there at the end is ended."""
    folder = Path(tempfile.mkdtemp(prefix="sr-", dir="/tmp"))
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    try:
        yield folder
    finally:
        _end_all(folder / "sandyk")
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
        shutil.rmtree(folder, ignore_errors=True)


def _end_all(base: Path) -> None:
    for path in base.glob("*.agent"):
        number = runtime.number_of_holder(str(path))
        if number is not None:
            with suppress(ProcessLookupError):
                os.kill(number, 9)
            runtime.wait_until_free(str(path))


def place(folder: str) -> runtime.Place:
    """The vault's place, which must be there."""
    found = runtime.place_if_any(folder)
    assert found is not None
    return found


def agent_number(folder: str) -> int:
    """The process number of the vault's agent."""
    number = runtime.number_of_holder(place(folder).agent)
    assert number is not None
    return number


def ends(folder: str) -> bool:
    """Whether the vault's agent ends by itself soon."""
    return runtime.wait_until_free(place(folder).agent)


def lock_quietly(folder: str) -> None:
    """End the agent, if there is one."""
    with suppress(VaultError, OSError):
        asking.lock(folder)
