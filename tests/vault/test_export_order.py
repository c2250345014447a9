# SPDX-License-Identifier: Apache-2.0
"""Between a bundle that is whole and a record that says it was sent: nothing counts as sent that nobody can open."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from keys.book import Contact
from tests.support.bundles import EDITOR
from tests.support.mounts import mounted
from tests.support.newsroom import DAY, file, newsroom, store_of, unlock
from tests.support.stopping import stopped_at_each_change
from vault import abroad, counter, exported_custody
from vault.cases import find_case
from vault.disk import TEMPORARY_SUFFIX, Disk
from vault.errors import AlreadyThere, DiskFailed
from vault.exporting import Addressee, Exported, InParts, addressees, each_once, export
from vault.model import EVENT_EXPORT_BEGUN, EVENT_EXPORTED, Event
from vault.opening import identities_of, open_into_folder
from vault.receipts import give, take
from vault.vaults import Vault
from vault.whereabouts import Where, read_export

TO = Addressee("editor", EDITOR.recipient, "ten words", True)


class Away(Exception):
    """Raised where a terminal would have gone away."""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Vault]:
    with unlock(newsroom(tmp_path / "here")) as vault:
        with store_of(vault) as store:
            file(store, {b"one": b"1", b"two": os.urandom(2_000_000)})
        yield vault


def recorded(vault: Vault) -> int:
    """How many exports the case's record tells of."""
    with store_of(vault) as store:
        return len(list(store.index.events(EVENT_EXPORTED)))


def knows(vault: Vault, name: str, other: Vault) -> None:
    """Compared by voice."""
    vault.change_book(lambda book: book.with_contact(Contact(name, other.me.card(), DAY, DAY)))


def begun(vault: Vault) -> list[str]:
    """What the case's record says of exports that were about to be there."""
    with store_of(vault) as store:
        return [row.event.detail for row in store.index.events(EVENT_EXPORT_BEGUN)]


def test_the_file_is_whole_and_nothing_is_recorded_when_the_sender_is_told(here: Vault, tmp_path: Path) -> None:
    seen = []

    def tell(sealed: Exported) -> None:
        (unnamed,) = tmp_path.glob(f"out.age-*{TEMPORARY_SUFFIX}")
        seen.append((sealed, unnamed.stat().st_size, len(begun(here)), recorded(here)))
        assert not os.path.exists(sealed.path)

    done = export(here, find_case(here, "Mine"), [], [TO], str(tmp_path / "out.age"), when_whole=tell)
    assert seen == [(done, os.path.getsize(done.path), 0, 0)]
    assert (len(begun(here)), recorded(here)) == (1, 1)


@pytest.mark.parametrize("in_parts", [None, InParts(1 << 20)])
def test_when_the_sender_cannot_be_told_nothing_stays_and_nothing_is_recorded(
    here: Vault, tmp_path: Path, in_parts: InParts | None
) -> None:
    def tell(sealed: Exported) -> None:
        raise Away

    with pytest.raises(Away):
        export(
            here, find_case(here, "Mine"), [], [TO], str(tmp_path / "out"), in_parts=in_parts, when_whole=tell
        )  # fmt: skip
    assert not (tmp_path / "out").is_file()
    assert not list(tmp_path.glob("out*"))
    assert (begun(here), recorded(here)) == ([], 0)


def test_room_for_the_record_is_held_while_the_bundle_is_written_and_given_back(here: Vault, tmp_path: Path) -> None:
    def lying_about() -> list[str]:
        return [str(path) for path in Path(here.folder).rglob(f"*{TEMPORARY_SUFFIX}")]

    seen: list[str] = []
    case = find_case(here, "Mine")
    export(here, case, [], [TO], str(tmp_path / "out.age"), when_whole=lambda sealed: seen.extend(lying_about()))
    assert len(seen) == 2
    assert lying_about() == []


def test_a_disk_too_full_to_record_is_found_out_before_anything_is_sealed(tmp_path: Path) -> None:
    with (
        mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=16m", "none") as folder,
        unlock(newsroom(Path(folder) / "here")) as vault,
    ):
        with store_of(vault) as store:
            file(store, {b"one": b"1"})
        filler = Path(folder) / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(folder).free - (256 << 10)))
        with pytest.raises(DiskFailed, match="no room to record"):
            export(vault, find_case(vault, "Mine"), [], [TO], str(tmp_path / "out.age"))
        assert not (tmp_path / "out.age").exists()
        filler.unlink()
        assert recorded(vault) == 0
        export(vault, find_case(vault, "Mine"), [], [TO], str(tmp_path / "out.age"))


def test_two_exports_at_the_same_time_count_a_document_once(here: Vault, tmp_path: Path) -> None:
    case = find_case(here, "Mine")

    def another(sealed: Exported) -> None:
        export(here, case, [], [TO], str(tmp_path / "other.age"))

    before = counter.read(here.folder, here.disk).sealed
    export(here, case, [], [TO], str(tmp_path / "out.age"), when_whole=another)
    assert counter.read(here.folder, here.disk).sealed - before == 2


def test_the_same_key_twice_is_one_person_by_the_first_name_given() -> None:
    other = Addressee("other", EDITOR.recipient, "age1pq1…", False)
    third = Addressee("third", type(EDITOR).generate().recipient, "more words", True)
    assert each_once([TO, other, third, TO]) == [TO, third]
    assert each_once([third, other, TO]) == [third, other]


def state_of(vault: Vault) -> tuple[set[str], set[str], set[Where]]:
    """The exports that the record says were begun, those it says are done, and where the documents are."""
    with store_of(vault) as store:
        rows = list(store.index.events(EVENT_EXPORT_BEGUN, EVENT_EXPORTED))
        kinds = {kind: {str(read_export(r.event)) for r in rows if r.event.kind == kind} for kind in KINDS}
        seen = abroad.see(find_case(vault, "Mine"), store)
        places = {seen.places.get(item.id, Where.HERE) for item in store.index.items()}
    return kinds[EVENT_EXPORT_BEGUN], kinds[EVENT_EXPORTED], places


KINDS = (EVENT_EXPORT_BEGUN, EVENT_EXPORTED)


@pytest.mark.parametrize("in_parts", [None, InParts(1 << 20)], ids=["file", "parts"])
def test_stopped_anywhere_no_file_has_its_name_that_the_record_does_not_know_and_none_is_claimed_that_is_not_there(
    tmp_path: Path, in_parts: InParts | None
) -> None:
    base = newsroom(tmp_path / "base")
    with unlock(base) as vault, store_of(vault) as store:
        file(store, {b"one": os.urandom(1_300_000)})
    seen = set()

    def write(vault: Vault) -> None:
        os.makedirs(vault.folder + ".out")
        where = vault.folder + (".out" if in_parts else ".out/x.age")
        export(vault, find_case(vault, "Mine"), [], [TO], where, in_parts=in_parts)

    for _, folder in stopped_at_each_change(base, tmp_path, write):
        named = [name for name in os.listdir(folder + ".out") if name.endswith(".age")]
        with unlock(folder) as vault:
            begun_, exported, places = state_of(vault)
        assert not named or len(begun_) == 1
        assert exported <= begun_
        assert not exported or len(named) == (2 if in_parts else 1)
        assert places == {Where.SENT if exported else Where.HERE}
        seen.add((len(named), len(begun_), len(exported)))
    whole = 2 if in_parts else 1
    assert seen == {(0, 0, 0), *((n, 1, 0) for n in range(whole + 1)), (whole, 1, 1)}


def test_a_receipt_counts_for_an_export_that_was_never_recorded_as_finished_and_the_next_one_speaks_of_it(
    here: Vault, tmp_path: Path
) -> None:
    """The process goes away when the file has its name."""

    class Gone(Disk):
        def publish_new(self, temporary: str, path: str) -> None:
            super().publish_new(temporary, path)
            raise Away

    path = tmp_path / "bundle.age"
    with unlock(newsroom(tmp_path / "editor", label="Редактор", case=None)) as editor:
        knows(here, "editor", editor)
        knows(editor, "news", here)
        case, to = find_case(here, "Mine"), addressees(here, ["editor"])
        usual, here.disk = here.disk, Gone()
        with pytest.raises(Away):
            export(here, case, [], to, str(path))
        here.disk = usual
        assert any("was begun" in notice and str(path) in notice for notice in here.notices)
        assert state_of(here)[1:] == (set(), {Where.HERE})
        here.notices.clear()
        export(here, case, [], to, str(tmp_path / "again.age"))
        (notice,) = here.notices
        assert "not recorded as finished" in notice
        assert to[0].known_as in notice
        here.notices.clear()
        export(here, case, [], to, str(tmp_path / "third.age"))
        assert here.notices == [], "it was said once"
        quiet = lambda documents, size: None  # noqa: E731
        opened = open_into_folder(
            str(path), identities_of(editor), str(tmp_path / "out"), editor, progress=quiet
        )  # fmt: skip
        give(editor, opened, str(tmp_path / "receipt"), in_folder=True)
        assert take(here, str(tmp_path / "receipt")).new == 2
        assert state_of(here)[2] == {Where.SAFE}


def test_what_lay_in_the_exports_place_before_is_not_called_whole_and_fit_to_be_sent(
    here: Vault, tmp_path: Path
) -> None:
    class Refusing(Disk):
        def publish(self, temporary: str, path: str) -> None:
            if path.endswith("old.age"):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            super().publish(temporary, path)

    case = find_case(here, "Mine")
    with pytest.raises(AlreadyThere):
        export(
            here, case, [], [TO], str(tmp_path / "new.age"),
            when_whole=lambda sealed: Path(sealed.path).write_text("somebody else's"),
        )  # fmt: skip
    (tmp_path / "old.age").write_text("of the day before")
    here.disk = Refusing()
    with pytest.raises(DiskFailed):
        export(here, case, [], [TO], str(tmp_path / "old.age"), force=True)
    assert len(begun(here)) == 2
    assert not any("may be sent" in notice for notice in here.notices)


def test_a_bundle_tells_of_an_export_that_was_begun_only_where_nothing_says_that_it_was_finished(
    here: Vault, tmp_path: Path
) -> None:
    case = find_case(here, "Mine")
    export(here, case, [], [TO], str(tmp_path / "one.age"))
    with store_of(here) as store:
        items = {item.id for item in store.index.items()}
        store.record(Event(0, EVENT_EXPORT_BEGUN, tuple(items), "bundle of somebody who was stopped"))
        events = exported_custody.told(store.index.events(), items, by_newsroom=False)
    kinds = [event["event"] for event in next(iter(events.values()))]
    assert (kinds.count(EVENT_EXPORT_BEGUN), kinds.count(EVENT_EXPORTED)) == (1, 1)


@pytest.mark.parametrize("when", ["begun", "exported"])
def test_a_vaults_disk_that_is_full_after_all_is_said_with_what_is_there(tmp_path: Path, when: str) -> None:
    """Somebody else takes the room that was held, at the moment when it is given back."""
    rooms = iter(("begun", "exported"))
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=16m", "none") as folder:

        class Taken(Disk):
            def unlink(self, path: str) -> None:
                super().unlink(path)
                if path.endswith(TEMPORARY_SUFFIX) and next(rooms, None) == when:
                    Path(folder, "filler").write_bytes(bytes(shutil.disk_usage(folder).free))

        with unlock(newsroom(Path(folder) / "here")) as vault:
            with store_of(vault) as store:
                file(store, {b"one": b"1"})
            usual, vault.disk = vault.disk, Taken()
            with pytest.raises(DiskFailed) as failed:
                export(vault, find_case(vault, "Mine"), [], [TO], str(tmp_path / "out.age"))
            vault.disk = usual
            Path(folder, "filler").unlink()
            begun_, exported, places = state_of(vault)
        there = when == "exported"
        assert (os.path.exists(tmp_path / "out.age"), bool(begun_), bool(exported)) == (there, there, False)
        assert places == {Where.HERE}
        assert list(tmp_path.glob("out.age-*")) == []
        told = " ".join(failed.value.hints)
        assert ("is whole" in told, "nothing was exported" in told) == (there, not there)
        assert any("may be sent" in notice for notice in vault.notices) == there
