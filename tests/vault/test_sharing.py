# SPDX-License-Identifier: Apache-2.0
"""Shares of a key in real vaults: who gets back in with them, who does not, and what ends them."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keys import keyring
from keys.errors import MalformedShare, SharesMissing, WeakPassphrase
from keys.identity import Identity
from keys.keyring import RecoverySlot
from keys.secret import Secret
from keys.share_text import open_share, seal_share
from keys.shares import Share, answer, check_key, parse_share, split
from tests.support.forged_shares import forged
from tests.support.newsroom import CHEAP, DAY, PASSPHRASE, newsroom, unlock
from tests.support.tools import need
from vault import asking, decoys, qr, qr_text, sharing
from vault.contacts import keep
from vault.disk import Disk, Lock
from vault.errors import AlreadyThere, BadInput, Damaged, DiskFailed, DoesNotOpen, NotAllowed, NotFound, NotTrusted
from vault.holding import receive
from vault.recovering import open_with_shares, share_in
from vault.sharing import Recipient, SharesMade
from vault.vaults import LockedVault, Vault

NEW, THIRD = "a new passphrase now", "a third passphrase now"
HOLDERS = [Identity.decode(bytes(range(n, n + 64))) for n in range(1, 17)]
PEOPLE = [Recipient(f"holder {number}", holder.card()) for number, holder in enumerate(HOLDERS, 1)]


def made(vault: Vault, folder: Path, *, threshold: int = 2, count: int = 3) -> list[Share]:
    """Split, and what each holder finds in their file."""
    done = sharing.split(vault, PEOPLE[:count], threshold, str(folder), name=None)
    return opened(done)


def opened(done: SharesMade) -> list[Share]:
    return [
        open_share(Path(file.path).read_bytes(), holder).share
        for file, holder in zip(done.files, HOLDERS, strict=False)
    ]


def recovered(folder: str, shares: Sequence[Share], token: Secret | None = None) -> Vault:
    return open_with_shares(LockedVault.at(folder, disk=Disk(), floor=CHEAP), shares, token, clock=lambda: DAY)


def restore(folder: str, shares: Sequence[Share], passphrase: str = NEW) -> None:
    with recovered(folder, shares) as vault:
        vault.restore(Secret(passphrase.encode()))


def opens(folder: str, passphrase: str) -> bool:
    try:
        with unlock(folder, passphrase):
            return True
    except DoesNotOpen:
        return False


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return newsroom(tmp_path / "vault")


def test_enough_shares_give_a_new_passphrase_and_the_same_journalist(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        before = (vault.me.encode().expose(), vault.device_secret.expose(), vault.my_entry().card, vault.home)
        shares = made(vault, tmp_path / "out")
    restore(folder, shares[1:])
    with unlock(folder, NEW) as vault:
        assert (vault.me.encode().expose(), vault.device_secret.expose(), vault.my_entry().card, vault.home) == before
        assert [case.name for case in vault.book().cases] == ["Mine"]
    assert not opens(folder, PASSPHRASE)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(2, 6), st.data())
def test_any_enough_of_any_number_open_and_one_fewer_never(
    tmp_path_factory: pytest.TempPathFactory, count: int, data: st.DataObject
) -> None:
    threshold = data.draw(st.integers(2, count))
    base = tmp_path_factory.mktemp("split")
    folder = newsroom(base / "vault")
    with unlock(folder) as vault:
        shares = made(vault, base / "out", threshold=threshold, count=count)
    chosen = data.draw(st.permutations(shares))
    with pytest.raises(SharesMissing):
        recovered(folder, chosen[: threshold - 1])
    restore(folder, chosen[:threshold])
    assert opens(folder, NEW)


def test_a_false_share_is_named_by_its_place_whatever_number_it_bears_and_keeps_nobody_out(
    folder: str, tmp_path: Path
) -> None:
    with unlock(folder) as vault:
        before = made(vault, tmp_path / "before")
        shares = made(vault, tmp_path / "out", threshold=2, count=4)
    false = forged(shares[0])
    with recovered(folder, [shares[2], before[1], shares[3], false]) as vault:
        told = " | ".join(vault.notices)
        assert "share 4 of those given is false; holder 1 has the true one of its number, 1" in told
        assert "share 2 of those given is of another split" in told
        vault.restore(Secret(NEW.encode()))
    assert opens(folder, NEW)


def test_liars_who_agree_keep_nobody_out_where_enough_others_do_not(folder: str, tmp_path: Path) -> None:
    """Their shares stand first, and give a secret of their own, which opens nothing."""
    other = split(Secret(bytes(32)), threshold=2, count=4)
    with unlock(folder) as vault:
        shares = made(vault, tmp_path / "out", threshold=2, count=4)
    restore(folder, [*(forged(share, as_in=shares[0]) for share in other[:2]), *shares[2:]])
    assert opens(folder, NEW)


def test_shares_survive_a_change_of_passphrase(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        shares = made(vault, tmp_path / "out")
        vault.change_passphrase(Secret(NEW.encode()))
    restore(folder, shares[:2], THIRD)
    assert (opens(folder, PASSPHRASE), opens(folder, NEW), opens(folder, THIRD)) == (False, False, True)


def test_one_who_remembers_may_choose_the_same_passphrase_again(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        shares = made(vault, tmp_path / "out")
    restore(folder, shares[:2], PASSPHRASE)
    assert opens(folder, PASSPHRASE)


def test_shares_are_good_for_one_recovery(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        shares = made(vault, tmp_path / "out")
    restore(folder, shares[:2])
    with pytest.raises(DoesNotOpen, match="open nothing in this vault"):
        recovered(folder, shares[1:])
    with unlock(folder, NEW) as vault:
        assert sharing.standing(vault) == (None, False)
        assert vault.my_entry().recovery is None


def test_looking_is_no_use_of_the_shares(folder: str, tmp_path: Path) -> None:
    """Whoever stops before they chose a passphrase can come back."""
    with unlock(folder) as vault:
        shares = made(vault, tmp_path / "out")
    recovered(folder, shares[:2]).close()
    restore(folder, shares[1:])
    assert opens(folder, NEW)


def test_new_shares_end_the_ones_before(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        before = made(vault, tmp_path / "one")
        place = vault.my_entry().recovery
        done = sharing.split(vault, PEOPLE[:2], 2, str(tmp_path / "two"), name=None)
        assert done.replaced and vault.my_entry().recovery == place
    with pytest.raises(DoesNotOpen):
        recovered(folder, before[:2])
    with pytest.raises(SharesMissing, match="another split"):
        recovered(folder, [before[0], opened(done)[1]])
    restore(folder, opened(done))
    assert opens(folder, NEW)


class Overtaken(Disk):
    """Somebody else does something just before the lock is taken."""

    first: Callable[[], object] | None = None

    def lock(self, path: str, *, wait: bool = True) -> Lock:
        first, self.first = self.first, None
        if first is not None:
            first()
        return super().lock(path, wait=wait)


@pytest.mark.parametrize("before", [False, True])
def test_of_two_who_split_at_once_one_succeeds_and_the_other_is_told(
    folder: str, tmp_path: Path, before: bool
) -> None:
    """The later one to come revokes nothing that it did not know of."""
    disk, theirs = Overtaken(), []
    with unlock(folder) as other, unlock(folder, disk=disk) as vault:
        if before:
            made(other, tmp_path / "before")
        disk.first = lambda: theirs.extend(made(other, tmp_path / "theirs"))
        with pytest.raises(AlreadyThere, match="at the same time"):
            made(vault, tmp_path / "mine")
        assert list((tmp_path / "mine").iterdir()) == []
        made_last, _ = sharing.standing(vault)
    assert made_last is not None and any(made_last.shown_id in path.name for path in (tmp_path / "theirs").iterdir())
    restore(folder, theirs[1:])
    assert opens(folder, NEW)


def test_a_split_while_the_ones_before_are_taken_back_goes_on(folder: str, tmp_path: Path) -> None:
    disk = Overtaken()
    with unlock(folder) as other, unlock(folder, disk=disk) as vault:
        made(other, tmp_path / "before")
        disk.first = lambda: sharing.revoke(other)
        shares = made(vault, tmp_path / "mine")
    restore(folder, shares[1:])


def test_shares_that_are_taken_back_open_nothing(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        shares = made(vault, tmp_path / "out")
        sharing.revoke(vault)
        assert sharing.standing(vault) == (None, False)
        with pytest.raises(NotFound):
            sharing.revoke(vault)
    with pytest.raises(DoesNotOpen):
        recovered(folder, shares)
    assert opens(folder, PASSPHRASE)


def test_after_an_emergency_wipe_no_share_opens_anything(folder: str, tmp_path: Path) -> None:
    """Also not with the recovery slot itself untouched: the first bytes of the kill area are enough."""
    with unlock(folder) as vault:
        shares = made(vault, tmp_path / "out")
    with (Path(folder) / "keyring").open("r+b") as f:
        f.write(b"\0" * 512)
    with pytest.raises(DoesNotOpen, match="open nothing"):
        recovered(folder, shares)


def test_shares_open_no_other_vault(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        shares = made(vault, tmp_path / "out")
    with pytest.raises(DoesNotOpen):
        recovered(newsroom(tmp_path / "other"), shares)


def test_whoever_is_removed_has_no_way_back_with_shares(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        vault.add_journalist("Бакыт", Secret(NEW.encode()))
    with unlock(folder, NEW) as vault:
        shares = made(vault, tmp_path / "out")
    with unlock(folder) as vault:
        assert len(vault.roster().pairs) == 3
        vault.remove_journalist("Бакыт")
        assert len(vault.roster().pairs) == 1
    with pytest.raises(DoesNotOpen):
        recovered(folder, shares)


def test_colleagues_have_shares_of_their_own(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        vault.add_journalist("Бакыт", Secret(NEW.encode()))
        mine = made(vault, tmp_path / "mine")
    with unlock(folder, NEW) as vault:
        theirs = made(vault, tmp_path / "theirs")
        assert len(vault.roster().pairs) == 4
    restore(folder, mine[:2], THIRD)
    assert opens(folder, NEW)
    restore(folder, theirs[:2], "one more passphrase")
    with unlock(folder, "one more passphrase") as vault:
        assert vault.my_entry().label == "Бакыт"
    assert opens(folder, THIRD)


def test_nobody_new_is_put_on_top_of_a_recovery_slot(folder: str, tmp_path: Path) -> None:
    """With all other places taken there is no place left, and the shares still open."""
    with unlock(folder) as vault:
        shares = made(vault, tmp_path / "out")
        for number in range(14):
            vault.add_journalist(f"j{number}", Secret(f"passphrase number {number}".encode()))
        with pytest.raises(NotAllowed):
            vault.add_journalist("one more", Secret(NEW.encode()))
    restore(folder, shares[:2])
    assert opens(folder, NEW)
    with unlock(folder, NEW) as vault:
        vault.add_journalist("one more", Secret(THIRD.encode()))
        with pytest.raises(NotAllowed, match="no place is left"):
            made(vault, tmp_path / "again")
        assert not any((tmp_path / "again").iterdir())


def test_the_recovery_slot_dies_with_its_compartment(folder: str, tmp_path: Path) -> None:
    """After a duress passphrase the shares of the real key open nothing, and those of the decoy open the decoy."""
    with unlock(folder) as vault:
        shares = made(vault, tmp_path / "real")
        decoys.set_up(vault, Secret(PASSPHRASE.encode()), Secret(b"the decoy one"), Secret(b"burn it all now"), "D")
    with unlock(folder, "the decoy one") as decoy:
        of_decoy = made(decoy, tmp_path / "decoy")
    with unlock(folder):
        recovered(folder, shares[:2]).close()
    with unlock(folder, "burn it all now") as vault:
        assert vault.my_entry().label == "D"
    with pytest.raises(DoesNotOpen):
        recovered(folder, shares)
    restore(folder, of_decoy[:2], THIRD)
    with unlock(folder, THIRD) as vault:
        assert vault.my_entry().label == "D"
    with unlock(folder, "burn it all now") as vault:
        assert vault.my_entry().label == "D"


def test_a_decoy_that_is_taken_away_leaves_no_shares(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        decoys.set_up(vault, Secret(PASSPHRASE.encode()), Secret(b"the decoy one"), Secret(b"burn it all now"), "D")
    with unlock(folder, "the decoy one") as decoy:
        shares = made(decoy, tmp_path / "out")
    with unlock(folder) as vault:
        decoys.take_away(vault, Secret(b"the decoy one"))
    with pytest.raises(DoesNotOpen):
        recovered(folder, shares)


def test_a_duress_passphrase_chosen_as_the_new_one_destroys_nothing_of_ones_own(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        shares = made(vault, tmp_path / "out")
        decoys.set_up(vault, Secret(PASSPHRASE.encode()), Secret(b"the decoy one"), Secret(b"burn it all now"), "D")
    with recovered(folder, shares[:2]) as vault, pytest.raises(WeakPassphrase):
        vault.restore(Secret(b"burn it all now"))
    assert opens(folder, PASSPHRASE)


def test_a_passphrase_of_a_colleague_is_refused(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        vault.add_journalist("Бакыт", Secret(NEW.encode()))
        shares = made(vault, tmp_path / "out")
    with recovered(folder, shares[:2]) as vault, pytest.raises(WeakPassphrase):
        vault.restore(Secret(NEW.encode()))
    restore(folder, shares[:2], THIRD)
    with unlock(folder, NEW) as vault:
        assert vault.my_entry().label == "Бакыт"


def test_the_outside_half_is_needed_with_the_shares_too(folder: str, tmp_path: Path) -> None:
    token = Secret(keyring.new_token())
    with unlock(folder) as vault:
        vault.change_outside_half(Secret(PASSPHRASE.encode()), token)
        shares = made(vault, tmp_path / "out")
    with pytest.raises(DoesNotOpen) as caught:
        recovered(folder, shares)
    assert any("--token" in hint for hint in caught.value.hints)
    with recovered(folder, shares, token) as vault:
        vault.restore(Secret(NEW.encode()))
    with LockedVault.at(folder, disk=Disk(), floor=CHEAP).unlock(Secret(NEW.encode()), token) as vault:
        assert vault.needs_outside_half
    assert not opens(folder, NEW)


@pytest.mark.parametrize("removed", [False, True])
def test_a_change_of_the_outside_half_ends_the_shares(folder: str, tmp_path: Path, removed: bool) -> None:
    """A slot that opens without the new half would be a way round it."""
    token = Secret(keyring.new_token())
    with unlock(folder) as vault:
        if removed:
            vault.change_outside_half(Secret(PASSPHRASE.encode()), token)
        shares = made(vault, tmp_path / "out")
        vault.change_outside_half(Secret(PASSPHRASE.encode()), None if removed else token)
        assert sharing.standing(vault) == (None, False)
        assert any("shares of your key open nothing" in notice for notice in vault.notices)
    for half in (None, token):
        with pytest.raises(DoesNotOpen):
            recovered(folder, shares, half)


def test_a_book_and_a_roster_without_shares_are_written_as_before(folder: str, tmp_path: Path) -> None:
    """A program that knows nothing of shares can go on with a vault that has none any more."""
    from keys.kdf import compartment_identity
    from tests.support.newsroom import files_below

    def kinds() -> set[bytes]:
        with unlock(folder) as vault:
            from keys import age

            owners = [vault.me.age, compartment_identity(vault.device_secret).age]
            found = set()
            for name, content in files_below(folder).items():
                if name.startswith(("books/", "rosters/")):
                    for owner in owners:
                        try:
                            plain = age.unseal(content, [owner], limit=1 << 20)
                        except Exception:  # sealed to somebody else
                            continue
                        found |= {
                            kind
                            for kind in (b"sandyk book 1", b"sandyk book 2", b"sandyk roster 1", b"sandyk roster 2")
                            if kind in plain[:128]
                        }
            return found

    assert kinds() == {b"sandyk book 1", b"sandyk roster 1"}
    with unlock(folder) as vault:
        made(vault, tmp_path / "out")
    assert kinds() == {b"sandyk book 2", b"sandyk roster 2"}
    with unlock(folder) as vault:
        sharing.revoke(vault)
    assert kinds() == {b"sandyk book 1", b"sandyk roster 1"}


def test_from_outside_nothing_shows_of_shares(folder: str, tmp_path: Path) -> None:
    """Names and sizes of all files stay as they were; of the keyring one pair of slots and nothing else changes."""

    def sizes() -> dict[str, int]:
        return {str(p.relative_to(folder)): p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()}

    before, bytes_before = sizes(), (Path(folder) / "keyring").read_bytes()
    with unlock(folder) as vault:
        made(vault, tmp_path / "out")
        compartment, place = vault.home[0], vault.my_entry().recovery
    assert sizes() == before
    after = (Path(folder) / "keyring").read_bytes()
    changed = {i // 4096 for i in range(len(after)) if after[i] != bytes_before[i]}
    first = 4 + compartment * 32 + 2 * (place or 0)
    assert changed == {first, first + 1}


class Stopped(Exception):
    """The power went."""


class StoppingDisk(Disk):
    """A real disk that stops before its n-th writing step."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left = steps

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Stopped

    def overwrite(self, path: str, offset: int, data: bytes) -> None:
        self._step()
        super().overwrite(path, offset, data)

    def replace(self, path: str, data: bytes) -> None:
        self._step()
        super().replace(path, data)


def every_stop(tmp_path: Path, start: str, act: Callable[[str, Disk], None]) -> list[str]:
    """Copies of a vault in which the power went before each writing step of ``act``; the last one was not stopped."""
    import shutil

    stopped = []
    for steps in itertools.count():
        copy = str(tmp_path / f"stopped-{steps}")
        shutil.copytree(start, copy)
        stopped.append(copy)
        try:
            act(copy, StoppingDisk(steps))
        except Stopped:
            continue
        return stopped
    raise AssertionError


def test_a_recovery_that_is_stopped_anywhere_leaves_a_way_in(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        shares = made(vault, tmp_path / "out")

    def act(copy: str, disk: Disk) -> None:
        locked = LockedVault.at(copy, disk=disk, floor=CHEAP)
        with open_with_shares(locked, shares[:2], None, clock=lambda: DAY) as vault:
            vault.restore(Secret(NEW.encode()))

    stopped = every_stop(tmp_path, folder, act)
    assert len(stopped) > 5
    for copy in stopped:
        try:
            restore(copy, shares[1:], NEW)
        except DoesNotOpen:
            assert opens(copy, NEW)
        assert opens(copy, NEW) and not opens(copy, PASSPHRASE)


def test_a_split_that_is_stopped_anywhere_leaves_no_share_that_nobody_knows_of(folder: str, tmp_path: Path) -> None:
    """Stopped for good, the passphrase opens; what may have been begun is said, and taken back by the next split."""
    with unlock(folder) as vault:
        before = made(vault, tmp_path / "out")

    def act(copy: str, disk: Disk) -> None:
        with unlock(copy, disk=disk) as vault:
            made(vault, Path(copy + "-shares"))

    for copy in every_stop(tmp_path, folder, act):
        with unlock(copy) as vault:
            shares, unfinished = sharing.standing(vault)
            assert vault.my_entry().recovery is not None
            assert unfinished == (shares is None)
        try:
            recovered(copy, before[:2]).close()
            assert shares is not None or unfinished
        except DoesNotOpen:
            pass
        with unlock(copy) as vault:
            sharing.revoke(vault)
        with pytest.raises(DoesNotOpen):
            recovered(copy, before[:2])


def test_a_split_that_is_stopped_when_its_last_word_is_written_keeps_its_files(folder: str, tmp_path: Path) -> None:
    """Ctrl-C comes too late: the book says that these shares are out, and they open."""

    class Late(Disk):
        def replace(self, path: str, data: bytes) -> None:
            super().replace(path, data)
            if "books" in path:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), unlock(folder, disk=Late()) as vault:
        made(vault, tmp_path / "out")
    with unlock(folder) as vault:
        shares, _ = sharing.standing(vault)
    assert shares is not None
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == [f"{shares.shown_id}-{number}.age" for number in (1, 2, 3)]
    restore(folder, [open_share(files[n].read_bytes(), HOLDERS[n]).share for n in (0, 2)])


def test_a_split_that_fails_leaves_no_file_behind(folder: str, tmp_path: Path) -> None:
    with pytest.raises(Stopped), unlock(folder, disk=StoppingDisk(1)) as vault:
        made(vault, tmp_path / "out")
    assert not any((tmp_path / "out").iterdir())


def test_a_recovery_works_where_the_list_of_journalists_is_damaged(folder: str, tmp_path: Path) -> None:
    """And the slot that was used opens nothing any more all the same."""
    with unlock(folder) as vault:
        shares = made(vault, tmp_path / "out")
        roster = Path(folder) / "rosters" / f"{vault.home[0]}.age"
    roster.write_bytes(roster.read_bytes()[:-1])
    with recovered(folder, shares[:2]) as vault:
        vault.restore(Secret(NEW.encode()))
        assert any("the passphrase was changed, but" in notice for notice in vault.notices)
    assert opens(folder, NEW)
    with pytest.raises(DoesNotOpen):
        recovered(folder, shares[:2])


def test_an_older_list_of_journalists_hides_no_slot_from_its_owner(folder: str, tmp_path: Path) -> None:
    """Somebody put the list back as it was before the shares: taking them back, and new ones, end them all the same."""
    with unlock(folder) as vault:
        roster = Path(folder) / "rosters" / f"{vault.home[0]}.age"
    before = roster.read_bytes()
    for number, end in enumerate((sharing.revoke, lambda vault: made(vault, tmp_path / "again"))):
        with unlock(folder) as vault:
            shares = made(vault, tmp_path / str(number))
        roster.write_bytes(before)
        recovered(folder, shares[:2]).close()
        with unlock(folder) as vault:
            end(vault)
        with pytest.raises(DoesNotOpen):
            recovered(folder, shares[:2])


def test_a_place_that_was_given_to_somebody_meanwhile_is_left_alone(folder: str, tmp_path: Path) -> None:
    """With an older list, somebody new may be put on top of a recovery slot: that ends it, and nothing ends them."""
    with unlock(folder) as vault:
        roster = Path(folder) / "rosters" / f"{vault.home[0]}.age"
        before = roster.read_bytes()
        made(vault, tmp_path / "out")
        roster.write_bytes(before)
        for number in range(15):  # every place there is
            vault.add_journalist(f"j{number}", Secret(f"passphrase number {number}".encode()))
        sharing.revoke(vault)
        assert sharing.standing(vault) == (None, False)
    assert all(opens(folder, f"passphrase number {number}") for number in range(15))


def test_a_sheet_of_codes_holds_what_the_file_holds(folder: str, tmp_path: Path) -> None:
    """Read back by another program, from the picture."""
    zbar = need("zbarimg")
    with unlock(folder) as vault:
        done = sharing.split(vault, PEOPLE[:2], 2, str(tmp_path / "out"), name=None, sheets=True)
    sheet, sealed = Path(str(done.files[0].sheet)), Path(done.files[0].path).read_bytes()
    assert sheet.read_bytes().startswith(b"<?xml")
    picture = tmp_path / "sheet.png"
    picture.write_bytes(qr.png(qr_text.lines_of(sharing.QR_KIND, sealed)))
    texts = subprocess.run([zbar, "--raw", "-q", picture], capture_output=True, check=True).stdout
    assert qr_text.content_of(texts, sharing.QR_KIND, limit=1 << 14) == sealed


def test_files_that_are_there_are_never_overwritten(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.urandom", lambda size: bytes(size))  # the set's id names the files
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "00000000-2.age").write_bytes(b"mine")
    with unlock(folder) as vault, pytest.raises(AlreadyThere):
        sharing.split(vault, PEOPLE[:3], 2, str(tmp_path / "out"), name=None)
    assert [(p.name, p.read_bytes()) for p in (tmp_path / "out").iterdir()] == [("00000000-2.age", b"mine")]


def test_what_cannot_be_meant_is_refused_before_anything_is_made(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        me = Recipient("me", vault.me.card())
        out = str(tmp_path / "out")
        for people, threshold, words in (
            (PEOPLE[:1], 2, "2 to 16 people"), ([*PEOPLE, PEOPLE[0]], 2, "2 to 16 people"),
            (PEOPLE[:3], 1, "from 2 to 3"), (PEOPLE[:3], 4, "from 2 to 3"),
            ([PEOPLE[0], PEOPLE[0]], 2, "named twice"), ([PEOPLE[0], me], 2, "for yourself"),
        ):  # fmt: skip
            with pytest.raises(BadInput, match=words):
                sharing.split(vault, people, threshold, out, name=None)
        with pytest.raises(BadInput, match="40 characters"):
            sharing.split(vault, PEOPLE[:2], 2, out, name="x" * 41)
        with pytest.raises(BadInput, match="not belong into a vault"):
            sharing.split(vault, PEOPLE[:2], 2, f"{folder}/shares", name=None)
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises((DiskFailed, AlreadyThere)):
            sharing.split(vault, PEOPLE[:2], 2, str(tmp_path / "file"), name=None)
        assert sharing.standing(vault) == (None, False)
        assert vault.my_entry().recovery is None
    assert not (tmp_path / "out").exists()


# Asking whether a share still opens


def test_a_holder_answers_and_an_old_answer_is_none(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault, unlock(newsroom(tmp_path / "theirs", label="Editor")) as editor:
        done = sharing.split(
            vault, [Recipient("Editor", editor.me.card()), *PEOPLE[:2]], 2, str(tmp_path / "o"), name=None
        )
        received = receive(editor, Path(done.files[0].path).read_bytes())
        with pytest.raises(BadInput, match="not asked"):
            asking.take_answer(vault, "Editor", "abacus abdomen abdominal abide")
        number, challenge = asking.ask(vault, "EDITOR")
        reply = received.answer(f"  {challenge.upper()} ")
        with pytest.raises(NotTrusted):
            asking.take_answer(vault, "Editor", challenge)
        assert asking.take_answer(vault, "Editor", f" {reply.upper()}\n") == number == 1
        shares, _ = sharing.standing(vault)
        assert shares is not None and shares.holders[0].checked_ns and shares.holders[1].checked_ns is None
        asking.ask(vault, "Editor")
        with pytest.raises(NotTrusted):
            asking.take_answer(vault, "Editor", reply)


def test_the_answer_of_another_holder_is_none(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        done = sharing.split(vault, PEOPLE[:3], 2, str(tmp_path / "out"), name=None)
        _, challenge = asking.ask(vault, "holder 1")
        other = answer(check_key(opened(done)[1], done.set_id), challenge)
        with pytest.raises(NotTrusted):
            asking.take_answer(vault, "holder 1", other)
        with pytest.raises(NotFound):
            asking.ask(vault, "nobody")


def test_nothing_in_the_vault_gives_a_share_away(folder: str, tmp_path: Path) -> None:
    """Whoever opens the vault finds no words of a share in the book, the roster or the slot."""
    with unlock(folder) as vault:
        shares = made(vault, tmp_path / "out")
        asking.ask(vault, "holder 1")
        text = repr(vault.book()) + repr(vault.roster()) + repr(vault.opened)
    for share in shares:
        words = share.words.expose().decode().split()
        assert words[10] + " " + words[11] not in text


@pytest.mark.parametrize("typed", ["", "abacus", "abacus abdomen abdominal", "abacus abdomen abdominal xylograph"])
def test_what_is_no_challenge_is_not_answered(folder: str, tmp_path: Path, typed: str) -> None:
    with unlock(folder) as vault, unlock(newsroom(tmp_path / "theirs", label="Editor")) as editor:
        done = sharing.split(
            vault, [Recipient("Editor", editor.me.card()), PEOPLE[0]], 2, str(tmp_path / "o"), name=None
        )
        received = receive(editor, Path(done.files[0].path).read_bytes())
        with pytest.raises(BadInput, match="not a challenge"):
            received.answer(typed)


def test_a_holder_learns_whose_share_it_is(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault, unlock(newsroom(tmp_path / "theirs", label="Editor")) as editor:
        people = [Recipient("Editor", editor.me.card()), PEOPLE[0]]
        done = sharing.split(vault, people, 2, str(tmp_path / "o"), name=" Бермет ")
        sealed = Path(done.files[0].path).read_bytes()
        received = receive(editor, sealed)
        assert (received.owner, received.verified, received.held.name) == (None, False, "Бермет")
        assert received.held.owner == vault.me.card().words
        keep(editor, "Bermet at home", vault.me.card())
        assert (receive(editor, sealed).owner, receive(editor, sealed).verified) == ("Bermet at home", False)


def test_the_words_of_somebody_whose_card_one_has_are_those_of_the_card_whatever_the_share_says(
    folder: str, tmp_path: Path
) -> None:
    with unlock(folder) as vault, unlock(newsroom(tmp_path / "theirs", label="Editor")) as editor:
        people = [Recipient("Editor", editor.me.card()), PEOPLE[0]]
        done = sharing.split(vault, people, 2, str(tmp_path / "o"), name=None)
        held = receive(editor, Path(done.files[0].path).read_bytes()).held
        lie = replace(held, owner=editor.me.card().words)
        sealed = seal_share(lie, vault.me, editor.me.card())
        keep(editor, "Bermet", vault.me.card())
        assert receive(editor, sealed).words == vault.me.card().words != lie.owner


def test_a_share_for_somebody_else_and_other_files_are_told_apart(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        done = sharing.split(vault, PEOPLE[:2], 2, str(tmp_path / "out"), name=None)
        sealed = Path(done.files[0].path).read_bytes()
        with pytest.raises(DoesNotOpen, match="not sealed for you"):
            receive(vault, sealed)
        for other in (b"", b"text", sealed[:2000], b"sandyk share 1\n"):
            with pytest.raises(Damaged):
                receive(vault, other)


# What is typed, and files that holders opened


def test_a_share_is_taken_as_its_holder_opened_it(folder: str, tmp_path: Path) -> None:
    from keys import age

    with unlock(folder) as vault:
        done = sharing.split(vault, PEOPLE[:2], 2, str(tmp_path / "out"), name=None)
    sealed = Path(done.files[0].path).read_bytes()
    text = age.unseal(sealed, [HOLDERS[0].age], limit=1 << 16)
    share = opened(done)[0]
    assert share_in(text) == share == share_in(share.words.expose()) == share_in(b"\n" + share.words.expose() + b"\n")
    for saved in (text, share.words.expose() + b"\n"):  # by an editor or a mail program of Windows
        assert share_in(b"\xef\xbb\xbf" + saved.replace(b"\n", b"\r\n")) == share
    with pytest.raises(BadInput, match="still sealed"):
        share_in(sealed)
    for hostile in (b"", b"\xff\xfe", b"words", text[:300]):
        with pytest.raises(MalformedShare):
            share_in(hostile)


def test_shares_of_something_else_that_fit_together_open_nothing(folder: str) -> None:
    with pytest.raises(DoesNotOpen):
        recovered(folder, split(Secret(bytes(32)), threshold=2, count=2))


def test_the_words_of_shares_are_no_passphrase(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        share = made(vault, tmp_path / "out")[0]
    assert not opens(folder, share.words.expose().decode())
    assert parse_share(share.words.expose().decode()) == share


def test_the_recovery_slot_lies_where_the_roster_says(folder: str, tmp_path: Path) -> None:
    with unlock(folder) as vault:
        shares, entry = made(vault, tmp_path / "out"), vault.my_entry()
    with recovered(folder, shares[:2]) as vault:
        found = vault.opened
        assert isinstance(found.payload, RecoverySlot)
        assert (found.compartment, found.pair) == (vault.home[0], entry.recovery)
        assert vault.home[1] == entry.pair != entry.recovery
