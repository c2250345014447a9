# SPDX-License-Identifier: Apache-2.0
"""What `export` and `open` say about a bundle in parts: options, JSON, lines."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault.cli.session import shown_path
from vault.errors import BadInput
from vault.names import printable
from vault.terminal import size_text

if TYPE_CHECKING:
    from vault.exporting import InParts
    from vault.part_reader import PartSet
    from vault.part_writer import WrittenSet

VolumeOption = Annotated[
    str | None,
    typer.Option(
        "--volume-size", metavar="SIZE", show_default=False,
        help="Cut it into parts of at most this size, in the folder -o: 20M, 100MB, or mail, signal, telegram.",
    ),
]  # fmt: skip
RepairOption = Annotated[
    int,
    typer.Option(
        "--repair", metavar="K", show_default=False, min=0, help="Add K repair parts: then any K parts may be lost."
    ),
]


def wanted(volume_size: str | None, repair: int, *, force: bool) -> InParts | None:
    """What the options of `export` ask for. Raises BadInput."""
    from vault.carriers import file_size
    from vault.exporting import InParts

    if volume_size is None:
        if repair:
            raise BadInput(
                _("repair parts belong to a bundle in parts"), _("say how large each may be: --volume-size SIZE")
            )
        return None
    if force:
        raise BadInput(_("parts get new names and overwrite nothing: leave --force out"))
    return InParts(file_size(volume_size), repair)


def written_document(parts: WrittenSet | None) -> dict[str, Any] | None:
    """The parts that were written, for JSON."""
    return None if parts is None else {
        "set": parts.terms.name, "part_bytes": parts.part_size, "data": parts.terms.data, "repair": parts.terms.repair,
        "files": [{"file": part.path, "number": part.number} for part in parts.parts],
    }  # fmt: skip


def written_lines(parts: WrittenSet | None) -> list[str]:
    """The same for people."""
    if parts is None:
        return []
    text = (
        _("in {parts} part(s) of {size} each: any {data} of them are enough, in any order")
        if parts.terms.repair
        else _("in {parts} part(s) of {size} each: all of them are needed, in any order")
    )
    return [
        text.format(parts=parts.terms.parts, size=size_text(parts.part_size), data=parts.terms.data),
        _("that they belong together shows from outside: by their one size, and by when they travel"),
    ]


def joined_document(parts: PartSet | None) -> dict[str, Any] | None:
    """The parts that were joined, for JSON."""
    return None if parts is None else {
        "set": parts.terms.name, "data": parts.terms.data, "repair": parts.terms.repair,
        "missing": list(parts.missing), "computed": list(parts.recomputed),
        "left_out": [{"file": shown_path(file.path), "reason": file.reason} for file in parts.left_out],
    }  # fmt: skip


def joined_lines(parts: PartSet | None) -> list[str]:
    """The same for people."""
    if parts is None:
        return []
    lines = [_("joined from {count} of {parts} part(s)").format(count=len(parts.parts), parts=parts.terms.parts)]
    if parts.recomputed:
        lines.append(_("computed from repair parts: {numbers}").format(numbers=", ".join(map(str, parts.recomputed))))
    return lines + [
        _("left out: {path}: {reason}").format(path=printable(file.path), reason=file.reason) for file in parts.left_out
    ]
