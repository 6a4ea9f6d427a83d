"""The queue: order, progress, cancelling, failures."""

import contextvars
import logging
import threading

import pytest
import torch

from studio.errors import InputError
from studio.jobs import Jobs
from tests.studio.work import SOON, Gate, nothing


def test_a_job_runs_and_is_done(jobs):
    ran = []
    job_id = jobs.submit("search", "p", lambda handle: ran.append(handle.id))
    view = jobs.wait(job_id, SOON)
    assert ran == [job_id]
    assert (view.state, view.kind, view.project_id, view.error) == ("done", "search", "p", "")
    assert view.started and view.finished and view.ended


def test_one_job_runs_at_a_time_in_the_order_of_submission(jobs):
    running, most, order = [], [], []

    def work(number):
        def run(handle):
            running.append(number)
            most.append(len(running))
            order.append(number)
            running.remove(number)

        return run

    for job_id in [jobs.submit("search", None, work(number)) for number in range(8)]:
        jobs.wait(job_id, SOON)
    assert order == list(range(8))
    assert max(most) == 1


def test_a_queued_job_knows_its_place(jobs):
    gate = Gate()
    ids = [jobs.submit("search", None, gate), *(jobs.submit("search", None, nothing) for _ in range(2))]
    assert gate.begun.wait(SOON)
    assert [(jobs.view(i).state, jobs.view(i).position) for i in ids] == [
        ("running", 0),
        ("queued", 1),
        ("queued", 2),
    ]
    jobs.cancel(ids[1])
    assert jobs.view(ids[2]).position == 1
    gate.open.set()


def test_whoever_follows_a_queued_job_sees_it_move_up(jobs):
    gate = Gate()
    ids = [jobs.submit("search", None, gate), *(jobs.submit("search", None, nothing) for _ in range(2))]
    assert gate.begun.wait(SOON)
    views = jobs.follow(ids[2])
    assert next(views).position == 2
    jobs.cancel(ids[1])
    assert next(views).position == 1
    gate.open.set()


def test_follow_shows_the_progress_and_ends(jobs):
    gate = Gate()

    def work(handle):
        handle.report(1, 2, "half")
        gate(handle)

    job_id = jobs.submit("search", None, work)
    states = []
    for view in jobs.follow(job_id):
        states.append(view.state)
        if (view.state, view.message) == ("running", "half"):
            assert (view.done, view.total) == (1, 2)
            gate.open.set()
    assert gate.open.is_set()
    assert states[-1] == "done"


def test_follow_of_an_ended_job_yields_it_once(jobs):
    job_id = jobs.submit("search", None, nothing)
    jobs.wait(job_id, SOON)
    assert [view.state for view in jobs.follow(job_id)] == ["done"]


def test_many_may_follow_one_job(jobs):
    gate, last = Gate(), []
    job_id = jobs.submit("search", None, gate)
    followers = [
        threading.Thread(target=lambda: last.append([view.state for view in jobs.follow(job_id)][-1]))
        for _ in range(4)
    ]
    for follower in followers:
        follower.start()
    gate.open.set()
    for follower in followers:
        follower.join(SOON)
    assert last == ["done"] * 4


def test_follow_can_be_asked_to_show_signs_of_life(jobs):
    gate = Gate()
    views = jobs.follow(jobs.submit("search", None, gate), heartbeat=0.01)
    assert gate.begun.wait(SOON)
    assert [next(views).state for _ in range(4)][1:] == ["running"] * 3
    gate.open.set()


def test_the_time_left_is_measured(store):
    seconds = [0.0]
    jobs = Jobs(store, clock=lambda: seconds[0])
    etas = []

    def work(handle):
        for done in range(5):
            handle.report(done, 20)
            etas.append(jobs.view(handle.id).eta_seconds)
            seconds[0] += 2.0

    jobs.wait(jobs.submit("pick", None, work), SOON)
    jobs.close()
    assert etas == [None, 38.0, 36.0, 34.0, 32.0]


def test_a_queued_job_is_cancelled_and_never_runs(jobs):
    gate, ran = Gate(), []
    first = jobs.submit("search", None, gate)
    second = jobs.submit("search", None, lambda handle: ran.append(1))
    jobs.cancel(second)
    assert jobs.view(second).state == "cancelled"
    gate.open.set()
    assert jobs.wait(first, SOON).state == "done"
    assert ran == []


def test_a_running_job_is_cancelled_at_its_next_step(jobs):
    gate = Gate()
    job_id = jobs.submit("search", None, gate)
    assert gate.begun.wait(SOON)
    jobs.cancel(job_id)
    assert jobs.view(job_id).state == "running"
    gate.open.set()
    view = jobs.wait(job_id, SOON)
    assert (view.state, view.error) == ("cancelled", "")


def test_cancelling_an_ended_job_is_harmless(jobs):
    job_id = jobs.submit("search", None, nothing)
    jobs.wait(job_id, SOON)
    jobs.cancel(job_id)
    assert jobs.view(job_id).state == "done"


def test_an_input_error_is_told_as_it_is(jobs):
    def work(handle):
        raise InputError("The prompt is empty. Say what the video shows.")

    view = jobs.wait(jobs.submit("search", None, work), SOON)
    assert (view.state, view.error) == ("failed", "The prompt is empty. Say what the video shows.")


def test_any_other_error_is_a_sentence_and_its_traceback_is_logged(jobs, caplog):
    def work(handle):
        raise RuntimeError("mat1 and mat2\nshapes")

    with caplog.at_level(logging.ERROR, logger="studio.jobs"):
        view = jobs.wait(jobs.submit("search", None, work), SOON)
    assert view.state == "failed"
    assert "RuntimeError: mat1 and mat2 shapes" in view.error
    assert "Try again" in view.error
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError(28, "No space left"), "Delete a project"),
        (MemoryError(), "close other programs"),
        (torch.OutOfMemoryError("CUDA out of memory"), "STUDIO_OFFLOAD=group"),
    ],
)
def test_known_shortages_are_told_with_what_to_do(jobs, error, advice):
    def work(handle):
        raise error

    assert advice in jobs.wait(jobs.submit("search", None, work), SOON).error


def test_the_queue_goes_on_after_a_failure_and_even_after_an_exit(jobs):
    def work(handle):
        raise SystemExit(3)

    assert jobs.wait(jobs.submit("search", None, work), SOON).state == "failed"
    assert jobs.wait(jobs.submit("search", None, nothing), SOON).state == "done"


def test_active_is_the_running_job_of_a_project_else_the_queued_one(jobs):
    gate = Gate()
    running = jobs.submit("search", "a", gate)
    queued = jobs.submit("pick", "b", nothing)
    assert gate.begun.wait(SOON)
    assert jobs.active("a").id == running
    assert jobs.active("b").id == queued
    assert jobs.active("c") is None
    gate.open.set()
    jobs.wait(queued, SOON)
    assert jobs.active("a") is None


def test_work_runs_in_the_context_of_whoever_submitted_it(jobs):
    who = contextvars.ContextVar("who", default="nobody")
    seen = []
    token = who.set("ada")
    job_id = jobs.submit("search", None, lambda handle: seen.append(who.get()))
    who.reset(token)
    jobs.wait(job_id, SOON)
    assert seen == ["ada"]


def test_closing_stops_the_running_job_and_forgets_the_queued_ones(store):
    jobs, gate = Jobs(store), Gate()
    running, queued = jobs.submit("search", None, gate), jobs.submit("pick", None, nothing)
    assert gate.begun.wait(SOON)
    threading.Timer(0.05, gate.open.set).start()
    jobs.close()
    assert [jobs.view(i).state for i in (running, queued)] == ["interrupted", "interrupted"]
    assert "press the button again" in jobs.view(running).error
    assert not any(thread.name == "studio-jobs" for thread in threading.enumerate())
    with pytest.raises(InputError, match="closing"):
        jobs.submit("search", None, nothing)
    jobs.close()


def test_an_ended_job_is_still_known_after_a_restart(store):
    jobs = Jobs(store)
    job_id = jobs.submit("search", "p", nothing)
    jobs.wait(job_id, SOON)
    jobs.close()
    again = Jobs(store)
    assert [view.state for view in again.follow(job_id)] == ["done"]
    again.close()


def test_a_disk_that_is_full_does_not_stop_the_work(jobs, store, monkeypatch):
    def work(handle):
        monkeypatch.setattr(store, "save_job", refuse)
        handle.report(1, 1)

    def refuse(record):
        raise InputError("The disk is full.")

    assert jobs.wait(jobs.submit("search", None, work), SOON).state == "done"


def test_how_a_job_ended_is_noted_once_there_is_room_again(jobs, store, monkeypatch):
    monkeypatch.setattr("studio.jobs._SAVE_EVERY", 0.01)
    other, save, refused = Jobs(store), store.save_job, threading.Event()

    def refuse(record):
        refused.set()
        raise InputError("The disk is full.")

    def work(handle):
        monkeypatch.setattr(store, "save_job", refuse)
        raise InputError("The disk is full.")

    job_id = jobs.submit("search", "p", work)
    assert jobs.wait(job_id, SOON).state == "failed"
    assert refused.is_set()
    assert other.active("p").id == job_id
    monkeypatch.setattr(store, "save_job", save)
    assert other.wait(job_id, SOON).state == "failed"
    assert other.active("p") is None
    other.close()


def test_words_that_are_no_characters_do_not_end_the_queue(jobs, store):
    def work(handle):
        handle.report(1, 2, "Reading /films/\udcfc")
        raise InputError("The disk with /films/\udcfc is full.")

    job_id = jobs.submit("search", None, work)
    assert jobs.wait(jobs.submit("search", None, nothing), SOON).state == "done"
    assert jobs.view(job_id).error == store.load_job(job_id).error == "The disk with /films/\\udcfc is full."


def test_an_unknown_job_is_an_input_error(jobs):
    for ask in (jobs.view, jobs.cancel, jobs.wait, lambda job_id: next(jobs.follow(job_id))):
        with pytest.raises(InputError, match="not known"):
            ask("nowhere")
