"""Suspended runs share their networks: none is closed while another thread makes something with them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.conditioning import Conditioning
from studio.workers.local import LocalWorker
from studio.workers.sessions import MAX_GALLERIES, Sessions
from tests.studio.work import SOON


class Suspended:
    """A run that only knows whether it was closed."""

    closed = False

    def close(self):
        self.closed = True


@pytest.fixture
def device():
    return threading.RLock()


@pytest.fixture
def elsewhere():
    """Calls something in another thread, as a page does while a job runs."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda call, *arguments: pool.submit(call, *arguments).result(SOON)


def with_a_run(sessions, key):
    run = Suspended()
    conditioning = Conditioning("a fox", "", 1.0, height=64, width=64, num_frames=9)
    sessions.add(key, conditioning).runs[7] = run
    return run


def test_a_run_that_is_let_go_while_another_thread_makes_something_is_closed_after_that(device, elsewhere):
    sessions = Sessions(device)
    run = with_a_run(sessions, "gallery")
    with device:
        elsewhere(sessions.release, "gallery")
        assert not run.closed
        assert sessions.get("gallery") is None  # the next work begins
    assert run.closed


def test_a_run_is_closed_at_once_where_nobody_makes_anything_or_whoever_does_lets_it_go(device):
    sessions = Sessions(device)
    free, own = with_a_run(sessions, "free"), with_a_run(sessions, "own")
    sessions.release("free")
    with device:
        sessions.release("own")
        assert free.closed and own.closed


def test_the_oldest_gallery_goes_for_a_new_one(device):
    sessions = Sessions(device)
    runs = [with_a_run(sessions, str(number)) for number in range(MAX_GALLERIES)]
    assert sessions.get("0")
    with_a_run(sessions, "new")
    assert [run.closed for run in runs] == [False, True, False, False]


def test_the_worker_waits_for_nobody_to_let_a_gallery_go(elsewhere):
    worker = LocalWorker()
    run = with_a_run(worker._sessions, "gallery")
    with worker._device:
        elsewhere(worker.release, "gallery")
        assert not run.closed
    worker.close()
    assert run.closed
