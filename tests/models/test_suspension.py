"""A call that stops at its marks until it is let on."""

import threading

import pytest

from models.suspension import SuspendedCall


def count_to(end, log):
    """A call with marks 1..end; it logs what it does and returns the log."""

    def call(pause):
        try:
            for mark in range(1, end + 1):
                log.append(mark)
                pause(mark)
        finally:
            log.append("end")
        return list(log)

    return call


@pytest.fixture
def log():
    return []


@pytest.fixture
def counting(log):
    call = SuspendedCall(count_to(5, log), "run-counting")
    yield call
    call.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "run-counting"]


def test_nothing_happens_before_it_is_let_on(counting, log):
    assert log == []
    assert counting.mark == 0


def test_it_stops_at_the_mark(counting, log):
    counting.run_to(3)
    assert log == [1, 2, 3]
    counting.run_to(4)
    assert log == [1, 2, 3, 4]
    assert counting.mark == 4


def test_a_mark_that_was_passed_is_no_reason_to_go_on(counting, log):
    counting.run_to(3)
    counting.run_to(1)
    assert log == [1, 2, 3]


def test_the_result_may_be_asked_for_again(counting):
    counting.run_to(2)
    assert counting.result() == counting.result() == [1, 2, 3, 4, 5, "end"]


def test_closing_unwinds_the_call(counting, log):
    counting.run_to(2)
    counting.close()
    assert log == [1, 2, "end"]
    with pytest.raises(ValueError, match="closed"):
        counting.run_to(3)


def test_a_call_that_ends_before_the_mark_does_not_hang(counting, log):
    counting.run_to(100)
    assert log == [1, 2, 3, 4, 5, "end"]


def test_even_an_exit_in_the_thread_reaches_the_owner():
    def leave(_):
        raise SystemExit(3)

    call = SuspendedCall(leave, "run-leaving")
    with pytest.raises(SystemExit):
        call.run_to(1)
    call.close()


def test_many_calls_hand_over_without_losing_a_step():
    logs = [[] for _ in range(20)]
    calls = [SuspendedCall(count_to(20, log), "run-many") for log in logs]
    for mark in range(1, 21):
        for call in calls:
            call.run_to(mark)
    assert all(call.result() == [*range(1, 21), "end"] for call in calls)
    for call in calls:
        call.close()
