# SPDX-License-Identifier: Apache-2.0
"""What a guard decides, moment by moment, on a clock that the tests turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.guard import Action, Plan, Seen, Step, Watch

LOCK = Plan(Action.LOCK, lasts=1000.0, idle=60.0)
PANIC = Plan(Action.PANIC, lasts=1000.0, idle=60.0, countdown=15.0)
GONE = ("USB device 1050:0407",)


def steps(watch: Watch, *moments: Seen) -> list[list[Step]]:
    return [[decision.step for decision in watch.look(seen)] for seen in moments]


def test_while_everything_is_there_nothing_happens() -> None:
    assert steps(Watch(PANIC, 0.0), Seen(1.0), Seen(2.0, unused=59.9)) == [[], []]


@pytest.mark.parametrize("trouble", [{"gone": GONE}, {"unused": 60.0}])
def test_a_tripwire_locks_at_once_and_once(trouble: dict[str, object]) -> None:
    watch = Watch(LOCK, 0.0)
    assert steps(watch, Seen(1.0, **trouble), Seen(1.1, **trouble)) == [[Step.LOCK], []]  # type: ignore[arg-type]


def test_after_everything_is_back_the_tripwire_counts_again() -> None:
    watch = Watch(LOCK, 0.0)
    assert steps(watch, Seen(1, gone=GONE), Seen(2), Seen(3, gone=GONE)) == [[Step.LOCK], [Step.AGAIN], [Step.LOCK]]


def test_a_wipe_that_nobody_ordered_locks_first_and_waits_for_its_countdown() -> None:
    watch = Watch(PANIC, 0.0)
    assert steps(watch, Seen(1, gone=GONE)) == [[Step.LOCK, Step.COUNT]]
    assert watch.seconds_to_wipe == 16.0
    assert steps(watch, Seen(15.9, gone=GONE), Seen(16.0, gone=GONE)) == [[], [Step.WIPE]]


def test_the_sticks_return_stops_the_countdown_and_the_guard_goes_on() -> None:
    watch = Watch(PANIC, 0.0)
    assert steps(watch, Seen(1, gone=GONE), Seen(10), Seen(30)) == [[Step.LOCK, Step.COUNT], [Step.STOPPED], []]
    assert watch.seconds_to_wipe is None
    assert steps(watch, Seen(31, gone=GONE)) == [[Step.LOCK, Step.COUNT]]


def test_ctrl_c_stops_the_countdown_and_the_next_one_the_guard() -> None:
    watch = Watch(PANIC, 0.0)
    got = steps(watch, Seen(1, gone=GONE), Seen(2, gone=GONE, interrupted=True), Seen(99, gone=GONE),
                Seen(100, gone=GONE, interrupted=True))  # fmt: skip
    assert got == [[Step.LOCK, Step.COUNT], [Step.STOPPED], [], [Step.OVER]]


def test_no_copy_abroad_no_wipe_but_a_lock() -> None:
    watch = Watch(PANIC, 0.0)
    seen = Seen(1, gone=GONE, why_no_wipe="2 documents were filed since")
    assert steps(watch, seen, Seen(99, gone=GONE)) == [[Step.LOCK, Step.NO_WIPE], []]


def test_what_is_filed_during_the_countdown_stops_the_wipe() -> None:
    watch = Watch(PANIC, 0.0)
    late = Seen(16, gone=GONE, why_no_wipe="1 documents were filed since")
    assert steps(watch, Seen(1, gone=GONE), late, Seen(99, gone=GONE)) == [[Step.LOCK, Step.COUNT], [Step.NO_WIPE], []]


def test_without_a_countdown_the_wipe_follows_the_lock_at_once() -> None:
    plan = Plan(Action.PANIC, lasts=1000.0, countdown=0.0)
    assert steps(Watch(plan, 0.0), Seen(1, gone=GONE)) == [[Step.LOCK, Step.WIPE]]


def test_an_order_is_obeyed_at_once_whatever_else_there_is_to_see() -> None:
    seen = Seen(5000, gone=GONE, why_no_wipe="x", ordered=True, interrupted=True, vault_here=False)
    assert steps(Watch(PANIC, 0.0), seen) == [[Step.WIPE]]
    assert steps(Watch(LOCK, 0.0), seen) == [[Step.LOCK]]


def test_an_order_during_the_countdown_does_not_wait_for_it() -> None:
    watch = Watch(PANIC, 0.0)
    assert steps(watch, Seen(1, gone=GONE), Seen(1.2, gone=GONE, ordered=True))[1] == [Step.WIPE]


def test_a_guard_ends_with_its_time_and_with_its_vault() -> None:
    assert steps(Watch(LOCK, 0.0), Seen(999.9), Seen(1000.0)) == [[], [Step.OVER]]
    assert steps(Watch(LOCK, 0.0), Seen(1.0, vault_here=False)) == [[Step.OVER]]


def test_the_end_of_its_time_does_not_cut_a_countdown_off() -> None:
    """Otherwise pulling the stick out just before the end would do nothing, as the person was told it would."""
    watch = Watch(PANIC, 0.0)
    assert steps(watch, Seen(990, gone=GONE), Seen(1001, gone=GONE), Seen(1005, gone=GONE))[2] == [Step.WIPE]


def test_unwatched_idleness_is_no_reason() -> None:
    assert steps(Watch(Plan(Action.LOCK, lasts=1000.0), 0.0), Seen(1.0, unused=1e9)) == [[]]


MOMENTS = st.lists(
    st.tuples(
        st.floats(0.0, 30.0), st.booleans(), st.sampled_from([0.0, 61.0]), st.sampled_from([None, "filed since"]),
        st.booleans(),
    ),
    max_size=30,
)  # fmt: skip


@given(MOMENTS, st.sampled_from([Action.LOCK, Action.PANIC]))
def test_whatever_happens_no_wipe_comes_unordered_unarmed_or_without_its_whole_countdown(
    moments: list[tuple[float, bool, float, str | None, bool]], action: Action
) -> None:
    watch, now, tripped = Watch(Plan(action, 1e9, idle=60.0, countdown=15.0), 0.0), 0.0, None
    for passed, gone, unused, why_no_wipe, interrupted in moments:
        now += passed
        seen = Seen(now, GONE if gone else (), unused, why_no_wipe, interrupted=interrupted)
        got = [decision.step for decision in watch.look(seen)]
        if Step.LOCK in got:
            tripped = now
        if Step.WIPE in got:
            assert action is Action.PANIC and why_no_wipe is None and not interrupted
            assert gone or unused >= 60
            assert tripped is not None and now - tripped >= 15
        if Step.OVER in got or Step.WIPE in got:
            return
