# SPDX-License-Identifier: Apache-2.0
"""`index` and `search` as one types them."""

from __future__ import annotations

import os

import pexpect

from tests.support import papers
from tests.support.commands import Desk


def test_what_is_in_documents_is_found_and_shown_with_the_place(one: Desk) -> None:
    one.write("in/a.txt", "Копия договора о строительстве дороги".encode("cp1251"))
    one.write("in/b.docx", papers.word(document="Ўзбекистон"))
    one.run("add", "Road works", str(one.home / "in"), "--tag", "тендер")
    before = one.run("search", "договор")
    assert before.out == "nothing found\n"
    assert "Road works: 2 document(s) were not read yet: sandyk index" in before.err
    assert one.run("index", "--no-ocr").out == "Road works: 2 document(s) read\n"
    found = one.run("search", "договор", "дорог")
    row, snippet = found.out.splitlines()
    assert row.endswith("text  Road works  in/a.txt")
    assert snippet == "    Копия «договора» о строительстве «дороги»"
    assert found.err == ""
    assert "in/b.docx" in one.run("search", "o'zbekiston", "--case", "Road works").out


def test_json_has_the_place_in_pieces_and_says_what_was_not_read(one: Desk) -> None:
    one.write("in/a.txt", "Договор о дороге")
    one.run("add", "Road works", str(one.home / "in"))
    assert one.json("search", "договор")["unread"] == 1
    done = one.json("index")
    assert done["cases"][0]["states"] == {"read": 1, "empty": 0, "failed": 0, "pictures": 0, "large": 0}
    found = one.json("search", "договор", "--type", "text")
    (hit,) = found["items"]
    assert (hit["found_in"], hit["type"], found["unread"], found["more"]) == ("text", "text", 0, False)
    assert hit["snippet"] == [{"text": "Договор", "match": True}, {"text": " о дороге", "match": False}]
    assert one.json("search", "договор", "--type", "pdf")["items"] == []


def test_nothing_of_a_document_reaches_the_terminal_as_an_escape(one: Desk) -> None:
    """Not from its text, whatever is in it, and not from its name; at a terminal only our own bold is there."""
    one.write("in/\x1b[31m.html", "<p>слово \x1b]0;title\x07 \u202eabc&#27;[2J &#x9b;31m слово</p>")
    one.run("add", "Road works", str(one.home / "in"), "--note", "слово \x1b[5m")
    one.run("index", "--no-ocr")
    plain = one.run("search", "слово").out
    assert "\x1b" not in plain and "\x9b" not in plain and "\u202e" not in plain
    with pexpect.spawn(one.words("search", "слово")[0], one.words("search", "слово")[1:], env=one.environment(),
                       encoding="utf-8", timeout=60) as child:  # fmt: skip
        child.expect(pexpect.EOF)
        said = child.before
    assert "\x1b[1mслово\x1b[0m" in said
    assert "\x1b" not in said.replace("\x1b[1m", "").replace("\x1b[0m", "")


def test_days_are_those_of_filing_and_a_wrong_one_is_refused(one: Desk) -> None:
    one.write("in/a.txt", "слово")
    one.run("add", "Road works", str(one.home / "in"))
    one.run("index", "--no-ocr")
    assert one.json("search", "слово", "--since", "2020-01-01", "--until", "2199-12-31")["items"]
    assert one.json("search", "слово", "--until", "2020-01-01")["items"] == []
    assert one.json("search", "слово", "--since", "2199-12-31")["items"] == []
    for wrong in ("tomorrow", "2026-13-01", "20260101", "9999-12-31"):
        assert "no date" in one.run("search", "слово", "--until", wrong, code=2).err
    assert "the types are pdf" in one.run("search", "слово", "--type", "book", code=2).err


def test_what_cannot_be_read_is_named_and_the_rest_is_read(one: Desk) -> None:
    one.write("in/old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    one.write("in/a.txt", "слово")
    one.run("add", "Road works", str(one.home / "in"))
    done = one.run("index", "--no-ocr", code=3)
    assert done.out == "Road works: 1 document(s) read\n"
    assert "not read: in/old.doc: it is damaged, or no compound file" in done.err
    assert one.run("search", "слово").out.count("a.txt") == 1
    assert one.run("index", "--no-ocr").out == "Road works: 0 document(s) read\n"


def test_a_case_whose_texts_are_in_the_way_is_passed_over_and_named_with_what_to_do(one: Desk) -> None:
    one.run("case", "new", "Zoo")
    one.write("in/a.txt", "слово")
    for case in ("Road works", "Zoo"):
        one.run("add", case, str(one.home / "in"))
    listed = one.json("case", "list")["cases"]
    folder = next(one.vault / "cases" / row["id"] for row in listed if row["case"] == "Road works")
    (folder / "text").mkdir()
    (folder / "text" / "strange").write_text("x")
    done = one.run("index", "--no-ocr", code=3)
    assert done.out == "Zoo: 1 document(s) read\n"
    assert "passed over: case Road works:" in done.err and "hint: look at it, move it elsewhere" in done.err
    found = one.run("search", "слово")
    assert found.out.count("a.txt") == 1 and "note: Road works:" in found.err and "hint:" in found.err


def test_verify_says_that_texts_are_damaged_and_documents_are_not(one: Desk) -> None:
    one.write("in/a.txt", "слово")
    one.run("add", "Road works", str(one.home / "in"))
    one.run("index", "--no-ocr")
    assert one.json("verify")["cases"][0]["texts"] == ""
    (path,) = one.vault.glob("cases/*/text")
    path.write_bytes(b"damaged" * 5000)
    done = one.run("verify", code=12)
    assert "Road works: whole" in done.out and "texts for searches:" in done.out and "sandyk index" in done.out
    assert done.err == "sandyk: no damage was found in documents, but in what was read in them for searches\n"
    one.run("index", "--no-ocr")
    one.run("verify")


def test_more_than_the_limit_is_said(one: Desk) -> None:
    for n in range(4):
        one.write(f"in/{n}.txt", f"слово {n}")
    one.run("add", "Road works", str(one.home / "in"))
    one.run("index", "--no-ocr")
    few = one.run("search", "слово", "--limit", "3")
    assert (few.out.count(".txt"), "there are more than 3" in few.err) == (3, True)
    assert one.run("search", "слово", "--names-only").out == "nothing found\n"


def test_no_word_of_a_document_lies_on_the_disk_in_clear(one: Desk) -> None:
    one.write("in/a.txt", "кашкарбаева дала показания " * 50)
    one.run("add", "Road works", str(one.home / "in"))
    one.run("index", "--no-ocr")
    assert one.run("search", "кашкарбаева").out.count("a.txt") == 1
    (one.home / "in/a.txt").unlink()
    for folder, _, files in os.walk(one.home):
        for name in files:
            with open(os.path.join(folder, name), "rb") as f:
                assert "кашкарбаева".encode() not in f.read(), name


def test_the_wipe_takes_the_texts_along(one: Desk) -> None:
    one.write("in/a.txt", "слово")
    one.run("add", "Road works", str(one.home / "in"))
    one.run("index", "--no-ocr")
    (texts,) = one.vault.glob("cases/*/text")
    assert texts.stat().st_size > 4096
    report = one.json("panic")
    assert report["destroyed"]["indexes"] == 2
    assert not one.vault.exists() and report["left_behind"] == []
