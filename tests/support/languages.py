# SPDX-License-Identifier: Apache-2.0
"""A language spoken in this process for a while, by the program's own ``speak``, and English again after it."""

from __future__ import annotations

import gettext
import os
from collections.abc import Iterator
from contextlib import contextmanager

from vault import language


@contextmanager
def speaking(name: str) -> Iterator[None]:
    """Everything inside says what it says in this language."""
    before, domain = os.environ.get("LANGUAGE"), gettext.textdomain()
    language.speak(name)
    try:
        assert language.spoken() == name
        yield
    finally:
        gettext.textdomain(domain)
        language._spoken[:] = [language.ENGLISH]
        os.environ.pop("LANGUAGE")
        if before is not None:
            os.environ["LANGUAGE"] = before
