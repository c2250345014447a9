# SPDX-License-Identifier: Apache-2.0
"""What a bundle proves, at two desks: a newsroom signs, a server stamps, an editor checks without opening."""

from __future__ import annotations

import shutil
from pathlib import Path

from keys import age
from tests.support.commands import Desk
from tests.support.tsa import Answer, authority, serving, tsa

Desks = tuple[Desk, Desk, str]


def test_an_editor_learns_to_know_a_newsroom_and_trusts_what_it_signs(bundle: Desks) -> None:
    one, editor, _ = bundle
    sealed = str(one.home / "newsroom.age")
    done = one.run("export", "Road works", "-o", sealed, "--to", "editor", "--as", "newsroom")
    assert "as the newsroom" in done.out
    first = editor.run("open", sealed, "-o", str(editor.home / "one"), code=13)
    assert "signed by an unknown key" in first.out
    assert "sandyk contact add NAME " in first.err
    card = editor.write("case.card", one.run("card", "export", "--case", "Road works").stdout)
    words = one.json("card", "show", "--case", "Road works")["words"]
    editor.run("contact", "add", "Kloop", card)
    editor.run("contact", "verify", "Kloop", "--words", words)
    second = editor.run("open", sealed, "-o", str(editor.home / "two"))
    assert "signed by Kloop" in second.out
    assert "any member of the case can sign this way" in second.out
    assert words in " ".join(editor.run("verify", sealed).out.split())


def test_who_is_not_to_be_named_cannot_be_a_recipient(bundle: Desks) -> None:
    one, _, _ = bundle
    refused = one.run(
        "export", "Road works", "-o", str(one.home / "x.age"), "--to", "editor", "--to", "Айгүл", "--as", "newsroom",
        code=2,
    )  # fmt: skip
    assert "would name your key" in refused.err
    assert not (one.home / "x.age").exists()


def test_a_report_is_printed_or_written_and_the_bundle_stays_sealed(bundle: Desks) -> None:
    _, editor, sealed = bundle
    before = {path.name for path in Path(sealed).parent.iterdir()}
    printed = editor.run("verify", sealed).out
    written = str(editor.home / "report.txt")
    assert "report written to" in editor.run("verify", sealed, "-o", written).out
    text = Path(written).read_text("utf-8")
    assert text.splitlines()[4:] == printed.splitlines()[4:]
    assert "letter.txt" in text and "a friend" not in text
    assert "“a verified contact”" in " ".join(text.split())
    assert {path.name for path in Path(sealed).parent.iterdir()} == before
    editor.run("verify", sealed, "-o", written, code=1)
    assert Path(written).read_text("utf-8") == text


def test_without_a_vault_a_bundle_is_checked_with_a_key_file_and_its_sender_is_unknown(bundle: Desks) -> None:
    one, _, _ = bundle
    key = age.HybridIdentity.generate()
    key_file = one.write("key.txt", key.encode().expose() + b"\n")
    sealed = str(one.home / "stranger.age")
    one.run("export", "Road works", "-o", sealed, "--recipient", str(key.recipient))
    done = one.run("verify", sealed, "--identity", key_file, code=13)
    assert "Whose card it is, is not known" in " ".join(done.out.split())
    assert "nobody you trust vouches for it" in done.err
    one.run("verify", "--identity", key_file, code=2)


def test_damage_has_a_code_of_its_own_and_no_report(bundle: Desks) -> None:
    _, editor, sealed = bundle
    Path(sealed).write_bytes(Path(sealed).read_bytes()[:-1])
    done = editor.run("verify", sealed, "-o", str(editor.home / "report.txt"), code=12)
    assert done.out == ""
    assert not (editor.home / "report.txt").exists()


def test_a_case_s_name_wins_over_a_file_s(bundle: Desks) -> None:
    one, _, sealed = bundle
    shutil.copy(sealed, one.home / "Road works")
    done = one.run("verify", "Road works")
    assert "Road works: whole" in done.out
    assert "to check the file of this name: ./Road works" in done.err
    one.run("verify", "./Road works", code=11)
    missing = one.run("verify", "neither", code=1)
    assert "no case and no file is called neither" in missing.err
    one.run("verify", "-o", str(one.home / "report.txt"), code=2)


def test_an_export_is_stamped_and_the_stamp_checked_against_a_root(bundle: Desks) -> None:
    one, editor, _ = bundle
    sealed, root = str(one.home / "stamped.age"), str(authority().root)
    with tsa() as server:
        done = one.run("export", "Road works", "-o", sealed, "--to", "editor", "--timestamp", server.url())
    assert "it learns a hash, where it is asked from, and when" in done.err
    assert "time stamp over the signature" in done.out
    assert "not checked against a root" in editor.run("open", sealed, "-o", str(editor.home / "out")).out
    assert "leads to one of these roots" in " ".join(editor.run("verify", sealed, "--tsa-ca", root).out.split())
    foreign = editor.run("verify", sealed, "--tsa-ca", str(authority("Other").root), code=13)
    assert "its time stamp counts for nothing" in foreign.err


def test_without_a_time_stamp_nothing_is_exported(bundle: Desks) -> None:
    one, _, _ = bundle
    path = one.home / "stamped.age"
    words = ("export", "Road works", "-o", str(path), "--to", "editor", "--timestamp")
    with serving(lambda _: Answer(b"", 503)) as server:
        failed = one.run(*words, server.url(), code=1)
    assert "HTTP status 503" in failed.err
    assert "nothing was exported" in failed.err
    one.run(*words, "ftp://tsa.example", code=2)
    assert not path.exists()
    exported = [event for event in one.json("log")["events"] if event["event"] == "exported"]
    assert len(exported) == 1, "the one of the fixture"
