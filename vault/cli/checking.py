# SPDX-License-Identifier: Apache-2.0
"""`verify FILE`: a sealed bundle is checked without being opened, and reported on for those who were not there."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import partial
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vault import terminal
from vault.cli import exits, receivers, stamps
from vault.cli.session import answer, shown_path
from vault.cli.signers import say_how_to_trust, signed_line, signer_document
from vault.errors import Ambiguous, BadInput, NotFound
from vault.names import printable
from vault.terminal import say

if TYPE_CHECKING:
    from vault.bundle_checking import Checked
    from vault.vaults import Vault

IdentityOption = Annotated[
    str | None,
    typer.Option(
        "--identity", metavar="FILE", show_default=False,
        help="Check a bundle with an age identity file instead of a vault; no sender is known then.",
    ),
]  # fmt: skip
ReportOption = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", show_default=False, help="Write the report on a bundle there."),
]


@dataclass(frozen=True, slots=True)
class BundleOptions:
    """What `verify` was told that matters for a bundle alone."""

    identity: str | None
    zip_passphrase_file: str | None
    tsa_ca: str | None
    output: str | None
    as_json: bool
    of_packs: bool
    """Whether something was asked for that only the packs of a case can be asked."""


def named_bundle(unlocked: Vault, name: str | None, options: BundleOptions) -> Checked | None:
    """Check the bundle that an argument of `verify` names, and print the report; None when cases are meant.

    A case's name wins. Raises NotFound, BadInput for options that are for bundles, and as ``verify_bundle``.
    """
    if name is not None and _is_a_file(unlocked, name):
        return verify_bundle(name, unlocked, options)
    if options.output is not None or options.tsa_ca is not None or options.zip_passphrase_file is not None:
        raise BadInput(
            _("-o, --tsa-ca and --zip-passphrase-file belong to a bundle"), _("say which: sandyk verify FILE")
        )
    return None


def _is_a_file(unlocked: Vault, name: str) -> bool:
    from vault.cases import find_case

    there = os.path.lexists(name)
    try:
        find_case(unlocked, name)
    except Ambiguous:
        raise
    except NotFound:
        if not there:
            raise NotFound(
                _("no case and no file is called {name}").format(name=printable(name)),
                _("`sandyk case list` shows your cases"),
            ) from None
        return True
    if there:
        say(_("note: {name} is a case of yours; to check the file of this name: ./{name}").format(name=printable(name)))
    return False


def verify_bundle(path: str | None, unlocked: Vault | None, options: BundleOptions) -> Checked:
    """Check a bundle, with the keys of a vault, of an identity file or none, and print the report or write it.

    Raises what ``bundle_checking.check`` does, BadInput, and AlreadyThere for the report.
    """
    from keys.memory import harden
    from vault import bundle_report, opening
    from vault.bundle_checking import check
    from vault.disk import Disk
    from vault.elsewhere import expect_outside_vaults
    from vault.sealing import write_new
    from vault.version import VERSION

    if path is None:
        raise BadInput(_("--identity opens a bundle"), _("say which: sandyk verify FILE --identity KEYFILE"))
    if options.of_packs:
        raise BadInput(_("--repair and --sample are for the packs of a case, and this is a bundle"))
    if options.output is not None:
        expect_outside_vaults(options.output)
    roots = stamps.roots_in(options.tsa_ca)
    zip_passphrase = partial(receivers.ask_zip_passphrase, options.zip_passphrase_file)
    if unlocked is None:
        harden()
        keys, sealed = opening.what_to_open_without_vault([path], options.identity, zip_passphrase)
    else:
        keys = opening.identities_of(unlocked)
        sealed = opening.what_to_open([path], keys, zip_passphrase)
    with terminal.progress(_("verifying")) as advance:
        checked = check(sealed, keys, unlocked, roots=roots, progress=advance)
    report = bundle_report.render(checked, version=VERSION, made_ns=time.time_ns())
    if options.output is not None:
        write_new(options.output, report.encode("utf-8"), disk=Disk())
        lines = [*_in_short(checked), _("report written to {output}").format(output=printable(options.output))]
    else:
        lines = report.splitlines()
    answer({**_document(checked), "report": options.output}, as_json=options.as_json, lines=lines)
    return checked


def _in_short(checked: Checked) -> list[str]:
    tags = checked.tags
    kind = _("bundle") if tags.signer else _("drop")
    said = _("{kind}: {count} document(s), all verified").format(kind=kind, count=len(tags.items))
    stamped = stamps.stamp_lines(checked.stamp, tags) if checked.stamp_problem is None else []
    return [said, *stamped, signed_line(checked.sender)]


def end(checked: Checked) -> None:
    """Say what keeps a bundle that is whole from being trusted, and end with the code for it."""
    if checked.trusted:
        return
    if checked.stamp_problem is not None:
        say(
            _("sandyk: it is whole; but its time stamp counts for nothing: {stamp_problem}").format(
                stamp_problem=checked.stamp_problem
            )
        )
    if checked.sender is not None and not checked.sender.trusted:
        say(
            _("sandyk: it is whole; but nobody you trust vouches for it: {remark}").format(remark=checked.sender.remark)
        )
        say_how_to_trust(checked.sender)
    raise typer.Exit(exits.NOT_TRUSTED)


def _document(checked: Checked) -> dict[str, Any]:
    from vault import bundle_report

    tags, custody = checked.tags, bundle_report.custody_of(checked)
    return {
        "files": [
            {"file": shown_path(f.path), "bytes": f.size, "sha256": f.sha256.hex()} for f in checked.files
        ],
        "kind": "bundle" if tags.signer else "drop", "carrier": checked.carrier, "bundle": tags.bundle_id.hex(),
        "title": tags.title, "sealed_ns": tags.sealed_ns, "sealed_for": list(tags.sealed_for),
        "manifest_sha256": tags.tag_manifest_sha256.hex(),
        "signer": signer_document(checked.sender), "timestamp": stamps.stamp_document(checked.stamp),
        "timestamp_problem": checked.stamp_problem, "trusted": checked.trusted,
        "items": [
            {"name": shown_path(i.name), "bytes": i.size, "sha256": i.sha256.hex(), "modified_ns": i.mtime_ns,
             "filed_ns": i.filed_ns, "custody": len(i.custody)}
            for i in tags.items
        ],
        "custody": {
            "entries": custody.events, "first_ns": custody.first_ns, "last_ns": custody.last_ns,
            "kinds": [{"event": kind or None, "entries": count} for kind, count in custody.kinds],
        },
        "checked": list(bundle_report.how_checked(checked)),
        "shows": list(bundle_report.what_it_shows(checked)),
        "does_not_show": list(bundle_report.what_it_does_not_show(checked)),
    }  # fmt: skip
