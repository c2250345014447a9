# SPDX-License-Identifier: Apache-2.0
"""What `verify FILE` says in each language: the same report, sentence by sentence, with the same hashes and numbers."""

from __future__ import annotations

import functools
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import bundles
from tests.support.bundles import CLOCK, EDITOR, SENDER, SIGNED
from tests.support.commands import Desk, bundle
from tests.support.languages import speaking
from tests.support.tsa import authority
from tests.words.test_catalogues import texts
from tools import words
from vault import bundle_report, timestamp
from vault.bundle import IdentitySigner
from vault.bundle_checking import Checked, check
from vault.bundle_report import Section
from vault.language import ENGLISH, LANGUAGES
from vault.part_reader import LeftOut, PartSet
from vault.parts import Terms
from vault.senders import Sender

__all__ = ["bundle"]

VERIFIED = {"ky": "баары текшерилди", "ru": "проверены все", "uz": "hammasi tekshirildi"}
CONTACT = {
    "en": "a verified contact", "ky": "сөздөрү салыштырылган байланыш", "ru": "контакт, слова сверены",
    "uz": "so‘zlari solishtirilgan kontakt",
}  # fmt: skip
NOT = {"en": "NOT", "ky": "ЭМЕС", "ru": "НЕ", "uz": "EMAS"}
"""What a check that was not passed says, in capitals."""
TRANSLATION = "`sandyk --lang en verify"
"""Stands in a report that is not English: of what it is the translation."""
NOT_PASSED = {"stamped, unchecked", "stamped without a name", "stamped, not examined", "stamped by another"}
NAMES = (
    "SHA-256", "SHA-512", "Ed25519", "ML-DSA-65", "SSHSIG", "ChaCha20-Poly1305", "HMAC-SHA-1", "AES-256", "WinZip AE-2",
    "BagIt 1.0", "RFC 8493", "RFC 8032", "RFC 3161", "FIPS 204", "age v1", "UTC", "README.txt", "docs/format-bundle.md",
    "tagmanifest-sha256.txt", "ssh-keygen", "openssl", "CN=Time,O=Test", "urn:uuid:",
)  # fmt: skip
"""What is the same in every language."""


def _stamped(signature: bytes) -> bytes:
    return authority().reply(timestamp.request_for(signature).der)


def _checked(sealed: bytes, roots: timestamp.Roots = ()) -> Checked:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "in.age")
        path.write_bytes(sealed)
        found = check(str(path), [EDITOR.age], None, roots=roots, progress=lambda documents, size: None)
    return replace(found, files=tuple(replace(file, path="in.age") for file in found.files))


@functools.cache
def samples() -> dict[str, Checked]:
    """Bundles that between them have the report say everything that it can say. Checked once."""
    stamp = _checked(bundles.seal(stamp=_stamped)[0], timestamp.read_roots(authority().root.read_bytes()))
    assert stamp.stamp is not None
    unchecked = replace(stamp.stamp, checked_against=())
    case = _checked(bundles.seal(signer=IdentitySigner(SENDER, SENDER.card(case_id=bytes(16), epoch=3)))[0])
    drop = _checked(bundles.seal(signer=None)[0])
    recipients = bundles.seal(recipients=(EDITOR.recipient, bundles.OTHER.recipient))[0]
    signed = _checked(SIGNED)
    busy = tuple(replace(item, custody=tuple({"event": f"kind {n}"} for n in range(40))) for item in signed.tags.items)
    parts = PartSet(Terms(bytes(32), 2, 1, 1 << 16, 1 << 17), {}, (LeftOut("b.age", "?"),))
    return {
        "signed": signed,
        "for two": _checked(recipients),
        "known and trusted": replace(signed, sender=Sender("Айгүл", "w", True, "a verified contact")),
        "known": replace(signed, sender=Sender("Айгүл", "w", False, "a contact whose words were not compared yet")),
        "of a case": case,
        "drop": drop,
        "without a title": replace(drop, tags=replace(drop.tags, title="", not_examined=("metadata/new", "x"))),
        "in a ZIP": replace(signed, carrier="zip", tags=replace(signed.tags, sealed_for=("passphrase",))),
        "in parts": replace(signed, carrier="parts", joined=parts),
        "stamped": stamp,
        "stamped, to the second": replace(stamp, stamp=replace(stamp.stamp, accuracy_us=None)),
        "stamped, unchecked": replace(stamp, stamp=unchecked),
        "stamped without a name": replace(stamp, stamp=replace(unchecked, name="")),
        "stamped, not examined": replace(stamp, stamp=None),
        "stamped by another": replace(stamp, stamp=None, stamp_problem="?"),
        "many kinds": replace(signed, tags=replace(signed.tags, items=busy)),
        "no record": replace(
            signed,
            tags=replace(
                signed.tags,
                items=tuple(replace(item, custody=(), mtime_ns=None, filed_ns=None) for item in signed.tags.items),
            ),
        ),
    }


def sections_in(language: str, found: Checked) -> tuple[Section, ...]:
    with speaking(language):
        return bundle_report.sections(found)


def text_in(language: str, found: Checked) -> str:
    with speaking(language):
        return bundle_report.render(found, version="1", made_ns=CLOCK)


def figures(section: Section) -> list[list[str]]:
    """The hashes and numbers of each line, in their order."""
    return [
        re.findall(r"[0-9A-Za-z+/=]{40,}|\d+(?:[.:-]\d+)*", line) for line in (section.heading, *section.lines)
    ]


def joined(section: Section) -> str:
    return " ".join((section.heading, *section.lines))


def without_times(report: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "a time", report)


def test_between_them_the_samples_say_every_sentence_of_the_report() -> None:
    """Else a sentence could be in no test here."""
    said = "\n".join(" ".join(text_in("ru", found).split()) for found in samples().values())
    unsaid = []
    for message in texts("ru"):
        if any(file == "vault/bundle_report.py" for file, _line in message.locations):
            literal = re.split(r"\{\w+\}", " ".join(str(message.string).split()))
            if not re.search(".*".join(map(re.escape, literal)), said):
                unsaid.append(message.id)
    assert unsaid == []


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_report_has_the_same_sections_and_lines_with_the_same_hashes_and_numbers(language: str) -> None:
    for sample, found in samples().items():
        english, said = sections_in(ENGLISH, found), sections_in(language, found)[:-1]
        assert [figures(section) for section in said] == [figures(section) for section in english], sample
        for one, other in zip(map(joined, english), map(joined, said), strict=True):
            assert [one.count(name) for name in NAMES] == [other.count(name) for name in NAMES], sample


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_no_sentence_of_a_report_is_left_in_english(language: str) -> None:
    for found in samples().values():
        for english, said in zip(sections_in(ENGLISH, found), sections_in(language, found)[:-1], strict=True):
            assert english.heading != said.heading
            for one, other in zip(english.lines, said.lines, strict=True):
                wordless = re.match(r"\d{4}  |openssl ts | *\d+  kind \d+$", one)
                assert (one == other) == bool(wordless), other


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_a_report_that_is_not_english_says_at_its_end_that_the_english_one_is_meant(language: str) -> None:
    for sample, found in samples().items():
        sections = sections_in(language, found)
        assert len(sections) == (7 if language == ENGLISH else 8), sample
        assert (TRANSLATION in joined(sections[-1])) is (language != ENGLISH), sample
        assert not any(TRANSLATION in joined(section) for section in sections[:7]), sample
        assert text_in(language, found).count(TRANSLATION) == (language != ENGLISH), "on one line, to be copied"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_was_not_passed_says_so_in_capitals_and_nothing_else_does(language: str) -> None:
    """The heading promises that what does not say it was passed."""
    mark = re.compile(rf"\b{NOT[language]}\b")
    for sample, found in samples().items():
        checks = sections_in(language, found)[1]
        assert mark.search(checks.heading)
        assert sum(bool(mark.search(line)) for line in checks.lines) == (sample in NOT_PASSED), sample


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_line_is_no_wider_than_a_page_and_cuts_no_word(language: str) -> None:
    for found in samples().values():
        text = text_in(language, found)
        assert all(len(line) <= 100 or len(line.split()) == 1 for line in text.splitlines()), text
        lines = [line for section in sections_in(language, found) for line in section.lines]
        assert [word for line in lines for word in line.split()] == [
            word for line in text.splitlines()[3:] if line.startswith("   ") for word in line.split()
        ]


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_translator_s_sentence_is_one_line(language: str) -> None:
    ours = [m for m in texts(language) if any(file == "vault/bundle_report.py" for file, _line in m.locations)]
    assert len(ours) > 60 and all(str(message.string).isprintable() for message in ours)


def test_the_report_of_the_command_speaks_the_language_of_the_command(bundle: tuple[Desk, Desk, str]) -> None:
    _one, editor, sealed = bundle
    english = editor.run("verify", sealed)
    for language in LANGUAGES:
        printed = editor.run("verify", sealed, "--lang", language)
        assert printed.err == english.err, "the report says it all"
        assert f"(“{CONTACT[language]}”)" in re.sub(r"\([^“]*“", "(“", " ".join(printed.out.split()))
        path = editor.home / f"{language}.txt"
        said = editor.run("verify", sealed, "-o", str(path), "--lang", language).out
        assert without_times(path.read_text("utf-8")) == without_times(printed.out)
        assert CONTACT[language] in said and (language == ENGLISH or VERIFIED[language] in said)
    (tongue,) = re.findall(r"`sandyk (--lang en) verify ФАЙЛ`", editor.run("verify", sealed, "--lang", "ru").out)
    named = editor.run(*tongue.split(), "verify", sealed, "--lang", "en")
    assert without_times(named.out) == without_times(english.out)


def test_in_json_only_the_sentences_for_people_are_translated(bundle: tuple[Desk, Desk, str]) -> None:
    _one, editor, sealed = bundle
    english = editor.json("verify", sealed)
    sentences = ("checked", "shows", "does_not_show")
    for language in words.LANGUAGES:
        document = editor.json("verify", sealed, "--lang", language)
        assert document["signer"].pop("remark") == CONTACT[language]
        expected = {**english, "signer": {k: v for k, v in english["signer"].items() if k != "remark"}}
        for name in sentences:
            assert len(document[name]) == len(expected[name]) and not set(document[name]) & set(expected[name])
        assert {k: v for k, v in document.items() if k not in sentences} == {
            k: v for k, v in expected.items() if k not in sentences
        }
    assert english["signer"]["remark"] == CONTACT["en"]
