# SPDX-License-Identifier: Apache-2.0
"""A bundle is checked to its end without being opened, and the report says what was proven, and no more."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import age, sshsig
from keys.secret import Secret
from tests.support import bundles
from tests.support.bundles import CLOCK, DOCUMENTS, EDITOR, ID, OTHER, SENDER, SIGNED, SIGNED_PLAIN, hostile
from tests.support.languages import speaking
from tests.support.tsa import authority
from vault import bundle_layout as layout
from vault import bundle_report, timestamp
from vault.bundle import BundleItem, IdentitySigner, compose
from vault.bundle_checking import Checked, check
from vault.disk import Disk
from vault.errors import BadInput, BrokenSignature, DamagedBundle, DoesNotOpen, ReadFailed, Resealed, VaultError
from vault.language import LANGUAGES
from vault.part_reader import find_parts
from vault.part_writer import write_parts
from vault.parts import cut
from vault.sealed_files import Sealed, Zipped
from vault.senders import Sender

ROOTS = timestamp.read_roots(authority().root.read_bytes())


def quiet(documents: int, size: int) -> None:
    """Progress that nobody sees."""


def stamped(signature: bytes) -> bytes:
    """What a server on this machine answers."""
    return authority().reply(timestamp.request_for(signature).der)


def checked(
    folder: Path, bundle: bytes = SIGNED, identities: Sequence[age.Identity] = (EDITOR.age,), *,
    roots: timestamp.Roots = (),
) -> Checked:  # fmt: skip
    (folder / "in.age").write_bytes(bundle)
    return check(str(folder / "in.age"), identities, None, roots=roots, progress=quiet)


def text_of(found: Checked) -> str:
    """The report on one line, without its breaks."""
    return " ".join(bundle_report.render(found, version="1", made_ns=CLOCK).split())


def test_what_was_examined_is_named_by_its_hash_and_nothing_is_written(tmp_path: Path) -> None:
    found = checked(tmp_path)
    assert [(f.size, f.sha256) for f in found.files] == [(len(SIGNED), hashlib.sha256(SIGNED).digest())]
    assert [path.name for path in tmp_path.iterdir()] == ["in.age"]
    assert found.carrier == "age"
    assert f"SHA-256 {hashlib.sha256(SIGNED).hexdigest()}." in text_of(found)


@pytest.mark.parametrize("exchanged", [False, True])
def test_a_file_that_is_changed_or_exchanged_while_it_is_checked_gets_no_report(
    tmp_path: Path, exchanged: bool
) -> None:
    """Else the report could name the hash of one file and the documents of another."""
    path = tmp_path / "in.age"
    path.write_bytes(SIGNED)

    def meddle(documents: int, size: int) -> None:
        if exchanged:
            path.rename(tmp_path / "the one that was read")
        path.write_bytes(SIGNED[:-1] + b"?")

    with pytest.raises(ReadFailed, match="while it was being checked"):
        check(str(path), [EDITOR.age], None, progress=meddle)


def test_every_document_is_in_the_report_with_its_hash_and_what_the_sender_s_clock_said(tmp_path: Path) -> None:
    report = text_of(checked(tmp_path))
    for _, content in DOCUMENTS:
        assert f"{len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}" in report
    assert "0001 Тинтүү/протокол №1.pdf" in report
    assert "Sealed, by the sender's clock: 2025-11-21 04:40:00 UTC." in report
    assert "Names and times are claims of the sender" in report


def test_notes_sources_and_tags_are_not_in_it(tmp_path: Path) -> None:
    """A report is handed on to people whom the bundle was not for."""
    report = text_of(checked(tmp_path))
    assert not any(word in report for word in ("жазуу", "note\\n", "source ", "кол менен"))


def test_the_algorithms_and_keys_are_named(tmp_path: Path) -> None:
    report = text_of(checked(tmp_path))
    assert f"Ed25519 (RFC 8032) and SHA-512, over the tag manifest, for the purpose {layout.NAMESPACE}" in report
    assert f"verified with the key {sshsig.fingerprint(SENDER.signing_public)}." in report
    assert "ML-DSA-65 (FIPS 204)" in report
    assert " ".join(SENDER.card().words) in report
    assert f"SHA-256 computed over each of {len(DOCUMENTS)}," in report


def test_an_unknown_key_stays_unknown_and_a_known_one_is_named_with_what_is_known(tmp_path: Path) -> None:
    found = checked(tmp_path)
    assert not found.trusted
    assert "Whose card it is, is not known" in text_of(found)
    for trusted, said in ((True, "and counts it as trusted"), (False, "and does not count it as trusted")):
        known = replace(found, sender=Sender("Айгүл", "words", trusted, "how it is known"))
        assert f"under the name Айгүл (its note: “how it is known”), {said}" in text_of(known)
        assert known.trusted is trusted


def test_of_a_drop_it_says_that_nothing_shows_who_made_it(tmp_path: Path) -> None:
    found = checked(tmp_path, bundles.seal(signer=None)[0])
    report = text_of(found)
    assert found.trusted
    assert "Signature: there is none to check." in report
    assert "It is not signed: whoever has a recipient's public key can make one like it" in report
    assert "Who made the bundle, or whether it is the one that was sent." in report
    assert "Ed25519" not in report and "signatures were made" not in report


def test_of_a_newsroom_s_bundle_it_says_that_any_member_can_have_signed(tmp_path: Path) -> None:
    signer = IdentitySigner(SENDER, SENDER.card(case_id=bytes(16), epoch=3))
    report = text_of(checked(tmp_path, bundles.seal(signer=signer)[0]))
    assert "in its epoch 3. Every member of that epoch has them." in report
    assert "which, nothing shows" in report


def test_a_time_stamp_is_worth_what_was_checked_of_it(tmp_path: Path) -> None:
    bundle = bundles.seal(stamp=stamped)[0]
    unchecked, good = checked(tmp_path, bundle), checked(tmp_path, bundle, roots=ROOTS)
    foreign = timestamp.read_roots(authority("Other").root.read_bytes())
    bad, absent = checked(tmp_path, bundle, roots=foreign), checked(tmp_path, roots=ROOTS)
    assert "NOT checked against a root" in text_of(unchecked)
    assert "a claim that anybody could have written" in text_of(unchecked)
    assert "certificate that leads to one of these roots" in text_of(good)
    assert "states that the first signature existed at" in text_of(good)
    assert "existed at the latest, not since when" in text_of(good)
    for found, problem in ((bad, "not signed by a server"), (absent, "no time stamp came")):
        assert found.stamp is None and problem in (found.stamp_problem or "")
        assert "Time stamp: NOT as it must be" in text_of(found)
        assert "states that the first signature" not in text_of(found)
        assert not found.trusted


def test_a_stamp_over_something_else_is_reported_and_not_trusted(tmp_path: Path) -> None:
    found = checked(tmp_path, bundles.seal(stamp=lambda _: stamped(b"another"))[0])
    assert "something else" in (found.stamp_problem or "")
    assert not found.trusted


@pytest.mark.parametrize(
    ("bundle", "error"),
    [
        (SIGNED[:-1], DamagedBundle),
        (SIGNED[:60_000] + b"\0" + SIGNED[60_001:], DamagedBundle),
        (b"", DamagedBundle),
        (age.seal(b"a letter", [EDITOR.recipient]), DamagedBundle),
        (age.seal(SIGNED_PLAIN, [OTHER.recipient]), DoesNotOpen),
        (age.seal(hostile(lambda files: None, signer=OTHER), [EDITOR.recipient]), BrokenSignature),
        (age.seal(SIGNED_PLAIN[:-512], [EDITOR.recipient]), DamagedBundle),
    ],
    ids=["cut", "flipped", "empty", "no bundle", "for somebody else", "another signer", "padding"],
)
def test_there_is_no_report_on_what_is_not_whole(tmp_path: Path, bundle: bytes, error: type[VaultError]) -> None:
    with pytest.raises(error):
        checked(tmp_path, bundle)


def test_there_is_no_report_on_a_bundle_that_was_meant_for_others(tmp_path: Path) -> None:
    with pytest.raises(Resealed):
        checked(tmp_path, age.seal(SIGNED_PLAIN, [OTHER.recipient]), [OTHER.age])


def test_a_file_that_is_not_there_is_our_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        check(str(tmp_path / "absent"), [EDITOR.age], None, progress=quiet)


def test_a_zip_is_reported_on_with_the_checks_that_a_zip_has(tmp_path: Path) -> None:
    from vault.zipped import zip_sink

    composed = compose(
        [], bundles.items_of(), signer=IdentitySigner(SENDER), clock_ns=CLOCK, bundle_id=ID, by_passphrase=True
    )
    passphrase = Secret(b"eight words that nobody would guess by chance ever")
    with open(tmp_path / "in.zip", "wb") as f, zip_sink(f, passphrase) as inside:
        composed.write(inside, bundles.in_pieces(DOCUMENTS))
    sealed: Sealed = Zipped(str(tmp_path / "in.zip"), passphrase)
    report = text_of(check(sealed, [], None, progress=quiet))
    assert "AES-256 (WinZip AE-2)" in report and "ChaCha20" not in report
    assert "Sealed for whoever has the passphrase." in report
    assert "is among those that the signatures cover" not in report


def test_of_a_bundle_in_parts_it_says_which_were_there_and_what_was_computed(tmp_path: Path) -> None:
    documents = ((b"large", bytes(3_000_000)),)
    composed = compose(
        [EDITOR.recipient], bundles.items_of(documents), signer=IdentitySigner(SENDER), clock_ns=CLOCK, bundle_id=ID
    )
    (tmp_path / "parts").mkdir()
    written = write_parts(
        str(tmp_path / "parts"), cut(composed.size, composed.crowd(), 2_000_000, 1), composed.crowd,
        lambda sink: composed.write(sink, bundles.in_pieces(documents, 1 << 20)), disk=Disk(), progress=lambda _: None,
    )  # fmt: skip
    os.unlink(written.parts[0].path)
    sealed = find_parts([str(tmp_path / "parts")], [EDITOR.age])
    assert sealed is not None
    found = check(sealed, [EDITOR.age], None, progress=quiet)
    report = text_of(found)
    assert "These are 2 of 3 parts, of which 2 are enough. Computed from repair parts: 1." in report
    assert len(found.files) == 2 and all(f.sha256.hex() in report for f in found.files)


# What a hostile sender puts in

TRICKS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
KEYS = st.sampled_from(["event", "at_ns", "signed_by"])


@given(TRICKS, st.dictionaries(KEYS, TRICKS | st.integers(-9, 9) | st.none()))
def test_nothing_that_a_sender_writes_breaks_or_disguises_the_report(
    tmp_path_factory: pytest.TempPathFactory, text: str, event: dict[str, object]
) -> None:
    content = text.encode()
    item = BundleItem(content, len(content), hashlib.sha256(content).digest(), -(2**62), 2**62, custody=(event,))
    composed = compose([EDITOR.recipient], [item], signer=None, clock_ns=CLOCK, bundle_id=ID, title=text)
    path = tmp_path_factory.mktemp("hostile") / "in.age"
    with open(path, "wb") as f:
        sealer = age.Sealer(f, composed.crowd())
        composed.write(sealer, lambda _: iter([content]))
        sealer.finish()
    found = check(str(path), [EDITOR.age], None, progress=quiet)
    harmless = replace(
        found,
        tags=replace(
            found.tags, title="title" if found.tags.title else "",
            items=tuple(replace(item, name=b"name", custody=({"event": "filed"},)) for item in found.tags.items),
        ),
    )  # fmt: skip
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    for language in LANGUAGES:
        with speaking(language):
            report, expected = (bundle_report.render(each, version="1", made_ns=CLOCK) for each in (found, harmless))
        assert not {char for char in report if unicodedata.category(char) in hidden} - {"\n", "\u200c", "\u200d"}
        assert outline(report) == outline(expected) and hashlib.sha256(content).hexdigest() in report
        headings = [line for line in report.splitlines() if line[:1].isdigit()]
        assert [line.partition(".")[0] for line in headings] == list("1234567" if language == "en" else "12345678")


def outline(report: str) -> list[str]:
    """The headings, and the first word of each statement: all that stands as far to the left as theirs do."""
    lines = report.splitlines()[3:]
    return [line if not line.startswith(" ") else line.split()[0] for line in lines if not line.startswith("    ")]


def test_a_record_of_many_kinds_does_not_fill_the_report(tmp_path: Path) -> None:
    events = tuple({"event": f"kind {number}"} for number in range(500))
    item = BundleItem(b"x", 1, hashlib.sha256(b"x").digest(), None, None, custody=events)
    composed = compose([EDITOR.recipient], [item], signer=None, clock_ns=CLOCK, bundle_id=ID)
    with open(tmp_path / "in.age", "wb") as f:
        sealer = age.Sealer(f, composed.crowd())
        composed.write(sealer, lambda _: iter([b"x"]))
        sealer.finish()
    found = check(str(tmp_path / "in.age"), [EDITOR.age], None, progress=quiet)
    report = text_of(found)
    assert bundle_report.custody_of(found).events == 500
    assert "and 470 other kinds." in report
