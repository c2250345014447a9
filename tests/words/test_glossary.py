# SPDX-License-Identifier: Apache-2.0
"""One word for one thing in every language: the list in docs/translating.md, held to all texts by stems."""

from __future__ import annotations

import re

import pytest

from tests.words.test_catalogues import texts

STEMS = {
    "vaults?": {"ru": "сейф", "ky": "санды[кг]", "uz": "sandi[qg]"},
    "journalists?": {"ru": "журналист", "ky": "журналист", "uz": "jurnalist"},
    "passphrases?": {"ru": "парол", "ky": "сырсөз", "uz": "parol"},
    "duress passphrases?": {"ru": "под принуждением", "ky": "мажбурлоо", "uz": "majburlov"},
    "decoys?": {"ru": "обманк|обманок", "ky": "жасалма", "uz": "soxta sandi[qg]"},
    "outside half": {"ru": "втор", "ky": "экинчи жарым", "uz": "ikkinchi yarm"},
    "keyrings?": {"ru": "связк", "ky": "ачкычтар түйүн|түйүн", "uz": "kalitlar bog‘lam"},
    "bundles?": {"ru": "пакет", "ky": "топтом", "uz": "to‘plam"},
    "packs?": {"ru": "том", "ky": "таңга[кг]", "uz": "bog‘lam"},
    "receipts?": {"ru": "расписк|расписок", "ky": "тилкат", "uz": "tilxat"},
    "safe abroad": {"ru": "за границей", "ky": "чет өлкөдө коопсуз", "uz": "chet elda xavfsiz"},
    "custody record": {"ru": "истори", "ky": "тарых", "uz": "tarix"},
    "time stamps?": {"ru": "мет[ко]", "ky": "убакыт белги", "uz": "belgi"},
    "outbox": {"ru": "исходящи", "ky": "чыгыш куту", "uz": "jo‘natish navbat"},
    "agents?": {"ru": "агент", "ky": "агент", "uz": "agent"},
    "clean cop(?:y|ies)": {"ru": "очищенн", "ky": "тазалан", "uz": "tozalangan"},
    "parity": {"ru": "восстановлени", "ky": "калыбына келтир", "uz": "tiklash"},
    "repair parts?": {"ru": "запасн", "ky": "запас", "uz": "zaxira"},
    "editors?": {"ru": "редактор", "ky": "редактор", "uz": "muharrir"},
    "newsroom": {"ru": "редакци", "ky": "редакция", "uz": "tahririyat"},
    "wiped?|wipes": {"ru": "уничтож", "ky": "жок кыл", "uz": "yo‘q qil"},
}
"""By the English word. The rest of the list has other meanings too: a *key* is on the keyboard as well."""

NO_WORDS = re.compile(r"`[^`]*`|\{[^}]*\}|--[a-z-]+|sandyk(?: [a-z-]+)+|\b[A-Z_:]{3,}\b|\b\w+\.(?:txt|md|age)\b")
"""Commands, fields, options, placeholders and file names: said in English, or of another meaning."""


@pytest.mark.parametrize("language", ["ky", "ru", "uz"])
@pytest.mark.parametrize("english", STEMS)
def test_a_thing_has_its_one_word_wherever_it_is_spoken_of(english: str, language: str) -> None:
    other = [
        f"{message.id!r}: {message.string!r}"
        for message in texts(language)
        if re.search(rf"\b(?:{english})\b", NO_WORDS.sub("", str(message.id)), re.IGNORECASE)
        and not re.search(STEMS[english][language], str(message.string), re.IGNORECASE)
    ]
    assert not other, "\n".join(other)
