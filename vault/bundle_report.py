# SPDX-License-Identifier: Apache-2.0
"""The report on a bundle that was checked: what was examined and how, what that shows, and what it does not show.

For a lawyer or a court's expert, who did not see the checks and will be asked about each word. Pure: values in, lines
out. It reports only on bundles in which everything was as it must be (``vault.bundle_checking``). A statement is
either what was computed here, or marked as a claim: of the sender, of the sender's clock, or of a server. Times are in
UTC. Words of the sender are shown as ``vault.names.printable`` makes them; notes, sources and tags are left out.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from textwrap import wrap
from typing import TYPE_CHECKING

from keys import sshsig
from vault.bundle_items import Event, SealedItem
from vault.bundle_layout import FORMAT, NAMESPACE, NOBODY_NAMED, urn_of
from vault.names import printable
from vault.timestamp import Stamp

if TYPE_CHECKING:
    from vault.bundle_checking import Checked
    from vault.part_reader import PartSet

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CARRIERS = {
    "age": "decrypted as an age v1 file; each block, from the first to the last, authenticated (ChaCha20-Poly1305)",
    "zip": "decrypted as a ZIP with AES-256 (WinZip AE-2); its authentication code (HMAC-SHA-1, 80 bits) compared",
    "parts": (
        "as many parts as it takes decrypted as age v1 files, their blocks authenticated (ChaCha20-Poly1305), the "
        "signature of the set's key in each (Ed25519) verified and the SHA-256 of each compared; then joined"
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
    """What was done, and how often, most frequent first."""
    signers: int
    devices: int
    first_ns: int | None
    last_ns: int | None


def sections(checked: Checked) -> tuple[Section, ...]:
    """The report, without the head that says who made it and when."""
    return (
        Section("What was examined", tuple(_examined(checked))),
        Section("What was checked, and how. Each check was passed, unless it says NOT", tuple(how_checked(checked))),
        Section("What this shows", tuple(what_it_shows(checked))),
        Section("What this does not show", tuple(what_it_does_not_show(checked))),
        Section("The documents. Names and times are claims of the sender", tuple(_documents(checked))),
        Section("The custody record, as the sender wrote it", tuple(_custody(checked))),
        Section("How to check it without this program", tuple(_elsewhere(checked))),
    )


def render(checked: Checked, *, version: str, made_ns: int) -> str:
    """The report as text: headings, and statements below them, UTF-8 with LF."""
    lines = [
        "REPORT ON A SEALED BUNDLE OF DOCUMENTS",
        "",
        f"Made by sandyk {version} at {utc(made_ns)}, by the clock of the machine that it ran on.",
    ]
    for number, section in enumerate(sections(checked), 1):
        lines += ["", f"{number}. {section.heading}", ""]
        lines += chain.from_iterable(_wrapped(line) for line in section.lines)
    return "\n".join(lines) + "\n"


def how_checked(checked: Checked) -> Iterator[str]:
    """What was computed, with the names of the algorithms and counts."""
    tags = checked.tags
    yield f"Seal: {_CARRIERS[checked.carrier]}."
    yield (
        f"Form: a tar with a BagIt 1.0 bag inside (RFC 8493), in the one spelling of sandyk's bundle format {FORMAT}, "
        "and nothing besides."
    )
    yield f"Documents: SHA-256 computed over each of {len(tags.items)}, and equal to the one in the bundle's list."
    yield (
        f"Description: {checked.tag_files} files; SHA-256 computed over each that the tag manifest must list, and "
        "equal to the one there."
    )
    if tags.signer is None:
        yield "Signature: there is none to check."
        return
    card = tags.signer.card
    yield (
        "First signature: SSHSIG with Ed25519 (RFC 8032) and SHA-512, over the tag manifest, for the purpose "
        f"{NAMESPACE}: verified with the key {sshsig.fingerprint(tags.signer.public)}."
    )
    yield (
        "Second signature: ML-DSA-65 (FIPS 204), over the same text for the same purpose: verified with the key whose "
        f"SHA-256 is {base64.b64encode(card.mldsa_digest).decode('ascii')}."
    )
    yield (
        f"Card: a signature by the first key binds both keys and the {card.kind}'s recipient to each other. The card's "
        f"ten words: {' '.join(card.words)}."
    )
    if tags.sealed_for != (NOBODY_NAMED,):
        yield "Recipients: a key of whoever made this report is among those that the signatures cover."
    yield from _how_stamp_checked(checked)


def what_it_shows(checked: Checked) -> Iterator[str]:
    """What follows from the checks, and on what assumptions."""
    if checked.tags.signer is None:
        yield (
            "The documents are those that the bundle lists, as whoever sealed it left them. It is not signed: whoever "
            "has a recipient's public key can make one like it, with other documents and the same names."
        )
        return
    card = checked.tags.signer.card
    yield (
        "The two signatures were made with the private keys that belong to the card named above. They cover the "
        "content of every document, its name, the list of recipients, the time that the sender states, the card and "
        "the custody record. Had one of these been changed afterwards, at least one of the checks above would have "
        "failed."
    )
    yield (
        "This assumes that SHA-256 and SHA-512 are not broken, that at least one of Ed25519 and ML-DSA-65 is not, and "
        "that nobody else had the private keys."
    )
    if card.kind == "case":
        yield (
            "The keys are those of a case, an investigation that several people of a newsroom share, in its epoch "
            f"{card.epoch}. Every member of that epoch has them. One of those who have them made the signatures; "
            "which, nothing shows."
        )
    yield _who(checked)
    if checked.stamp is not None:
        yield from _what_stamp_shows(checked.stamp)


def what_it_does_not_show(checked: Checked) -> Iterator[str]:
    """What must not be concluded."""
    signed = checked.tags.signer is not None
    if signed:
        yield (
            "Who the person is. A key has no name in it. That it is somebody's is known only to whoever compared the "
            "ten words with them in another way, for example by voice."
        )
        yield "That whoever used the keys did so alone, or of their own will."
    else:
        yield "Who made the bundle, or whether it is the one that was sent."
    if checked.stamp is not None and checked.stamp.checked_against:
        yield (
            "When the bundle was made: the time stamp says at what time the first signature existed at the latest, not "
            "since when. All other times come from clocks of the sender's machines."
        )
    else:
        yield (
            "When anything happened. All times that are not said to be otherwise come from clocks of the sender's "
            "machines, which whoever uses them can set."
        )
    yield (
        "That what the documents say is true, that they are what they seem to be, or that they were not changed before "
        "they were sealed."
    )
    yield "That they are all there is: the sender chose what to put in, and what to tell of it in the custody record."
    yield "That nobody else has the documents, or has had them."


def custody_of(checked: Checked) -> CustodySummary:
    """The custody record in numbers."""
    events = list(chain.from_iterable(item.custody for item in checked.tags.items))
    kinds = Counter(_text(event, "event") or "without a name" for event in events)
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
        return "not stated"
    try:
        return f"{_EPOCH + timedelta(seconds=ns // 10**9):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:
        return "not stated"


def _wrapped(line: str) -> list[str]:
    """A statement in lines of at most 100 columns where that needs no cut in a word, set in by three."""
    return wrap(
        line, 100, initial_indent="   ", subsequent_indent="     ", break_long_words=False, break_on_hyphens=False,
        replace_whitespace=False,
    )  # fmt: skip


def _examined(checked: Checked) -> Iterator[str]:
    tags = checked.tags
    for file in checked.files:
        yield f"File {printable(file.path)}: {file.size} bytes, SHA-256 {file.sha256.hex()}."
    if checked.joined is not None:
        yield from _parts(checked.joined)
    kind = "a bundle, signed" if tags.signer else "a drop: a bundle without a signature"
    yield f"It is {kind}. Identifier: {urn_of(tags.bundle_id)}."
    yield f"Title given by the sender: {printable(tags.title) or 'none'}."
    yield f"Sealed, by the sender's clock: {utc(tags.sealed_ns)}."
    size = sum(item.size for item in tags.items)
    yield f"Documents: {len(tags.items)}, of {size} bytes together."
    yield f"SHA-256 of the tag manifest, which stands for all of it: {tags.tag_manifest_sha256.hex()}."
    if tags.sealed_for == (NOBODY_NAMED,):
        yield "Sealed for whoever has the passphrase."
    else:
        yield f"Sealed for {len(tags.sealed_for)}, named by SHA-256 of their keys: {', '.join(tags.sealed_for)}."
    if tags.not_examined:
        yield f"Files of which only the SHA-256 was compared: {', '.join(map(printable, tags.not_examined))}."


def _parts(joined: PartSet) -> Iterator[str]:
    terms = joined.terms
    yield f"These are {len(joined.parts)} of {terms.parts} parts, of which {terms.data} are enough."
    if joined.recomputed:
        yield f"Computed from repair parts: {', '.join(map(str, joined.recomputed))}."
    for file in joined.left_out:
        yield f"Left out: {printable(file.path)}: {printable(file.reason)}."


def _how_stamp_checked(checked: Checked) -> Iterator[str]:
    stamp = checked.stamp
    if checked.stamp_problem is not None:
        yield f"Time stamp: NOT as it must be: {checked.stamp_problem}."
    elif stamp is None:
        if checked.tags.untrusted_timestamp is not None:
            yield "Time stamp: there is one, which was not examined."
        return
    elif stamp.checked_against:
        yield (
            "Time stamp (RFC 3161): over SHA-256 of the first signature; its own signature verified, with a "
            "certificate that leads to one of these roots, which were given for this check: "
            f"{'; '.join(stamp.checked_against)}."
        )
    else:
        yield (
            "Time stamp (RFC 3161): over SHA-256 of the first signature. Its own signature and certificate were NOT "
            "checked against a root, because none was given."
        )


def _what_stamp_shows(stamp: Stamp) -> Iterator[str]:
    accuracy = f", give or take {stamp.accuracy_us / 1_000_000:g} s" if stamp.accuracy_us is not None else ""
    said = f"{stamp.time:%Y-%m-%d %H:%M:%S} UTC{accuracy}"
    name = stamp.name or "a server without a name"
    if stamp.checked_against:
        yield (
            f"The time stamp server {name} states that the first signature existed at {said} (serial number "
            f"{stamp.serial}, policy {stamp.policy}). This is as trustworthy as that server, the root, and their "
            "algorithms."
        )
    else:
        yield (
            f"The time stamp says that the server {name} states that the first signature existed at {said}. It was not "
            "checked that this server made it: until it is, this is a claim that anybody could have written."
        )


def _who(checked: Checked) -> str:
    sender = checked.sender
    if sender is None or sender.name is None:
        return "Whose card it is, is not known on the machine that made this report."
    known = f"under the name {printable(sender.name)} (its note: “{printable(sender.remark)}”)"
    if sender.trusted:
        return f"The machine that made this report knows this card {known}, and counts it as trusted."
    return f"The machine that made this report knows this card {known}, and does not count it as trusted."


def _documents(checked: Checked) -> Iterator[str]:
    for item in checked.tags.items:
        yield from _document(item)


def _document(item: SealedItem) -> Iterator[str]:
    yield f"{item.path.split('/')[1]}  {printable(item.name)}"
    yield f"      {item.size} bytes, SHA-256 {item.sha256.hex()}"
    yield f"      last modified {utc(item.mtime_ns)}; filed {utc(item.filed_ns)}; custody entries: {len(item.custody)}"


def _custody(checked: Checked) -> Iterator[str]:
    summary = custody_of(checked)
    if not summary.events:
        yield "It is empty."
        return
    yield f"{summary.events} entries, from {utc(summary.first_ns)} to {utc(summary.last_ns)}."
    yield f"They name {summary.signers} who recorded them, and {summary.devices} device(s)."
    for kind, count in summary.kinds[:_MOST_KINDS]:
        yield f"{count:>6}  {printable(kind[:_MOST_CHARACTERS])}"
    if len(summary.kinds) > _MOST_KINDS:
        yield f"and {len(summary.kinds) - _MOST_KINDS} other kinds."
    yield (
        "The entries are text that the sender's program wrote. What they say was not checked; the signatures, where "
        "there are any, cover them."
    )


def _elsewhere(checked: Checked) -> Iterator[str]:
    yield (
        "README.txt inside the bundle gives the commands, for age (1.3 or later) or 7-Zip, tar, sha256sum, ssh-keygen "
        "and openssl (3.5 or later)."
    )
    if checked.carrier == "parts":
        yield "A bundle in parts is joined first: docs/format-bundle.md, section 10.4, of sandyk's sources."
    if checked.tags.untrusted_timestamp is not None:
        yield "openssl ts -verify -in tagmanifest-sha256.txt.tsr -data tagmanifest-sha256.txt.sig -CAfile ROOTS.pem"
    yield "The format is written down to the byte in docs/format-bundle.md of sandyk's sources."


def _text(event: Event, key: str) -> str:
    value = event.get(key)
    return value if isinstance(value, str) else ""
