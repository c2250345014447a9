# SPDX-License-Identifier: Apache-2.0
"""The whole job as a person does it: every command through the console script, and every exit code at least once."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from keys.age import HybridIdentity
from tests.support.commands import LETTER, SCRIPT, Desk, colleague, desk, exchange_cards
from vault import layout
from vault.cli import exits


def with_case(at: Desk, *names: str) -> Desk:
    for name in names:
        at.run("case", "new", name)
    return at


def ids(at: Desk, *words: str) -> dict[str, str]:
    """The items that `list` shows, by name."""
    return {item["name"]: item["id"] for item in at.json("list", *words)["items"]}


def packs(at: Desk) -> list[Path]:
    return sorted(at.vault.glob(f"{layout.CASES}/*/{layout.PACKS}/*.age"))


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


# Making a vault, and who is in it


def test_the_real_init_makes_a_vault_that_the_next_command_opens(tmp_path: Path) -> None:
    at = desk(tmp_path)
    at.vault = tmp_path / "another"
    made = at.json("init", "--new-passphrase-file", str(at.passphrase), "--name", "Бермет")
    assert made.pop("warnings") == at.json("status")["warnings"]  # what they say depends on the machine
    assert made == {"vault": str(at.vault), "journalist": "Бермет", "token": None}
    assert at.json("journalist", "list")["journalists"][0]["name"] == "Бермет"
    assert "a vault is there already" in at.run("init", "--new-passphrase-file", str(at.passphrase), code=1).err


def test_init_refuses_a_folder_with_something_in_it_and_a_weak_passphrase(one: Desk) -> None:
    weak = one.write("weak", "elevenchars")
    assert (
        "the folder is not empty"
        in one.run("init", "--vault", str(one.home), "--new-passphrase-file", weak, code=1).err
    )
    stick = one.home / "stick"
    refused = one.run(
        "init", "--vault", str(one.home / "new"), "--new-passphrase-file", weak, "--new-token", str(stick), code=2
    )
    assert "at least 12 characters" in refused.err
    assert not stick.exists()
    assert not (one.home / "new").exists()


def test_a_colleague_has_a_passphrase_of_their_own_and_sees_only_cases_they_are_let_into(one: Desk) -> None:
    two = colleague(one, "Бакыт")
    assert [j["name"] for j in two.json("journalist", "list")["journalists"]] == ["Айгүл", "Бакыт"]
    assert [j["you"] for j in two.json("journalist", "list")["journalists"]] == [False, True]
    assert two.json("case", "list")["cases"] == []
    assert "you are no member" in two.run("list", "Road works", code=1).err
    assert "already" in one.run("journalist", "add", "Бакыт", "--new-passphrase-file", str(two.passphrase), code=1).err


def test_a_changed_passphrase_opens_and_the_old_one_does_not(one: Desk) -> None:
    new = one.write("new", "an altogether new passphrase")
    assert one.json("journalist", "passwd", "--new-passphrase-file", new) == {"changed": True}
    refused = one.run("list", code=11).err
    assert "nothing here opens with this passphrase" in refused
    assert "hint: check the keyboard's language" in refused
    one.passphrase = Path(new)
    one.run("list")


def test_an_outside_half_is_needed_with_the_passphrase(one: Desk) -> None:
    two = colleague(one, "Бакыт", token=True)
    two.run("list")
    stick, two.token = two.token, None
    assert "--token FILE" in two.run("list", code=11).err
    other = one.write("other", Path(str(stick)).read_bytes()[:-1])
    assert "no outside half" in two.run("list", "--token", other, code=2).err
    assert "is the stick in" in two.run("list", "--token", str(one.home / "not there"), code=2).err


def test_a_removed_journalist_has_no_way_in_and_is_out_of_the_cases(one: Desk) -> None:
    two = colleague(one, "Бакыт")
    one.run("case", "grant", "Road works", "Бакыт")
    two.run("list", "Road works")
    assert one.json("journalist", "remove", "Бакыт") == {"removed": "Бакыт", "revoked_from": ["Road works"]}
    two.run("list", code=11)
    assert [m["name"] for m in one.json("case", "members", "Road works")["members"]] == ["Айгүл"]
    assert one.json("case", "list")["cases"][0]["epoch"] == 2
    assert "cannot remove yourself" in one.run("journalist", "remove", "Айгүл", code=1).err


# Cards and contacts


def test_cards_are_kept_verified_and_forgotten(one: Desk, tmp_path: Path) -> None:
    editor = desk(tmp_path, "Editor")
    card = str(one.home / "editor.card")
    assert editor.run("card", "export", "-o", card).out == ""
    assert "is there already" in editor.run("card", "export", "-o", card, code=1).err
    shown = one.json("card", "show", card)
    assert shown == editor.json("card", "show")
    assert shown["kind"] == "person"
    assert one.json("contact", "add", "editor", card)["words"] == shown["words"]
    assert "is called editor already" in one.run("contact", "add", "editor", card, code=1).err
    assert one.json("contact", "list")["contacts"][0]["verified"] is False
    wrong = one.run("contact", "verify", "editor", "--words", "some other words", code=13).err
    assert "nothing was changed" in wrong
    assert "somebody changed the card on its way" in wrong
    unasked = one.run("contact", "verify", "editor", code=2).err
    assert "--words" in unasked
    assert "passphrase" not in unasked
    assert one.json("contact", "verify", "editor", "--words", shown["words"].upper())["verified"] is True
    assert one.json("contact", "list")["contacts"][0]["verified"] is True
    assert one.json("contact", "remove", "editor") == {"removed": "editor"}
    assert one.json("contact", "list")["contacts"] == []
    assert "no contact is called editor" in one.run("contact", "remove", "editor", code=1).err


def test_a_card_that_was_changed_on_its_way_is_refused(one: Desk) -> None:
    card = one.run("card", "export").out
    changed = card.replace("kind person", "kind persom")
    assert "not a card" in one.run("contact", "add", "x", one.write("bad", changed), code=12).err
    swapped = "".join(
        line if not line.startswith("signing") else f"signing {'A' * 43}=\n" for line in card.splitlines(keepends=True)
    )
    one.run("contact", "add", "x", "-", "--passphrase-file", str(one.passphrase), stdin=swapped.encode(), code=12)
    assert one.json("contact", "list")["contacts"] == []


# Cases


def test_who_is_let_into_a_case_reads_all_of_it_and_after_revocation_nothing_new(one: Desk) -> None:
    two = colleague(one, "Бакыт")
    one.run("add", "Road works", one.write("before.txt"))
    assert one.json("case", "grant", "Road works", "Бакыт")["granted"] == "Бакыт"
    assert "already a member" in one.run("case", "grant", "Road works", "Бакыт", code=1).err
    assert two.run("get", "before.txt", "-o", "-").stdout == b"content\n"
    two.run("add", "Road works", two.write("mine.txt"))
    assert [m["name"] for m in two.json("case", "members", "Road works")["members"]] == ["Айгүл", "Бакыт"]
    assert one.json("case", "revoke", "Road works", "Бакыт")["epoch"] == 2
    one.run("add", "Road works", one.write("after.txt"))
    assert two.json("list")["items"] == []
    assert set(ids(one)) == {"before.txt", "mine.txt", "after.txt"}
    assert "cannot revoke yourself" in one.run("case", "revoke", "Road works", "Айгүл", code=1).err


def test_a_member_whom_no_list_names_any_more_is_revoked_by_their_words(one: Desk, tmp_path: Path) -> None:
    editor = desk(tmp_path, "Editor")
    exchange_cards(one, editor, names=("editor", "news"))
    one.run("case", "grant", "Road works", "editor")
    one.run("contact", "remove", "editor")
    (member,) = [m for m in one.json("case", "members", "Road works")["members"] if m["name"] is None]
    assert "no journalist or contact" in one.run("case", "revoke", "Road works", "editor", code=1).err
    one.run("case", "revoke", "Road works", member["words"])
    assert len(one.json("case", "members", "Road works")["members"]) == 1


def test_a_case_answers_to_its_name_its_id_and_the_beginning_of_its_id(one: Desk) -> None:
    case = one.json("case", "new", "Тендер")
    for reference in ("Тендер", case["id"], case["id"][:6]):
        assert one.json("case", "members", reference)["case"] == "Тендер"
    assert "already" in one.run("case", "new", "Тендер", code=1).err


# Filing and looking


def test_files_folders_and_standard_input_are_filed_found_and_shown(one: Desk) -> None:
    for name in ("in/b.txt", "in/deep/а.txt"):
        one.write(name, name)
    (one.home / "in/link").symlink_to("/etc/passwd")
    about = ("--note", "бюджет 2024", "--source", "a friend", "--tag", "tender", "--tag", "жол")
    filed = one.json("add", "Road works", str(one.home / "in"), one.write("alone.pdf", LETTER), *about, code=3)
    assert [f["name"] for f in filed["filed"]] == ["in/b.txt", "in/deep/а.txt", "alone.pdf"]
    assert filed["filed"][2]["sha256"] == hashlib.sha256(LETTER).hexdigest()
    assert filed["problems"] == [{"name": "in/link", "reason": "a symbolic link, which is not followed"}]
    one.run("add", "Road works", "-", "--name", "note.txt", stdin=b"typed", code=0)
    assert one.run("get", "note.txt", "-o", "-").stdout == b"typed"

    again = one.json("add", "Road works", str(one.home / "alone.pdf"))
    assert (again["filed"][0]["new"], again["filed"][0]["id"]) == (False, None)
    assert len(ids(one)) == 4

    assert [i["name"] for i in one.json("search", "ЖОЛ")["items"]] == ["in/b.txt", "in/deep/а.txt", "alone.pdf"]
    assert [i["name"] for i in one.json("search", "note", "--case", "Road works")["items"]] == ["note.txt"]
    assert one.run("search", "nowhere").out == "nothing found\n"
    one.run("search", "", code=2)

    shown = one.json("show", "alone.pdf")
    assert (shown["note"], shown["source"], shown["tags"]) == ("бюджет 2024", "a friend", ["tender", "жол"])
    assert [c["event"] for c in shown["custody"]] == ["filed"]
    assert "SHA-256" in one.run("show", shown["id"][:8], "--case", "Road works").out
    assert "no item answers" in one.run("show", "nothing.txt", code=1).err


def test_what_does_not_exist_is_named_and_the_rest_is_filed(one: Desk) -> None:
    nothing = one.run("add", "Road works", "missing.txt", code=1)
    assert "not done: missing.txt: there is no such file or folder" in nothing.err
    one.run("add", "Road works", "missing.txt", one.write("there.txt"), code=3)
    assert set(ids(one)) == {"there.txt"}
    one.run("add", "No such case", one.write("there.txt"), code=1)


def test_standard_input_is_not_taken_twice(one: Desk) -> None:
    refused = one.run("add", "Road works", "-", "--passphrase-file", "-", stdin=b"words", code=2).err
    assert "cannot be both" in refused


def test_move_removes_the_original_after_it_was_read_back(one: Desk) -> None:
    path = one.write("in/original.txt", LETTER)
    moved = one.json("add", "Road works", str(one.home / "in"), "--move")
    assert moved["moved"] == ["in/original.txt"]
    assert not os.path.exists(path)
    assert one.run("get", "in/original.txt", "-o", "-").stdout == LETTER
    assert [c["event"] for c in one.json("show", "in/original.txt")["custody"]][:2] == ["filed", "original removed"]


def test_documents_come_out_as_they_were_and_overwrite_nothing(one: Desk) -> None:
    path = Path(one.write("in/кат.txt", LETTER))
    os.utime(path, ns=(1_700_000_000_123_456_789,) * 2)
    one.run("add", "Road works", str(one.home / "in"), one.write("b.txt"))
    out = one.home / "out"
    copied = one.json("get", "in/кат.txt", "-o", str(out))["copied"]
    assert [c["path"] for c in copied] == [str(out / "in/кат.txt")]
    assert (out / "in/кат.txt").read_bytes() == LETTER
    assert (out / "in/кат.txt").stat().st_mtime_ns == 1_700_000_000_123_456_789
    (out / "in/кат.txt").write_text("mine")
    refused = one.run("get", "in/кат.txt", "-o", str(out), code=1)
    assert "is there already; --force overwrites it" in refused.err
    assert one.json("get", "--all", "Road works", "-o", str(out), code=3)["problems"][0]["name"] == "in/кат.txt"
    assert (out / "in/кат.txt").read_text() == "mine"
    one.run("get", "--all", "Road works", "-o", str(out), "--force")
    assert (out / "in/кат.txt").read_bytes() == LETTER
    assert "exactly one document" in one.run("get", "in/кат.txt", "b.txt", "-o", "-", code=2).err
    one.run("get", "-o", str(out), code=2)


def test_two_items_that_answer_to_one_name_are_told_apart_by_id(one: Desk) -> None:
    with_case(one, "A", "B")
    for case in ("A", "B"):
        one.run("add", case, one.write("same.txt", case))
    assert "several cases" in one.run("show", "same.txt", code=2).err
    assert one.run("get", "same.txt", "--case", "B", "-o", "-").stdout == b"B"


# Verifying


def test_a_whole_case_is_said_to_be_whole(one: Desk) -> None:
    one.run("add", "Road works", one.write("a.txt"))
    verdict = one.json("verify")
    assert (verdict["whole"], verdict["cases"][0]["items"], verdict["cases"][0]["packs"]) == (True, 1, 2)
    assert [e["event"] for e in one.json("log", "Road works")["events"]] == ["case created", "filed"]
    assert one.json("log")["events"][1]["name"] == "Айгүл"
    assert one.json("rebuild", "Road works")["items"] == 1


def test_damage_is_found_and_the_document_it_costs_is_named(one: Desk) -> None:
    before = set(packs(one))
    one.run("add", "Road works", one.write("lost.bin", os.urandom(100_000)))
    one.run("add", "Road works", one.write("kept.txt"))
    (largest,) = sorted(set(packs(one)) - before, key=lambda p: p.stat().st_size)[-1:]
    flip(largest, 40_000)
    verdict = one.json("verify", code=12)
    assert [d["name"] for d in verdict["cases"][0]["damaged"]] == ["lost.bin"]
    said = one.run("verify", "Road works", code=12)
    assert "DAMAGED" in said.out
    assert "lost.bin" in said.out
    assert "hint: what still reads can be copied out" in said.err
    out = one.home / "out"
    one.run("get", "--all", "Road works", "-o", str(out), code=3)
    assert [p.name for p in out.iterdir()] == ["kept.txt"]
    assert "lost.bin" in one.run("get", "lost.bin", "-o", "-", code=12).err


def test_a_missing_pack_is_found(one: Desk) -> None:
    before = set(packs(one))
    one.run("add", "Road works", one.write("gone.txt", "not the same"))
    one.run("add", "Road works", one.write("kept.txt"))
    (first, _) = sorted(set(packs(one)) - before, key=lambda p: p.stat().st_mtime_ns)
    first.unlink()
    verdict = one.json("verify", code=12)["cases"][0]
    assert [d["name"] for d in verdict["damaged"]] == ["gone.txt"]
    assert any("missing" in finding["what"] for finding in verdict["findings"])


def test_a_case_whose_access_file_is_damaged_is_named_and_the_others_go_on(one: Desk) -> None:
    with_case(one, "Good", "Bad")
    bad = next(case["id"] for case in one.json("case", "list")["cases"] if case["case"] == "Bad")
    one.run("add", "Good", one.write("a.txt"))
    (access,) = (one.vault / layout.CASES / bad / layout.ACCESS).iterdir()
    flip(access, access.stat().st_size - 40)
    for words in (("list",), ("case", "list"), ("log",)):
        document = one.json(*words, code=3)
        assert [u["id"] for u in document["unusable"]] == [bad]
    assert f"case {bad[:8]} cannot be used" in one.run("list", code=3).err
    assert one.json("verify", code=12)["whole"] is False
    one.run("list", "Good")


# Sealed files


def test_the_editor_opens_what_was_sealed_for_them_and_the_sender_cannot(bundle: tuple[Desk, Desk, str]) -> None:
    one, editor, sealed = bundle
    opened = editor.json("open", sealed, "-o", str(editor.home / "out"))
    assert (opened["kind"], opened["signer"]["name"], opened["signer"]["trusted"]) == ("bundle", "news", True)
    assert Path(opened["items"][0]["path"]).read_bytes() == LETTER
    assert "it was opened before" in editor.run("open", sealed, "-o", str(editor.home / "out"), code=1).err
    assert "sealed for somebody else" in one.run("open", sealed, "-o", str(one.home / "out"), code=11).err
    assert not list((one.home / "out").glob("*"))
    assert "there already" in one.run("export", "Road works", "-o", sealed, "--to", "editor", code=1).err
    one.run("export", "Road works", "-o", sealed, "--to", "editor", "--item", "b.txt", "--force")
    assert len(editor.json("open", sealed, "-o", str(editor.home / "2"))["items"]) == 1
    exported = [e for e in one.json("log")["events"] if e["event"] == "exported"]
    assert [len(e["items"]) for e in exported] == [2, 1]
    status = one.json("status")
    assert (status["filed"], status["sealed"]) == (2, 2)


def test_a_bundle_is_filed_into_a_case_once(bundle: tuple[Desk, Desk, str]) -> None:
    _, editor, sealed = bundle
    with_case(editor, "From abroad")
    assert all(item["id"] for item in editor.json("open", sealed, "--into", "From abroad")["items"])
    assert not any(item["id"] for item in editor.json("open", sealed, "--into", "From abroad")["items"])
    item = editor.json("show", "letter.txt")
    assert (item["origin"], item["source"]) == ("bundle", "a friend")
    assert item["signer"] == bytes.fromhex(item["signer"]).hex()


def test_who_signed_decides_the_exit_code(bundle: tuple[Desk, Desk, str]) -> None:
    """Verified: 0. Known and not verified, or unknown: 13, and what was opened is kept. One's own: 0."""
    one, editor, sealed = bundle
    card = one.write("me.card", one.run("card", "export").stdout)
    editor.run("contact", "remove", "news")
    unknown = editor.run("open", sealed, "-o", str(editor.home / "1"), code=13)
    assert "signed by an unknown key" in unknown.out
    assert "nobody you trust vouches for it" in unknown.err
    editor.run("contact", "add", "news", card)
    unverified = editor.run("open", sealed, "-o", str(editor.home / "2"), code=13)
    assert "hint: if they are the same: sandyk contact verify news" in unverified.err
    assert len(list((editor.home / "2").rglob("b.txt"))) == 1
    one.run("export", "Road works", "-o", str(one.home / "own.age"), "--to", "Айгүл")
    assert one.json("open", str(one.home / "own.age"), "-o", str(one.home / "3"))["signer"]["remark"] == "this is you"


def test_the_command_does_not_claim_that_one_cannot_open_what_one_sealed_for_oneself(one: Desk) -> None:
    one.run("add", "Road works", one.write("a.txt"))
    assert "you cannot" not in one.run("export", "Road works", "-o", str(one.home / "x.age"), "--to", "Айгүл").out


@pytest.mark.parametrize("how", ["cut", "flipped", "not age"])
def test_a_damaged_bundle_leaves_nothing_behind(bundle: tuple[Desk, Desk, str], how: str) -> None:
    _, editor, sealed = bundle
    data = bytearray(Path(sealed).read_bytes())
    if how == "flipped":
        data[-1000] ^= 1
    bad = editor.write("bad.age", b"not at all" if how == "not age" else bytes(data if how == "flipped" else data[:-9]))
    editor.run("open", bad, "-o", str(editor.home / "out"), code=12)
    assert not list((editor.home / "out").glob("*"))
    with_case(editor, "In")
    editor.run("open", bad, "--into", "In", code=12)
    assert ids(editor, "In") == {}


def test_a_bundle_for_nobody_or_for_a_case_is_refused(bundle: tuple[Desk, Desk, str]) -> None:
    one, _, _ = bundle
    out = str(one.home / "x.age")
    assert "nobody to seal it for" in one.run("export", "Road works", "-o", out, code=2).err
    assert "is called x" in one.run("export", "Road works", "-o", out, "--to", "x", code=1).err
    one.run("case", "new", "Empty")
    assert "nothing in this case yet" in one.run("export", "Empty", "-o", out, "--to", "editor", code=2).err
    card = one.write("case.card", one.run("card", "export", "--case", "Empty").stdout)
    assert one.json("card", "show", card)["kind"] == "case"
    assert "goes to people" in one.run("export", "Road works", "-o", out, "--to", "Empty", code=2).err
    assert not os.path.exists(out)


def test_recipients_without_a_card_are_taken_from_the_line_and_from_a_file(bundle: tuple[Desk, Desk, str]) -> None:
    one, editor, _ = bundle
    recipient = editor.json("card", "show")["recipient"]
    third = desk(editor.home, "Third").json("card", "show")["recipient"]
    listed = one.write("recipients", f"# abroad\n\n{third}\n")
    out = str(one.home / "x.age")
    done = one.run("export", "Road works", "-o", out, "--recipient", recipient, "--recipients-file", listed)
    assert done.err.count("nobody verified whose key age1pq1") == 2
    editor.run("open", out, "-o", str(editor.home / "x"))
    for bad in ("age1pq1nonsense", "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj", "editor", ""):
        refused = one.run("export", "Road works", "-o", f"{out}2", "--recipient", bad, code=2)
        assert "recipient" in refused.err
    one.run("export", "Road works", "-o", f"{out}2", "--recipients-file", one.write("empty", "# none\n"), code=2)
    assert not os.path.exists(f"{out}2")


def test_an_identity_file_opens_without_a_vault_and_knows_nobody(bundle: tuple[Desk, Desk, str]) -> None:
    one, _, _ = bundle
    identity = HybridIdentity.generate()
    key = one.write("key.txt", b"# made elsewhere\n" + identity.encode().expose() + b"\n")
    out = str(one.home / "x.age")
    one.run("export", "Road works", "-o", out, "--recipient", str(identity.recipient))
    opened = one.json("open", out, "--identity", key, "-o", str(one.home / "out"), code=13)
    assert (opened["signer"]["name"], opened["signer"]["trusted"], len(opened["items"])) == (None, False, 2)
    one.run("open", out, "--identity", key, "--into", "Road works", code=2)
    one.run("open", out, "--identity", key, code=2)
    bad = one.run("open", out, "--identity", one.write("bad", "AGE-SECRET-KEY-1NONSENSE"), "-o", "y", code=12)
    assert "NONSENSE" not in bad.err


# Filing without being able to read


def test_drops_and_the_outbox_reach_the_case_and_name_nobody(one: Desk, tmp_path: Path) -> None:
    two = desk(tmp_path, "Stringer")
    card = two.write("case.card", one.run("card", "export", "--case", "Road works").stdout)

    dropped = two.json("drop", card, two.write("in/a.txt", LETTER), "-o", str(two.home / "d"), "--note", "n")
    two.run("contact", "add", "roads", card)
    waiting = two.json("add", "roads", two.write("b.txt"))
    assert (waiting["filed"], os.path.dirname(waiting["outbox"])) == ([], str(two.vault / layout.OUTBOX))
    assert two.json("status")["outbox"] == [waiting["outbox"]]
    assert waiting["outbox"] in two.run("status").out
    assert "--move needs" in two.run("add", "roads", two.write("b.txt"), "--move", code=2).err
    for sealed in (dropped["file"], waiting["outbox"]):
        two.run("open", sealed, "-o", str(two.home / "out"), code=11)
        taken = one.json("open", sealed, "--into", "Road works")
        assert (taken["kind"], taken["signer"]) == ("drop", None)
    assert {i["name"]: i["origin"] for i in one.json("list")["items"]} == {"a.txt": "drop", "b.txt": "drop"}
    assert one.run("get", "a.txt", "-o", "-").stdout == LETTER


def test_a_drop_needs_the_card_of_a_case_and_something_to_seal(one: Desk) -> None:
    person = one.write("me.card", one.run("card", "export").stdout)
    assert "a person's card" in one.run("drop", person, one.write("a.txt"), code=2).err
    case = one.write("case.card", one.run("card", "export", "--case", "Road works").stdout)
    assert "nothing to seal" in one.run("drop", case, "missing", code=2).err
    done = one.run("drop", case, one.write("a.txt"), "missing", "-o", str(one.home / "d"), code=3)
    assert "not done: missing" in done.err
    assert len(os.listdir(one.home / "d")) == 1


# Exit codes that need an unusual world


def test_busy_when_the_members_change_while_documents_are_filed(one: Desk) -> None:
    """The command has read a part and waits for more, while somebody else begins a new epoch."""
    two = colleague(one, "Бакыт")
    one.run("case", "grant", "Road works", "Бакыт")
    words = one.words("add", "Road works", "-", "--json")
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, env=one.environment(), cwd=one.home) as adding:
        assert adding.stdin is not None
        adding.stdin.write(bytes(2 << 20))  # more than a pipe holds: when this returns, the case is open
        adding.stdin.flush()
        two.run("case", "revoke", "Road works", "Айгүл")
        out, err = adding.communicate(b"more", timeout=60)
    assert adding.returncode == exits.BUSY == 14
    assert out == b""
    assert b"hint: run the command again" in err


def test_no_vault_a_wiped_one_and_a_damaged_one_are_told_apart(one: Desk) -> None:
    nowhere = one.run("list", "--vault", str(one.home / "nowhere"), code=10)
    assert "hint: `sandyk init` makes one" in nowhere.err
    header = one.vault / layout.HEADER
    saved = header.read_bytes()
    flip(header, 3)
    assert "header is damaged" in one.run("list", code=12).err
    header.write_bytes(saved)
    (one.vault / layout.KEYRING).unlink()
    for words in (("list",), ("status",)):
        assert "was wiped" in one.run(*words, code=15).err


def test_the_vault_can_be_named_before_the_command_or_in_the_environment(one: Desk) -> None:
    def run(*words: str, **environment: str) -> int:
        return subprocess.run(
            [SCRIPT, *words], capture_output=True, env={**one.environment(), **environment}, cwd=one.home
        ).returncode

    vault = str(one.vault)
    assert run("status") == 10
    assert run("--vault", vault, "status") == 0
    assert run("status", SANDYK_VAULT=vault) == 0
    assert run("--vault", vault, "status", "--vault", vault) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lst"], "did you mean 'list'"),
        (["case", "nwe"], "did you mean 'new'"),
        (["list", "--vualt", "x"], "--vault"),
        (["list", "a", "b"], "hint: sandyk list --help"),
        (["export", "x"], "hint: sandyk export --help"),
        (["\x1b[31mred"], "hint: sandyk --help"),
    ],
)
def test_what_is_not_understood_is_said_with_a_hint_and_changes_nothing(one: Desk, words: list[str], said: str) -> None:
    before = sorted(p for p in one.home.rglob("*"))
    run = subprocess.run([SCRIPT, *words], capture_output=True, env=one.environment(), cwd=one.home)
    assert run.returncode == exits.USAGE
    assert run.stdout == b""
    assert run.stderr.startswith(b"sandyk: ")
    assert said in run.stderr.decode().lower()
    assert b"\x1b" not in run.stderr
    assert sorted(p for p in one.home.rglob("*")) == before


# The emergency


@pytest.mark.parametrize("options", [(), ("--keep",)])
def test_after_panic_nothing_that_was_saved_but_the_old_keyring_opens_anything(
    one: Desk, options: tuple[str, ...]
) -> None:
    """Every passphrase, the stick, and a copy of every other file, put back with the wiped keyring, noise, or none."""
    two = colleague(one, "Бакыт", token=True)
    one.run("case", "grant", "Road works", "Бакыт")
    one.run("add", "Road works", one.write("secret.txt", LETTER))
    two.run("list", "Road works")
    saved = one.home / "saved"
    shutil.copytree(one.vault, saved, ignore=shutil.ignore_patterns(layout.KEYRING))

    document = one.json("panic", *options)
    assert (document["keys_gone"], document["verified"], document["kept"]) == (True, True, bool(options))
    assert document["not_done"] == []
    if not options:
        assert not one.vault.exists()
        one.run("list", code=10)

    wiped = (one.vault / layout.KEYRING).read_bytes() if options else None
    for keyring in (wiped, os.urandom(1 << 20), None):
        shutil.rmtree(one.vault, ignore_errors=True)
        shutil.copytree(saved, one.vault)
        if keyring is not None:
            (one.vault / layout.KEYRING).write_bytes(keyring)
        elif wiped is None:
            assert "wiped" in one.run("status", code=15).err
        for who in (one, two):
            who.run("list", code=15 if keyring is None else 11)


def test_a_vault_that_was_wiped_and_kept_looks_locked(one: Desk) -> None:
    before = one.json("status")
    one.run("panic", "--keep")
    assert one.json("status") == before
    assert "nothing here opens with this passphrase" in one.run("list", code=11).err


def test_the_drill_leaves_the_vault_as_it_is(one: Desk) -> None:
    assert one.json("panic", "--drill")["passed"] is True
    assert one.json("case", "list")["cases"][0]["case"] == "Road works"


# Every code


def test_every_exit_code_of_the_table_is_provoked_by_a_test() -> None:
    """Read from the tests themselves; 130 is provoked at a terminal."""
    here = Path(__file__)
    text = here.read_text("utf-8") + here.with_name("test_terminal.py").read_text("utf-8")
    text += here.with_name("test_stock_tools.py").read_text("utf-8")
    missing = {code for code in exits.MEANINGS if not re.search(rf"(code=|== ){code}\b", text) and code != 0}
    assert not missing


def test_the_document_is_one_line_of_json_text_away_from_any_terminal(one: Desk) -> None:
    """What `--json` prints is UTF-8 whatever the locale, and holds nothing that a terminal obeys."""
    name = "кат\u202etxt\x1b[2J.pdf"
    one.more = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    one.run("add", "Road works", one.write(name))
    done = one.run("list", "--json")
    assert json.loads(done.stdout)["items"][0]["name"] == name
    assert "\u202e" not in done.out
    assert "\x1b" not in done.out
    assert "\\u043a" in one.run("list").out
