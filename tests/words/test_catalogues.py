# SPDX-License-Identifier: Apache-2.0
"""The catalogues: up to date with the sources, complete, and without what would break a sentence or mislead."""

from __future__ import annotations

import gettext
import re
import string
from collections import Counter
from functools import cache

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from tools import words

LANGUAGES = words.LANGUAGES
COMMANDS = re.compile(r"(?<![\w}-])(--[a-z][a-z-]+|-[a-zA-Z](?![\w‘’-])|SANDYK_[A-Z]+|KEYS GONE)")
TYPED = re.compile(r"sandyk ((?:[a-z]+ ?){1,3})")
"""`sandyk case grant CASE`: the words in small letters after the program's name."""
CYRILLIC = ("ky", "ru")


@cache
def template() -> Catalog:
    """What the sources say now. Gathered once."""
    return words.gathered()


@cache
def catalogue(language: str) -> Catalog:
    """What is translated, as it lies there."""
    with (words.LOCALE / language / "LC_MESSAGES" / "sandyk.po").open("rb") as f:
        return read_po(f, locale=language)


def texts(language: str) -> list[Message]:
    """The texts that are translated."""
    return [message for message in catalogue(language) if message.id and message.string]


def fields(text: str) -> Counter[str]:
    """The fields of a format string, with what is said of how they are shown."""
    return Counter(
        f"{name}!{conversion}:{spec}"
        for _, name, spec, conversion in string.Formatter().parse(text)
        if name is not None
    )


def complain(wrong: list[str]) -> str:
    """The first few, readable."""
    return f"{len(wrong)}:\n" + "\n".join(wrong[:20])


def test_the_template_is_what_the_sources_say() -> None:
    """If this fails, `make words` has not been run since a text changed."""
    assert words.TEMPLATE.read_bytes() == words.as_po(template())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_the_template_s_texts_and_is_spelled_as_the_tool_spells_it(language: str) -> None:
    path = words.LOCALE / language / "LC_MESSAGES" / "sandyk.po"
    expected = words.translated(language, template(), catalogue(language))
    assert path.read_bytes() == words.as_po(expected)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_file_is_what_the_catalogue_compiles_to(language: str) -> None:
    expected = words.as_mo(words.translated(language, template(), catalogue(language)))
    assert (words.LOCALE / language / "LC_MESSAGES" / "sandyk.mo").read_bytes() == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_file_says_what_was_translated(language: str) -> None:
    translations = gettext.translation(words.DOMAIN, str(words.LOCALE), languages=[language])
    assert all(translations.gettext(str(m.id)) == m.string for m in texts(language))


def test_gathering_twice_gives_the_same_bytes() -> None:
    assert words.as_po(words.gathered()) == words.as_po(words.gathered())


def test_no_file_says_when_where_or_with_what_it_was_made() -> None:
    for path in words.LOCALE.rglob("*.po*"):
        said = path.read_text("utf-8")
        assert not re.search(r"Date:|Generated-By|\.py:\d|@", said.split("\n\n")[0]) and not re.search(
            r"#: .*:\d", said
        )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_none_is_a_guess(language: str) -> None:
    missing = [str(m.id) for m in template() if m.id and not (catalogue(language).get(m.id) or Message("")).string]
    guesses = [str(m.id) for m in catalogue(language) if m.id and m.fuzzy]
    assert not missing and not guesses, complain(missing + guesses)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_same_fields(language: str) -> None:
    wrong = [str(m.id) for m in texts(language) if set(fields(str(m.id))) != set(fields(str(m.string)))]
    assert not wrong, complain(wrong)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_begins_and_ends_with_the_same_blanks(language: str) -> None:
    def blanks(text: str) -> tuple[str, str]:
        return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]

    wrong = [str(m.id) for m in texts(language) if blanks(str(m.id)) != blanks(str(m.string))]
    assert not wrong, complain(wrong)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_option_setting_or_command_is_changed_or_lost(language: str) -> None:
    wrong = []
    for message in texts(language):
        english, said = str(message.id), str(message.string)
        if set(COMMANDS.findall(english)) != set(COMMANDS.findall(said)) or any(
            f"sandyk {typed.strip()}" not in said for typed in TYPED.findall(english) if is_command(typed)
        ):
            wrong.append(f"{english!r}: {said!r}")
    assert not wrong, complain(wrong)


@cache
def commands() -> frozenset[str]:
    """Every command without the program's name, the groups among them."""
    from tests.support.cli_docs import commands as all_commands

    return frozenset(command.removeprefix("sandyk").strip() for command in all_commands())


def is_command(typed: str) -> bool:
    """Whether these words are a command, and not the beginning of a sentence."""
    return typed.strip() in commands()


def test_the_words_that_raid_cards_wait_for_are_the_same_in_every_language() -> None:
    lines = [m for m in template() if str(m.id).startswith("KEYS GONE")]
    assert lines
    for language in LANGUAGES:
        said = {str(m.id): str(m.string) for m in texts(language)}
        assert all(said.get(str(m.id), "KEYS GONE").startswith("KEYS GONE") for m in lines)


@pytest.mark.parametrize("language", CYRILLIC)
def test_no_english_word_is_left_in_cyrillic_text(language: str) -> None:
    """But names, and what stands in the English text in backquotes, as a command, an option, a path or a field."""
    wrong = []
    for message in texts(language):
        english, said = str(message.id), str(message.string)
        names = KEPT_WORDS | {word for command in commands() for word in command.split()}
        left = [word for word in latin_words(said) if word.lower() in english_words() and word not in names]
        if left:
            wrong.append(f"{left}: {said!r}  ({english!r})")
    assert not wrong, complain(wrong)


def latin_words(text: str) -> list[str]:
    """Words of Latin small letters that are neither fields, commands, options, settings, paths nor addresses."""
    for command in sorted(commands(), key=len, reverse=True):
        if command:
            text = re.sub(rf"sandyk {re.escape(command)}\b", " ", text)
    text = re.sub(
        r"OpenSSL|pip install '[^']*'|\{[^}]*\}|`[^`]*`|https?://\S+|--?[a-z][\w-]*|\S*[/_.:=\d@\\]\S*|[A-Z_]{2,}\w*",
        " ",
        text,
    )
    return re.findall(r"(?<![\w-])[A-Za-z]{3,}(?![\w-])", text)


@cache
def english_words() -> frozenset[str]:
    """The words of the English texts that are words of a sentence: those that stand in at least three of them."""
    count: Counter[str] = Counter()
    for message in template():
        count.update({word.lower() for word in latin_words(str(message.id))})
    return frozenset(word for word, times in count.items() if times >= 3)


KEPT_WORDS = frozenset((
    "sandyk", "age", "keyring", "counter", "outbox", "quarantine", "index", "tar", "scrypt", "tesseract", "systemd",
    "bash", "zsh", "fish", "openssl", "root", "crypt", "swap", "kill", "overlay", "mail", "signal", "telegram", "note",
    "source", "tag", "Unicode", "BagIt", "Pillow", "Telegram", "Signal", "Linux", "Windows", "Ctrl", "Enter", "Tab",
    "Esc", "Shift", "Caps", "Lock", "Page", "Home", "End", "Space", "Office", "Outlook", "Excel", "Word", "Wayland",
    "OpenSSL", "PowerShell", "textual", "word", "sheet", "slides", "text", "image", "audio", "video", "archive",
    "other",
))  # fmt: skip
"""Names of programs, files, settings, keys, and kinds of documents."""
