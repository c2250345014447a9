# SPDX-License-Identifier: Apache-2.0
"""The keys that act in every part of the screen: wipe, hide, lock, leave."""

from __future__ import annotations

import os
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events

from tests.support.newsroom import PASSPHRASE, unlock
from tests.support.screens import Seat, signals_put_back, sit
from vault.disk import Disk
from vault.errors import DoesNotOpen, NoVault, Wiped
from vault.panic import panic
from vault.report import Report
from vault.screen import leaving
from vault.screen.app import Browse
from vault.screen.curtain import Curtain
from vault.screen.documents import Documents
from vault.screen.home import Home
from vault.screen.leaving import Ending, Left
from vault.screen.twice import HIDE_KEYS, WIPE_KEYS, WIPE_SECONDS, Press, Twice
from vault.vaults import Vault


def keys_are_there(folder: str) -> bool:
    try:
        unlock(folder).close()
    except (Wiped, NoVault, DoesNotOpen):
        return False
    return True


def test_the_wipe_key_pressed_twice_wipes_the_vault(room: str) -> None:
    async def act(seat: Seat) -> None:
        await seat.press("f12", "f12")

    ending = sit(room, act, opened=unlock(room))
    assert ending.left is Left.WIPED
    assert ending.not_done == ()
    assert not os.path.exists(os.path.join(room, "keyring"))


def test_it_needs_no_passphrase(room: str) -> None:
    async def act(seat: Seat) -> None:
        await seat.press("ctrl+backslash", "ctrl+backslash")

    assert sit(room, act).left is Left.WIPED
    assert not keys_are_there(room)


def test_a_wipe_that_fails_in_this_process_is_done_by_another(room: str) -> None:
    def fails(*_: object, **__: object) -> Report:
        raise ZeroDivisionError

    assert leaving.wipe(room, None, lambda: None, act=fails) == Ending(Left.WIPED)
    assert not keys_are_there(room)
    assert leaving.wipe(room, None, lambda: None, act=fails).not_done == ("`sandyk panic` ended with 10",)


def test_what_a_wipe_could_not_do_is_told(room: str) -> None:
    class Stubborn(Disk):
        def unlink(self, path: str) -> None:
            raise PermissionError(path)

    with signals_put_back():
        ending = leaving.wipe(room, None, lambda: None, act=partial(panic, disk=Stubborn()))
    assert ending.left is Left.WIPED
    assert ending.not_done
    assert not keys_are_there(room)


def test_two_clicks_on_the_word_wipe_and_one_does_not(room: str) -> None:
    async def once(seat: Seat) -> None:
        await seat.click_on("WIPE")
        assert "the vault is wiped" in seat.text

    async def twice(seat: Seat) -> None:
        await seat.click_on("WIPE")
        await seat.click_on("WIPE")

    assert sit(room, once, opened=unlock(room)).left is Left.LEFT
    assert keys_are_there(room)
    assert sit(room, twice, opened=unlock(room)).left is Left.WIPED
    assert not keys_are_there(room)


def test_every_word_of_the_last_lines_does_what_its_key_does(room: str) -> None:
    async def act(seat: Seat) -> None:
        await seat.click_on("Help")
        assert "What the keys do" in seat.text
        await seat.press("escape")
        await seat.click_on("Hide")
        assert isinstance(seat.app.screen, Curtain)

    sit(room, act, opened=unlock(room))


@pytest.mark.parametrize("where", ["f1", "f2", "f4", "f5", "ctrl+n", "ctrl+o"])
def test_the_word_is_in_every_window_and_two_clicks_on_it_wipe(room: str, where: str) -> None:
    async def act(seat: Seat) -> None:
        await seat.press(where)
        await seat.click_on("WIPE")
        await seat.click_on("WIPE")

    assert sit(room, act, opened=unlock(room)).left is Left.WIPED
    assert not keys_are_there(room)


@pytest.mark.parametrize("where", ["f2", "f5", "f1", "f7", "f9", "ctrl+n", "enter"])
def test_it_works_in_every_part_of_the_screen(room: str, where: str) -> None:
    async def act(seat: Seat) -> None:
        seat.app.screen.query_one(Documents).focus()
        await seat.press(where)
        await seat.press("f12", "f12")

    assert sit(room, act, opened=unlock(room)).left is Left.WIPED
    assert not keys_are_there(room)


@pytest.mark.parametrize("keys", [["f12"], ["f12", "f11", "f12"], ["f12", "ctrl+backslash"], ["f12", "a", "f12", "b"]])
def test_one_press_or_another_key_in_between_destroys_nothing(room: str, keys: list[str]) -> None:
    async def act(seat: Seat) -> None:
        await seat.press(*keys)

    assert sit(room, act, opened=unlock(room)).left is Left.LEFT
    assert keys_are_there(room)


def test_the_first_press_says_what_the_second_will_do(room: str) -> None:
    async def act(seat: Seat) -> None:
        await seat.press("f12")
        assert "the vault is wiped" in seat.text

    sit(room, act)


@given(st.lists(st.tuples(st.sampled_from(["f12", "ctrl+backslash", "a", "escape"]), st.floats(0, 10)), max_size=30))
def test_only_two_presses_of_one_key_next_to_each_other_in_time_count(presses: list[tuple[str, float]]) -> None:
    judge, at = Twice(WIPE_KEYS, WIPE_SECONDS), 0.0
    before: tuple[str, float] | None = None
    for key, pause in presses:
        at += pause
        meant = judge.press(key, at)
        second = key in WIPE_KEYS and before is not None and before[0] == key and at - before[1] <= WIPE_SECONDS
        assert (meant is Press.SECOND) == second
        before = (key, at) if key in WIPE_KEYS and not second else None


def test_a_ctrl_that_a_console_tells_of_by_itself_is_no_key_in_between() -> None:
    judge = Twice(WIPE_KEYS, WIPE_SECONDS)
    keys = ("ctrl+@", "ctrl+backslash", "ctrl+@", "ctrl+backslash")
    assert [judge.press(key, 0.0) for key in keys] == [Press.OTHER, Press.FIRST, Press.OTHER, Press.SECOND]


def test_no_key_both_wipes_and_hides() -> None:
    assert not WIPE_KEYS & HIDE_KEYS


@pytest.mark.parametrize("keys", [["f9"], ["escape", "escape"]])
def test_hiding_empties_the_screen_at_once_and_enter_brings_it_back(room: str, keys: list[str]) -> None:
    async def act(seat: Seat) -> None:
        assert "кат.txt" in seat.text
        await seat.press(*keys)
        assert isinstance(seat.app.screen, Curtain)
        assert seat.text.split() == ["Enter"]
        await seat.press("x", "space", "down")
        assert isinstance(seat.app.screen, Curtain)
        await seat.press("enter")
        assert "кат.txt" in seat.text

    sit(room, act, opened=unlock(room))


def test_what_ends_behind_the_hidden_screen_is_shown_afterwards(room: str) -> None:
    async def act(seat: Seat) -> None:
        await seat.pilot.press("f4", "f9")
        await seat.settle()
        assert seat.text.split() == ["Enter"]
        await seat.press("enter")
        assert "whole" in seat.text

    sit(room, act, opened=unlock(room))


@pytest.mark.parametrize("key", ["f10", "ctrl+l", "ctrl+д"])
@pytest.mark.parametrize("hidden", [False, True])
def test_locking_leaves_and_zeroes_the_keys(room: str, key: str, hidden: bool) -> None:
    vault = unlock(room)

    async def act(seat: Seat) -> None:
        if hidden:
            await seat.press("f9")
        seat.app.post_message(events.Key(key, None))

    assert sit(room, act, opened=vault).left is Left.LOCKED
    with pytest.raises(ValueError, match="closed"):
        vault.device_secret.expose()


def test_when_nobody_pressed_a_key_it_hides_and_then_locks(room: str) -> None:
    async def hides(seat: Seat) -> None:
        seat.app._look_around()
        await seat.settle()
        assert isinstance(seat.app.screen, Curtain)

    async def locks(seat: Seat) -> None:
        seat.app._look_around()

    assert sit(room, hides, opened=unlock(room), hide_after=0.0).left is Left.LEFT
    assert sit(room, locks, opened=unlock(room), lock_after=0.0).left is Left.LOCKED


def test_an_open_screen_leaves_when_the_vault_is_wiped_by_somebody_else(room: str) -> None:
    async def act(seat: Seat) -> None:
        panic(room, discard=False)
        seat.app._look_around()
        while seat.app._watching is not None:
            await seat.pilot.pause()

    assert sit(room, act, opened=unlock(room)).left is Left.GONE


def test_a_defect_shows_where_it_is_and_nothing_of_what_it_had_in_hand(
    room: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = "a word of evidence"

    def fails(self: Home) -> None:
        evidence = secret
        raise ZeroDivisionError(evidence)

    monkeypatch.setattr(Home, "action_help", fails)
    endings = []

    async def act(seat: Seat) -> None:
        endings.append(seat.app)
        await seat.press("f1")

    with pytest.raises(ZeroDivisionError):
        sit(room, act, opened=unlock(room))
    app: Browse = endings[0]
    assert app.ending.left is Left.DEFECT
    assert app.ending.where.startswith("ZeroDivisionError in test_screen_keys.py, line ")
    out, err = capfd.readouterr()
    assert secret not in out + err + app.ending.where


def test_textual_s_settings_in_the_environment_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    from vault.screen.loading import expect_textual

    monkeypatch.setenv("TEXTUAL_LOG", "/tmp/everything.log")
    monkeypatch.setenv("TEXTUAL", "devtools")
    expect_textual()
    assert not [name for name in os.environ if name.startswith("TEXTUAL")]


def test_nothing_goes_to_the_clipboard(room: str) -> None:
    async def act(seat: Seat) -> None:
        await seat.press("f7", *"secret", "ctrl+a", "ctrl+x")
        assert seat.app.clipboard == ""

    sit(room, act, opened=unlock(room))


def test_the_vault_is_not_in_the_repr_of_the_field_that_opens_it(room: str) -> None:
    from vault.screen.entrance import PassphraseField

    async def act(seat: Seat) -> None:
        field = seat.app.screen.query_one(PassphraseField)
        await seat.press(*PASSPHRASE)
        assert PASSPHRASE not in repr(field)
        assert "*" * len(PASSPHRASE) + "_" in seat.text
        await seat.press("enter")
        assert isinstance(seat.app.screen, Home)
        assert bytes(field._typed) == b""

    sit(room, act)


def test_a_wrong_passphrase_says_so_and_asks_again(room: str) -> None:
    async def act(seat: Seat) -> None:
        await seat.press(*"wrong", "enter")
        assert "nothing here opens with this passphrase" in seat.text
        await seat.press(*PASSPHRASE, "x", "backspace", "enter")
        assert isinstance(seat.app.screen, Home)

    sit(room, act)


def test_leaving_keeps_the_vault_as_it_is(room: str) -> None:
    async def act(seat: Seat) -> None:
        await seat.press("ctrl+q")

    assert sit(room, act, opened=unlock(room)).left is Left.LEFT
    assert keys_are_there(room)


def test_a_vault_that_was_opened_is_held_by_the_screen_alone(room: str) -> None:
    opened: list[Vault] = []

    async def act(seat: Seat) -> None:
        await seat.press(*PASSPHRASE, "enter")
        opened.append(seat.app.desk.vault)

    sit(room, act)
    with pytest.raises(ValueError, match="closed"):
        opened[0].device_secret.expose()


def test_what_is_opened_behind_the_hidden_screen_is_there_when_it_comes_back(room: str) -> None:
    async def act(seat: Seat) -> None:
        await seat.pilot.press(*PASSPHRASE, "enter", "f9")
        await seat.settle()
        assert isinstance(seat.app.screen, Curtain)
        await seat.press("enter")
        assert isinstance(seat.app.screen, Home)
        assert "кат.txt" in seat.text

    sit(room, act)
