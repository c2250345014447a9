# SPDX-License-Identifier: Apache-2.0
"""What `verify FILE` says: a report in English for whoever it is handed to, and its sum in the reader's language."""

from __future__ import annotations

import re

import pytest

from tests.support.commands import Desk, bundle
from tools import words

__all__ = ["bundle"]

VERIFIED = {"ky": "баары текшерилди", "ru": "проверены все", "uz": "hammasi tekshirildi"}
CONTACT = {
    "ky": "сөздөрү салыштырылган байланыш", "ru": "контакт, слова сверены",
    "uz": "so‘zlari solishtirilgan kontakt",
}  # fmt: skip


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_whoever_reads_no_english_learns_that_a_bundle_is_whole_and_who_signed_it(
    language: str, bundle: tuple[Desk, Desk, str]
) -> None:
    _one, editor, sealed = bundle
    shown = editor.run("verify", sealed, "--lang", language)
    assert VERIFIED[language] in shown.err and CONTACT[language] in shown.err
    written = editor.run("verify", sealed, "-o", str(editor.home / "report.txt"), "--lang", language)
    assert VERIFIED[language] in written.out and CONTACT[language] in written.out


def test_the_report_and_its_json_are_the_same_english_in_every_language(bundle: tuple[Desk, Desk, str]) -> None:
    _one, editor, sealed = bundle
    english = editor.run("verify", sealed)
    for language in words.LANGUAGES:
        report = editor.run("verify", sealed, "--lang", language).out
        assert without_times(report) == without_times(english.out) and "a verified contact" in " ".join(report.split())
        signer = editor.json("verify", sealed, "--lang", language)["signer"]
        assert signer["remark"] == "a verified contact"
    assert "a verified contact" not in english.err


def without_times(report: str) -> str:
    return re.sub(r"at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "at a time", report)
