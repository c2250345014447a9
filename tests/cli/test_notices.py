# SPDX-License-Identifier: Apache-2.0
"""What the program says unasked: who came into the vault, and who changed the members of a case."""

from __future__ import annotations

from tests.support.commands import Desk, colleague


def notes(err: str) -> list[str]:
    """The lines that are for a person and not for a program."""
    return [line for line in err.splitlines() if line.startswith("note: ")]


def test_what_others_changed_is_said_once_on_standard_error_also_when_the_answer_is_json(one: Desk) -> None:
    """Бермет, whom one let in, brings Чынгыз into the vault and into the case."""
    bermet = colleague(one, "Бермет")
    one.run("case", "grant", "Road works", "Бермет")
    assert notes(bermet.run("list").err) == []
    colleague(bermet, "Чынгыз", "yet another passphrase")
    bermet.run("case", "grant", "Road works", "Чынгыз")
    told = one.run("list", "--json")
    assert told.document["items"] == []
    new, members = notes(told.err)
    assert new.startswith("note: Чынгыз is new in the list of journalists, with the words ")
    changed = "Бермет changed who can read Road works: now you, Бермет, Чынгыз; before: you, Бермет"
    assert members.startswith(f"note: {changed};")
    assert notes(one.run("list").err) == []


def test_words_of_a_colleague_are_compared_like_those_of_a_contact(one: Desk) -> None:
    colleague(one, "Бермет")
    words = {j["name"]: j["words"] for j in one.json("journalist", "list")["journalists"]}["Бермет"]
    one.run("contact", "verify", "бермет", "--words", words)
    one.run("contact", "verify", "Бермет", "--words", "other words", code=13)
