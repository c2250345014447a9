# SPDX-License-Identifier: Apache-2.0
"""The report on a bundle that was checked: what was examined and how, what that shows, and what it does not show.

For a lawyer or a court's expert, who did not see the checks and will be asked about each word. Pure: values in, lines
out, in the language that is spoken (docs/decisions/0050-languages.md); one that is not English says that the English
one is meant. It reports only on bundles in which everything was as it must be (``vault.bundle_checking``). A statement
is either what was computed here, or marked as a claim: of the sender, of the sender's clock, or of a server. Times are
in UTC. Words of the sender are shown as ``vault.names.printable`` makes them; notes, sources and tags are left out.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from gettext import gettext as _
from itertools import chain
from textwrap import wrap
from typing import TYPE_CHECKING

from keys import sshsig
from vault.bundle_items import Event, SealedItem
from vault.bundle_layout import FORMAT, NAMESPACE, NOBODY_NAMED, TAG_MANIFEST, urn_of
from vault.language import ENGLISH, later, spoken
from vault.names import printable
from vault.timestamp import Stamp

if TYPE_CHECKING:
    from vault.bundle_checking import Checked
    from vault.part_reader import PartSet

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CARRIERS = {
    "age": later(
        "Seal: decrypted as an age v1 file; each block, from the first to the last, authenticated (ChaCha20-Poly1305)."
    ),
    "zip": later(
        "Seal: decrypted as a ZIP with AES-256 (WinZip AE-2); its authentication code (HMAC-SHA-1, 80 bits) compared."
    ),
    "parts": later(
        "Seal: as many parts as it takes decrypted as age v1 files, their blocks authenticated (ChaCha20-Poly1305), "
        "the signature of the set's key in each (Ed25519) verified and the SHA-256 of each compared; then joined."
    ),
}
"""How the seal was taken off, by ``Checked.carrier``."""
_MOST_KINDS = 30
_MOST_CHARACTERS = 100
"""Of what is shown of a custody record: a hostile sender's may hold anything."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report: a heading, and statements of one line each."""

    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CustodySummary:
    """The custody record in numbers, as the sender wrote it."""

    events: int
    kinds: tuple[tuple[str, int], ...]
    """What was done, and how often, most frequent first; "" for entries that do not say it."""
    signers: int
    devices: int
    first_ns: int | None
    last_ns: int | None


def sections(checked: Checked) -> tuple[Section, ...]:
    """The report, without the head that says who made it and when."""
    found = (
        Section(_("What was examined"), tuple(_examined(checked))),
        Section(_("What was checked, and how. Each check was passed, unless it says NOT"), tuple(how_checked(checked))),
        Section(_("What this shows"), tuple(what_it_shows(checked))),
        Section(_("What this does not show"), tuple(what_it_does_not_show(checked))),
        Section(_("The documents. Names and times are claims of the sender"), tuple(_documents(checked))),
        Section(_("The custody record, as the sender wrote it"), tuple(_custody(checked))),
        Section(_("How to check it without this program"), tuple(_elsewhere(checked))),
    )
    return found if spoken() == ENGLISH else (*found, _translated())


def render(checked: Checked, *, version: str, made_ns: int) -> str:
    """The report as text: headings, and statements below them, UTF-8 with LF."""
    lines = [
        _("REPORT ON A SEALED BUNDLE OF DOCUMENTS"),
        "",
        _("Made by sandyk {version} at {time}, by the clock of the machine that it ran on.").format(
            version=version, time=utc(made_ns)
        ),
    ]
    for number, section in enumerate(sections(checked), 1):
        lines += ["", f"{number}. {section.heading}", ""]
        lines += chain.from_iterable(_wrapped(line) for line in section.lines)
    return "\n".join(lines) + "\n"


def how_checked(checked: Checked) -> Iterator[str]:
    """What was computed, with the names of the algorithms and counts."""
    tags = checked.tags
    yield _(_CARRIERS[checked.carrier])
    yield _(
        "Form: a tar with a BagIt 1.0 bag inside (RFC 8493), in the one spelling of sandyk's bundle format {format}, "
        "and nothing besides."
    ).format(format=FORMAT)
    yield _("Documents: SHA-256 computed over each of {count}, and equal to the one in the bundle's list.").format(
        count=len(tags.items)
    )
    yield _(
        "Description: {count} files; SHA-256 computed over each that the tag manifest must list, and equal to the one "
        "there."
    ).format(count=checked.tag_files)
    if tags.signer is None:
        yield _("Signature: there is none to check.")
        return
    card = tags.signer.card
    yield _(
        "First signature: SSHSIG with Ed25519 (RFC 8032) and SHA-512, over the tag manifest, for the purpose "
        "{purpose}: verified with the key {key}."
    ).format(purpose=NAMESPACE, key=sshsig.fingerprint(tags.signer.public))
    yield _(
        "Second signature: ML-DSA-65 (FIPS 204), over the same text for the same purpose: verified with the key whose "
        "SHA-256 is {digest}."
    ).format(digest=base64.b64encode(card.mldsa_digest).decode("ascii"))
    bound = (
        _(
            "Card: a signature by the first key binds both keys and the case's recipient to each other. The card's ten "
            "words: {words}."
        )
        if card.kind == "case"
        else _(
            "Card: a signature by the first key binds both keys and the person's recipient to each other. The card's "
            "ten words: {words}."
        )
    )
    yield bound.format(words=" ".join(card.words))
    if tags.sealed_for != (NOBODY_NAMED,):
        yield _("Recipients: a key of whoever made this report is among those that the signatures cover.")
    yield from _how_stamp_checked(checked)


def what_it_shows(checked: Checked) -> Iterator[str]:
    """What follows from the checks, and on what assumptions."""
    if checked.tags.signer is None:
        yield _(
            "The documents are those that the bundle lists, as whoever sealed it left them. It is not signed: whoever "
            "has a recipient's public key can make one like it, with other documents and the same names."
        )
        return
    card = checked.tags.signer.card
    yield _(
        "The two signatures were made with the private keys that belong to the card named above. They cover the "
        "content of every document, its name, the list of recipients, the time that the sender states, the card and "
        "the custody record. Had one of these been changed afterwards, at least one of the checks above would have "
        "failed."
    )
    yield _(
        "This assumes that SHA-256 and SHA-512 are not broken, that at least one of Ed25519 and ML-DSA-65 is not, and "
        "that nobody else had the private keys."
    )
    if card.kind == "case":
        yield _(
            "The keys are those of a case, an investigation that several people of a newsroom share, in its epoch "
            "{epoch}. Every member of that epoch has them. One of those who have them made the signatures; which, "
            "nothing shows."
        ).format(epoch=card.epoch)
    yield _who(checked)
    if checked.stamp is not None:
        yield _what_stamp_shows(checked.stamp)


def what_it_does_not_show(checked: Checked) -> Iterator[str]:
    """What must not be concluded."""
    if checked.tags.signer is not None:
        yield _(
            "Who the person is. A key has no name in it. That it is somebody's is known only to whoever compared the "
            "ten words with them in another way, for example by voice."
        )
        yield _("That whoever used the keys did so alone, or of their own will.")
    else:
        yield _("Who made the bundle, or whether it is the one that was sent.")
    if checked.stamp is not None and checked.stamp.checked_against:
        yield _(
            "When the bundle was made: the time stamp says at what time the first signature existed at the latest, not "
            "since when. All times that are not said to be otherwise come from clocks of the sender's machines, which "
            "whoever uses them can set."
        )
    else:
        yield _(
            "When anything happened. All times that are not said to be otherwise come from clocks of the sender's "
            "machines, which whoever uses them can set."
        )
    yield _(
        "That what the documents say is true, that they are what they seem to be, or that they were not changed before "
        "they were sealed."
    )
    yield _(
        "That they are all there is: the sender chose what to put in, and what to tell of it in the custody record."
    )
    yield _("That nobody else has the documents, or has had them.")


def custody_of(checked: Checked) -> CustodySummary:
    """The custody record in numbers."""
    events = list(chain.from_iterable(item.custody for item in checked.tags.items))
    kinds = Counter(_text(event, "event") for event in events)
    times = [at for event in events if isinstance(at := event.get("at_ns"), int) and not isinstance(at, bool)]
    return CustodySummary(
        len(events), tuple(kinds.most_common()),
        len({_text(event, "signed_by") for event in events} - {""}),
        len({_text(event, "device") for event in events} - {""}),
        min(times, default=None), max(times, default=None),
    )  # fmt: skip


def utc(ns: int | None) -> str:
    """A time of nanoseconds since 1970, to the second; ``not stated`` when unknown or beyond the calendar."""
    if ns is None:
        return _("not stated")
    try:
        return f"{_EPOCH + timedelta(seconds=ns // 10**9):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:
        return _("not stated")


def _wrapped(line: str) -> list[str]:
    """A statement in lines of at most 100 columns where that needs no cut in a word, set in by three and as it is."""
    indent = " " * (3 + len(line) - len(line.lstrip(" ")))
    return wrap(
        line.lstrip(" "), 100, initial_indent=indent, subsequent_indent=f"{indent}  ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _examined(checked: Checked) -> Iterator[str]:
    tags = checked.tags
    for file in checked.files:
        yield _("File {path}: {size} bytes, SHA-256 {sha256}.").format(
            path=printable(file.path), size=file.size, sha256=file.sha256.hex()
        )
    if checked.joined is not None:
        yield from _parts(checked.joined)
    kind = (
        _("It is a bundle, signed. Identifier: {urn}.")
        if tags.signer
        else _("It is a drop: a bundle without a signature. Identifier: {urn}.")
    )
    yield kind.format(urn=urn_of(tags.bundle_id))
    if tags.title:
        yield _("Title given by the sender: “{title}”.").format(title=printable(tags.title))
    else:
        yield _("Title given by the sender: none.")
    yield _("Sealed, by the sender's clock: {time}.").format(time=utc(tags.sealed_ns))
    yield _("Documents: {count}, of {size} bytes together.").format(
        count=len(tags.items), size=sum(item.size for item in tags.items)
    )
    yield _("SHA-256 of the tag manifest ({file}), which stands for all of it: {sha256}.").format(
        file=TAG_MANIFEST, sha256=tags.tag_manifest_sha256.hex()
    )
    if tags.sealed_for == (NOBODY_NAMED,):
        yield _("Sealed for whoever has the passphrase.")
    else:
        yield _("Sealed for {count}, named by SHA-256 of their keys: {keys}.").format(
            count=len(tags.sealed_for), keys=", ".join(tags.sealed_for)
        )
    if tags.not_examined:
        yield _("Files of which only the SHA-256 was compared: {names}.").format(
            names=", ".join(map(printable, tags.not_examined))
        )


def _parts(joined: PartSet) -> Iterator[str]:
    yield _("These are {there} of {parts} parts, of which {enough} are enough.").format(
        there=len(joined.parts), parts=joined.terms.parts, enough=joined.terms.data
    )
    if joined.recomputed:
        yield _("Computed from repair parts: {numbers}.").format(numbers=", ".join(map(str, joined.recomputed)))
    for file in joined.left_out:
        yield _("Left out: {path}: {reason}.").format(path=printable(file.path), reason=printable(file.reason))


def _how_stamp_checked(checked: Checked) -> Iterator[str]:
    stamp = checked.stamp
    if checked.stamp_problem is not None:
        yield _("Time stamp: NOT as it must be: {problem}.").format(problem=checked.stamp_problem)
    elif stamp is None:
        if checked.tags.untrusted_timestamp is not None:
            yield _("Time stamp: there is one, which was NOT examined.")
    elif stamp.checked_against:
        yield _(
            "Time stamp (RFC 3161): over SHA-256 of the first signature; its own signature verified, with a "
            "certificate that leads to one of these roots, which were given for this check: {roots}."
        ).format(roots="; ".join(stamp.checked_against))
    else:
        yield _(
            "Time stamp (RFC 3161): over SHA-256 of the first signature. Its own signature and certificate were NOT "
            "checked against a root, because none was given."
        )


def _what_stamp_shows(stamp: Stamp) -> str:
    name, time = stamp.name or _("without a name"), f"{stamp.time:%Y-%m-%d %H:%M:%S} UTC"
    if stamp.accuracy_us is not None:
        seconds = f"{stamp.accuracy_us / 1_000_000:g}"
        time = _("{time}, give or take {seconds} s").format(time=time, seconds=seconds)
    if stamp.checked_against:
        return _(
            "The time stamp server ({name}) states that the first signature existed at {time} (serial number "
            "{serial}, policy {policy}). This is as trustworthy as that server, the root, and their algorithms."
        ).format(name=name, time=time, serial=stamp.serial, policy=stamp.policy)
    return _(
        "The time stamp says that the server ({name}) states that the first signature existed at {time}. It was not "
        "checked that this server made it: until it is, this is a claim that anybody could have written."
    ).format(name=name, time=time)


def _who(checked: Checked) -> str:
    sender = checked.sender
    if sender is None or sender.name is None:
        return _("Whose card it is, is not known on the machine that made this report.")
    known = (
        _(
            "The machine that made this report knows this card under the name {name} (its note: “{remark}”), and "
            "counts it as trusted."
        )
        if sender.trusted
        else _(
            "The machine that made this report knows this card under the name {name} (its note: “{remark}”), and does "
            "not count it as trusted."
        )
    )
    return known.format(name=printable(sender.name), remark=printable(sender.remark))


def _documents(checked: Checked) -> Iterator[str]:
    for item in checked.tags.items:
        yield from _document(item)


def _document(item: SealedItem) -> Iterator[str]:
    below = " " * 6
    yield f"{item.path.split('/')[1]}  {printable(item.name)}"
    yield below + _("{size} bytes, SHA-256 {sha256}").format(size=item.size, sha256=item.sha256.hex())
    yield below + _("last modified {modified}; filed {filed}; custody entries: {count}").format(
        modified=utc(item.mtime_ns), filed=utc(item.filed_ns), count=len(item.custody)
    )


def _custody(checked: Checked) -> Iterator[str]:
    summary = custody_of(checked)
    if not summary.events:
        yield _("It is empty.")
        return
    yield _("{count} entries; the earliest time in them: {first}; the latest: {last}.").format(
        count=summary.events, first=utc(summary.first_ns), last=utc(summary.last_ns)
    )
    yield _("They name {signers} who recorded them, and {devices} device(s).").format(
        signers=summary.signers, devices=summary.devices
    )
    nameless = f"({_('without a name')})"
    for kind, count in summary.kinds[:_MOST_KINDS]:
        yield f"{count:>6}  {printable(kind[:_MOST_CHARACTERS]) or nameless}"
    if len(summary.kinds) > _MOST_KINDS:
        yield _("and {count} other kinds.").format(count=len(summary.kinds) - _MOST_KINDS)
    yield _(
        "The entries are text that the sender's program wrote. What they say was not checked; the signatures, where "
        "there are any, cover them."
    )


def _elsewhere(checked: Checked) -> Iterator[str]:
    yield _(
        "README.txt inside the bundle gives the commands, for age (1.3 or later) or 7-Zip, tar, sha256sum, ssh-keygen "
        "and openssl (3.5 or later)."
    )
    if checked.carrier == "parts":
        yield _("A bundle in parts is joined first: docs/format-bundle.md, section 10.4, of sandyk's sources.")
    if checked.tags.untrusted_timestamp is not None:
        yield "openssl ts -verify -in tagmanifest-sha256.txt.tsr -data tagmanifest-sha256.txt.sig -CAfile ROOTS.pem"
    yield _("The format is written down to the byte in docs/format-bundle.md of sandyk's sources.")


def _translated() -> Section:
    return Section(
        _("The language of this report"),
        (
            _(
                "This is a translation of the report that `sandyk --lang en verify FILE` makes of the same bundle in "
                "the same version of sandyk. Where the two differ, the English one is meant."
            ),
        ),
    )


def _text(event: Event, key: str) -> str:
    value = event.get(key)
    return value if isinstance(value, str) else ""
