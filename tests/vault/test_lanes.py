# SPDX-License-Identifier: Apache-2.0
"""A lane does what it is given in order, holds little, and keeps no failure to itself."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from functools import partial
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.lanes import AHEAD, TOGETHER_BYTES, TOGETHER_PIECES, Hashing, Lane


class Wrong(Exception):
    """Raised by jobs of these tests."""


def fail(what: str) -> None:
    raise Wrong(what)


def test_jobs_are_done_in_order_and_all_of_them_when_waiting_ends() -> None:
    done: list[int] = []
    with Lane("test") as lane:
        for number in range(50):
            lane.do(partial(done.append, number))
        lane.wait()
        assert done == list(range(50))
        lane.do(partial(done.append, 50))
    assert done[-1] == 50


def test_after_a_failure_nothing_more_is_begun_and_the_owner_is_told_each_time() -> None:
    done: list[str] = []
    with pytest.raises(Wrong, match="first"), Lane("test") as lane:
        with pytest.raises(Wrong, match="first"):
            lane.do(partial(fail, "first"))
            lane.do(partial(fail, "second"))
            lane.do(partial(done.append, "third"))
            lane.wait()
        with pytest.raises(Wrong, match="first"):
            lane.do(partial(done.append, "fourth"))
    assert done == []


def test_a_failure_that_nobody_waited_for_is_raised_at_the_end() -> None:
    with pytest.raises(Wrong), Lane("test") as lane:
        lane.do(partial(fail, "at the end"))


def test_what_was_not_begun_when_the_owner_fails_is_dropped_and_what_was_is_finished_first() -> None:
    begun, go_on = Event(), Event()
    done: list[str] = []
    lanes: list[Lane] = []

    def slow() -> None:
        begun.set()
        go_on.wait()
        done.append("slow")

    def leave() -> None:
        with Lane("inner") as inner:
            lanes.append(inner)
            inner.do(slow)
            begun.wait()
            inner.do(partial(done.append, "dropped"))
            raise Wrong

    with pytest.raises(Wrong), Lane("outer") as outer:
        outer.do(leave)
        begun.wait()
        while not lanes[0].dropped:
            pass
        assert done == []
        go_on.set()
        outer.wait()
    assert done == ["slow"]


def test_no_more_waits_than_was_promised() -> None:
    begun, go_on, handed_over = Event(), Event(), Event()
    count = 0

    def wait_here() -> None:
        begun.set()
        go_on.wait()

    def hand_over(lane: Lane) -> None:
        nonlocal count
        for _ in range(AHEAD + 1):
            lane.do(lambda: None)
            count += 1
        handed_over.set()

    with Lane("test") as lane, Lane("owner") as owner:
        lane.do(wait_here)
        begun.wait()
        owner.do(partial(hand_over, lane))
        while count < AHEAD:
            pass
        assert not handed_over.is_set()
        go_on.set()
        owner.wait()
    assert count == AHEAD + 1


@given(st.lists(st.lists(st.binary(max_size=40), max_size=5), max_size=8), st.data())
def test_every_stream_is_compared_with_its_own_digest(streams: list[list[bytes]], data: st.DataObject) -> None:
    wrong = data.draw(st.one_of(st.none(), st.integers(0, len(streams) - 1))) if streams else None

    def run() -> None:
        with Lane("test") as lane:
            hashing = Hashing(lane)
            for number, pieces in enumerate(streams):
                for piece in pieces:
                    hashing.update(piece)
                content = b"".join(pieces) + (b"!" if number == wrong else b"")
                hashing.expect(hashlib.sha256(content).digest(), partial(Wrong, str(number)))
            hashing.wait()

    if wrong is None:
        run()
    else:
        with pytest.raises(Wrong, match=str(wrong)):
            run()


def test_a_long_stream_that_is_wrong_is_found() -> None:
    with pytest.raises(Wrong), Lane("test") as lane:
        hashing = Hashing(lane)
        for _ in range(7):
            hashing.update(bytes(TOGETHER_BYTES - 1))
        hashing.expect(hashlib.sha256(bytes(7)).digest(), lambda: Wrong("long"))
        hashing.wait()


def test_a_second_ctrl_c_does_not_leave_a_job_at_work_behind_its_owners_back() -> None:
    """The job presses it when its owner does not hear it any more, or, if it always does, after a while."""
    done: list[str] = []
    begun = Event()

    def press_and_go_on() -> None:
        begun.set()
        until = time.monotonic() + 5
        while signal.getsignal(signal.SIGINT) is not signal.SIG_IGN and time.monotonic() < until:
            pass
        os.kill(os.getpid(), signal.SIGINT)
        done.append("the job")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Lane("test") as lane:
        lane.do(press_and_go_on)
        lane.do(partial(done.append, "another"))
        begun.wait()
        raise KeyboardInterrupt
    assert done == ["the job"]
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_while_a_lane_ends_by_itself_drops_what_was_not_begun() -> None:
    done: list[str] = []

    def press_and_go_on() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        until = time.monotonic() + 5
        while signal.getsignal(signal.SIGINT) is not signal.SIG_IGN and time.monotonic() < until:
            pass
        done.append("the job")

    leaving = Event()
    with pytest.raises(KeyboardInterrupt), Lane("test") as lane:
        lane.do(leaving.wait)
        lane.do(press_and_go_on)
        lane.do(partial(done.append, "another"))
        leaving.set()
    assert done == ["the job"]


def test_streams_without_bytes_do_not_pile_up() -> None:
    with Lane("hash") as lane:
        hashing = Hashing(lane)
        for _ in range(10 * TOGETHER_PIECES):
            hashing.expect(hashlib.sha256().digest(), ValueError)
            assert len(hashing._steps) <= TOGETHER_PIECES
        hashing.wait()
