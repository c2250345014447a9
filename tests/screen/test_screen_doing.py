# SPDX-License-Identifier: Apache-2.0
"""Working from the screen: adding, exporting, checking; stopping it, and what is said when it fails."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from textual.widgets import Button, Input

from keys.identity import Identity
from keys.secret import Secret
from tests.support.newsroom import add_paths, contents, file, newsroom, pack_paths, store_of, unlock
from tests.support.screens import Seat, sit
from vault import contacts, exporting, opening
from vault.cases import find_case
from vault.cli import exits
from vault.errors import DiskFailed
from vault.screen.choices import Choices, Chooser
from vault.screen.desk import Desk
from vault.screen.dialogs import Told, Working
from vault.screen.documents import Documents
from vault.screen.exporting import Exporting
from vault.screen.home import Home
from vault.screen.jobs import Job
from vault.screen.leaving import Left
from vault.vaults import Vault
from vault.verifying import verify


def with_an_editor(folder: str, *, verified: bool = True) -> Identity:
    """An editor whose card is kept as "Aizada"; their keys."""
    editor = Identity.generate()
    with unlock(folder) as vault:
        contacts.keep(vault, "Aizada", editor.card())
        if verified:
            contacts.mark_verified(vault, contacts.find(vault.book(), "Aizada"))
    return editor


async def go_to(seat: Seat, folder: Path) -> None:
    """Walk the chooser to a folder."""
    seat.app.screen.query_one(Chooser).go(str(folder))
    await seat.settle()


async def push(seat: Seat, button: str) -> None:
    """Press a button."""
    seat.app.screen.query_one(f"#{button}", Button).press()
    await seat.settle()


def test_chosen_files_are_filed_with_what_is_said_of_them_and_stay_where_they_are(room: str, tmp_path: Path) -> None:
    papers = tmp_path / "new"
    (papers / "inside").mkdir(parents=True)
    (papers / "inside" / "deep.txt").write_text("deep")
    (papers / "b.txt").write_text("b")
    (papers / "c.txt").write_text("c")

    async def act(seat: Seat) -> None:
        await seat.press("f2")
        await go_to(seat, papers)
        await seat.press("space", "down", "space")  # the folder, and b.txt
        assert "Chosen (2): inside, b.txt" in seat.text
        for name, text in (("note", "Кат"), ("source", "a neighbour"), ("tags", "one two")):
            seat.app.screen.query_one(f"#{name}", Input).value = text
        await seat.press("f2")
        assert "Filed in Mine: 2 document(s)" in seat.text
        await seat.press("enter")
        assert isinstance(seat.app.screen, Home)
        assert {"inside/deep.txt", "b.txt"} <= set(seat.names)
        assert "Mine (5)" in seat.text

    sit(room, act, opened=unlock(room))
    with unlock(room) as vault, store_of(vault) as store:
        items = {item.name: item for item in store.index.items()}
        assert b"c.txt" not in items
        filed = items[b"b.txt"]
        assert (filed.note, filed.source, filed.tags) == ("Кат", "a neighbour", ("one", "two"))
    assert (papers / "b.txt").read_text() == "b"


def test_folders_are_walked_with_enter_and_backspace(room: str, tmp_path: Path) -> None:
    (tmp_path / "walk" / "below").mkdir(parents=True)
    (tmp_path / "walk" / ".hidden").write_text("x")

    async def act(seat: Seat) -> None:
        await seat.press("f2")
        await go_to(seat, tmp_path / "walk")
        assert ".hidden" not in seat.text
        await seat.press("enter")
        chooser = seat.app.screen.query_one(Chooser)
        assert chooser.folder == str(tmp_path / "walk" / "below")
        await seat.press("backspace")
        assert chooser.folder == str(tmp_path / "walk")

    sit(room, act, opened=unlock(room))


def test_with_nothing_chosen_nothing_is_filed(room: str) -> None:
    async def act(seat: Seat) -> None:
        await seat.press("f2", "f2")
        assert "Nothing is chosen yet" in seat.text

    sit(room, act, opened=unlock(room))


def test_a_document_that_cannot_be_read_is_named(room: str, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    os.mkfifo(tmp_path / "new" / "pipe")

    async def act(seat: Seat) -> None:
        await seat.press("f2")
        await go_to(seat, tmp_path / "new")
        await seat.press("space", "f2")
        assert "not done: pipe: " in seat.text

    sit(room, act, opened=unlock(room))


def test_an_export_is_sealed_for_a_verified_contact_and_says_what_to_do_next(room: str, tmp_path: Path) -> None:
    editor, out = with_an_editor(room), tmp_path / "out"
    out.mkdir()

    async def act(seat: Seat) -> None:
        await seat.press("f5")
        seat.app.screen.query_one("#folder", Input).value = str(out)
        await seat.press("space", "f5")
        assert "Sealed 3 document(s)" in seat.text
        assert "Ask them for a receipt" in " ".join(seat.text.split())
        await seat.press("enter")
        assert "3 on their way" in " ".join(seat.text.split())

    sit(room, act, opened=unlock(room))
    (bundle,) = out.iterdir()
    keys = [editor.age]
    sealed = opening.what_to_open([str(bundle)], keys, lambda: Secret(b""))
    opened = opening.open_into_folder(sealed, keys, str(tmp_path / "opened"), None, progress=lambda count, size: None)
    assert len(opened.documents) == 3


def test_marked_documents_are_exported_alone(room: str, tmp_path: Path) -> None:
    with_an_editor(room)

    async def act(seat: Seat) -> None:
        seat.app.screen.query_one(Documents).focus()
        await seat.press("home", "space")
        assert "1 marked" in seat.text
        await seat.press("f5")
        seat.app.screen.query_one("#folder", Input).value = str(tmp_path)
        await seat.press("space", "f5")
        assert "Sealed 1 document(s)" in seat.text

    sit(room, act, opened=unlock(room))


def test_nobody_whose_words_were_not_compared_can_be_chosen(room: str) -> None:
    with_an_editor(room, verified=False)

    async def act(seat: Seat) -> None:
        await seat.press("f5")
        assert not seat.app.screen.query_one("#to", Choices)._choices
        assert "their words were not compared yet" in seat.text
        await seat.press("f5")
        assert "First choose for whom it is." in seat.text

    sit(room, act, opened=unlock(room))


def test_parts_and_clean_copies_are_chosen_as_on_the_command_line(room: str, tmp_path: Path) -> None:
    with_an_editor(room)

    async def act(seat: Seat) -> None:
        await seat.press("f5")
        screen = seat.app.screen
        assert isinstance(screen, Exporting)
        screen.query_one("#folder", Input).value = str(tmp_path / "parts")
        (tmp_path / "parts").mkdir()
        screen.query_one("#parts", Choices).chosen = {"mail"}
        screen.query_one("#to", Choices).chosen = {"Aizada"}
        await seat.press("f5")
        assert "in 1 part(s)" in seat.text

    sit(room, act, opened=unlock(room))
    assert len(list((tmp_path / "parts").iterdir())) == 1


def test_an_export_into_the_vault_is_refused_in_our_own_words(room: str) -> None:
    with_an_editor(room)

    async def act(seat: Seat) -> None:
        await seat.press("f5")
        seat.app.screen.query_one("#folder", Input).value = room
        await seat.press("space", "f5")
        assert isinstance(seat.app.screen, Told)
        assert "inside a vault" in " ".join(seat.text.split())

    sit(room, act, opened=unlock(room))


def test_checking_says_whole_and_names_what_is_damaged(room: str) -> None:
    async def whole(seat: Seat) -> None:
        await seat.press("f4")
        assert "Mine: whole" in seat.text

    async def damaged(seat: Seat) -> None:
        await seat.press("f4")
        assert "Mine: DAMAGED" in seat.text

    sit(room, whole, opened=unlock(room))
    with unlock(room) as vault, store_of(vault) as store:
        path = pack_paths(store)[-1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    sit(room, damaged, opened=unlock(room))


def test_a_job_that_is_stopped_ends_as_an_interrupted_command_does(room: str, tmp_path: Path) -> None:
    for number in range(400):
        (tmp_path / f"{number}.txt").write_bytes(os.urandom(5000))

    async def act(seat: Seat) -> None:
        from vault import filing
        from vault.sources import About

        def add(job: Job) -> object:
            job.stop()
            return filing.add(seat.app.desk.vault, "Mine", [os.fsencode(tmp_path / f"{n}.txt") for n in range(400)],
                              about=About(), move=False, stdin=None, stdin_name=b"", progress=job.advance)  # type: ignore[arg-type]  # fmt: skip

        seat.app.desk.work("Filing", add, lambda _done: pytest.fail("it was not stopped"))
        await seat.settle()
        assert "Stopped." in seat.text and "filed and safe" in seat.text

    sit(room, act, opened=unlock(room))
    with unlock(room) as vault, store_of(vault) as store:
        assert len(contents(store)) >= 3  # what is listed reads back


def test_ctrl_q_stops_what_is_under_way_and_stays(room: str) -> None:
    async def act(seat: Seat) -> None:
        def endless(job: Job) -> None:
            while True:
                job.advance(1, 1)

        seat.app.desk.work("Endless", endless, lambda _done: None)
        await seat.pilot.press("ctrl+q")
        await seat.settle()
        assert seat.app.is_running
        assert isinstance(seat.app.screen, Told)
        assert not any(isinstance(screen, Working) for screen in seat.app.screen_stack)

    sit(room, act, opened=unlock(room))


def test_an_error_of_ours_is_one_sentence_with_its_hints(room: str) -> None:
    def fails(_job: Job) -> None:
        raise DiskFailed("the disk is full", "make room")

    async def act(seat: Seat) -> None:
        seat.app.desk.work("Filing", fails, lambda _done: None)
        await seat.settle()
        assert "the disk is full" in seat.text
        assert "- make room" in seat.text

    sit(room, act, opened=unlock(room))


def test_an_error_because_the_vault_was_wiped_leaves_the_screen(room: str) -> None:
    from vault.panic import panic
    from vault.screen.leaving import Left

    async def act(seat: Seat) -> None:
        panic(room, discard=False)
        await seat.press("f4")

    assert sit(room, act, opened=unlock(room)).left is Left.GONE


def test_what_the_vault_wants_to_tell_is_shown_once(room: str) -> None:
    async def act(seat: Seat) -> None:
        seat.app.desk.vault.notice("somebody is new here")
        await seat.press("f4")
        assert "somebody is new here" in seat.text
        await seat.press("enter")
        assert "Mine: whole" in seat.text
        await seat.press("enter", "f4")
        assert "somebody is new here" not in seat.text

    sit(room, act, opened=unlock(room))


def test_closing_the_desk_zeroes_the_keys_also_when_a_job_does_not_end(room: str) -> None:
    vault: Vault = unlock(room)
    hold = threading.Event()

    async def act(seat: Seat) -> None:
        desk: Desk = seat.app.desk
        desk.jobs.start(lambda _job: hold.wait(30), lambda _done: None, behind=True)
        desk.close(0)
        with pytest.raises(ValueError, match="closed"):
            vault.device_secret.expose()
        hold.set()

    sit(room, act, opened=vault)


def test_an_empty_vault_says_how_a_case_is_made(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "vault", case=None)

    async def act(seat: Seat) -> None:
        assert "Ctrl+N makes one" in seat.text
        await seat.press("f2")
        assert "First choose a case" in seat.text

    sit(folder, act, opened=unlock(folder))


def test_documents_that_another_command_filed_are_there_after_the_next_look(room: str, tmp_path: Path) -> None:
    (tmp_path / "late.txt").write_text("late")

    async def act(seat: Seat) -> None:
        with unlock(room) as other:
            add_paths(other, tmp_path / "late.txt")
        await seat.press("f7", *"late", "enter")
        assert seat.names == ["late.txt"]

    sit(room, act, opened=unlock(room))


def test_checking_that_is_stopped_reads_no_further_packs(tmp_path: Path) -> None:
    folder = newsroom(tmp_path / "vault")
    with unlock(folder) as vault, store_of(vault) as store:
        for number in range(12):
            file(store, {b"%d" % number: os.urandom(1000)})
        opened: list[object] = []
        never = threading.Event()
        open_pack = store.open_pack

        def counting(*words: object) -> object:
            opened.append(words)
            if len(opened) > 1:
                never.wait(0.1)  # a slow disk
            return open_pack(*words)  # type: ignore[arg-type]

        store.open_pack = counting  # type: ignore[method-assign,assignment]
        job = Job(lambda job: verify(store, progress=job.advance), lambda _done: None, shown=True, behind=False)
        job.stop()
        with pytest.raises(KeyboardInterrupt):
            verify(store, progress=job.advance)
        assert len(opened) < 12


def sealed_for_the_case(room: str, out: Path, *, signer_is_known: bool) -> Path:
    """A bundle from the case "Far" of another vault, for the journalist of this one."""
    far = newsroom(out / "far", label="Far", case="Far")
    with unlock(room) as here, unlock(far) as there:
        contacts.keep(there, "Here", here.me.card())
        contacts.mark_verified(there, contacts.find(there.book(), "Here"))
        if signer_is_known:
            contacts.keep(here, "Aizada", there.me.card())
            contacts.mark_verified(here, contacts.find(here.book(), "Aizada"))
        (out / "far.txt").write_text("from far away")
        add_paths(there, out / "far.txt", case="Far")
        (out / "mail").mkdir()
        exporting.export(there, find_case(there, "Far"), [], exporting.addressees(there, ["Here"]), str(out / "mail"))
    return out / "mail"


@pytest.mark.parametrize("known", [True, False])
def test_a_sealed_file_is_taken_into_the_case_and_the_screen_says_who_signed_it(
    room: str, tmp_path: Path, known: bool
) -> None:
    mail = sealed_for_the_case(room, tmp_path, signer_is_known=known)

    async def act(seat: Seat) -> None:
        await seat.press("ctrl+o")
        await go_to(seat, mail)
        await seat.press("space", "ctrl+o")
        assert "Filed in Mine: 1 document(s)" in seat.text
        shown = " ".join(seat.text.split())
        assert ("Signed by Aizada" in shown) == known
        assert ("nobody you trust vouches for it" in shown) == (not known)
        await seat.press("enter")
        assert "far.txt" in seat.names

    sit(room, act, opened=unlock(room))


def test_a_file_that_was_changed_on_the_way_is_refused_and_nothing_of_it_filed(room: str, tmp_path: Path) -> None:
    mail = sealed_for_the_case(room, tmp_path, signer_is_known=True)
    (path,) = mail.iterdir()
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)

    async def act(seat: Seat) -> None:
        await seat.press("ctrl+o")
        await go_to(seat, mail)
        await seat.press("space", "ctrl+o")
        assert isinstance(seat.app.screen, Told)
        await seat.press("enter", "escape")
        assert "far.txt" not in seat.names

    sit(room, act, opened=unlock(room))


@pytest.mark.parametrize(("left", "code"), [(Left.LOCKED, exits.DONE), (Left.GONE, exits.WIPED)])
def test_documents_that_are_read_slowly_do_not_hold_up_the_end(left: Left, code: int) -> None:
    """They are read by a pool of threads, and Python waits for all of these."""
    act = f"""
import threading
from concurrent.futures import ThreadPoolExecutor
from vault.cli.browse import _end
from vault.errors import Wiped
from vault.screen.leaving import Ending, Left
begun = threading.Event()
ThreadPoolExecutor(1).submit(lambda: (begun.set(), threading.Event().wait()))
begun.wait()
try:
    _end(Ending({left}))
except Wiped:
    pass
"""
    assert subprocess.run([sys.executable, "-c", act], timeout=60).returncode == code
