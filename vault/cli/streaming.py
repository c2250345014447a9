# SPDX-License-Identifier: Apache-2.0
"""Listings of any length: each row is printed when it is there, so that a case of a million documents takes no more
memory than one of ten.

As JSON it is still one document. It is whole only when the command ends without an error: a listing that was cut off is
no JSON, so nobody takes it for all of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from vault.names import json_safe

Row = TypeVar("Row")


def print_lines(rows: Iterable[Row], line: Callable[[Row], str]) -> int:
    """A line for each row; how many there were."""
    count = 0
    for row in rows:
        print(line(row))
        count += 1
    return count


def print_json(
    name: str, rows: Iterable[Row], document: Callable[[Row], dict[str, Any]], rest: Callable[[], dict[str, Any]]
) -> None:
    """One JSON document: an array of that name with a line for each row, then the fields of ``rest``, asked at last.

    In UTF-8, whatever the locale says (RFC 8259, section 8.1).
    """
    sys.stdout.flush()
    out = sys.stdout.buffer
    out.write(f"{{\n {json.dumps(name)}: [".encode())
    before = "\n  "
    for row in rows:
        out.write((before + json_safe(json.dumps(document(row), ensure_ascii=False))).encode("utf-8"))
        before = ",\n  "
    fields = "".join(
        f",\n {json.dumps(field)}: {json.dumps(value, ensure_ascii=False)}" for field, value in rest().items()
    )
    out.write(f"\n ]{json_safe(fields)}\n}}\n".encode())
