"""The queue: order, progress, cancelling, failures, restarts."""

import contextvars
import logging
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import psutil
import pytest
import torch

from studio.errors import InputError
from studio.jobs import JobHandle, Jobs
from studio.store import JobRecord, Store
from studio.timeline import now

SOON = 20.0  # seconds that no test comes near


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def jobs(store):
    jobs = Jobs(store)
    yield jobs
    jobs.close()


class Gate:
    """Work that begins, waits to be let on, and looks whether it was cancelled."""

    def __init__(self):
        self.begun, self.open = threading.Event(), threading.Event()

    def __call__(self, handle: JobHandle) -> None:
        self.begun.set()
        assert self.open.wait(SOON)
        handle.check()


def nothing(handle):
    pass


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


def test_after_a_crash_the_running_and_the_queued_job_are_told_as_interrupted(tmp_path):
    program = """
        import os, sys, threading
        from pathlib import Path
        from studio.jobs import Jobs
        from studio.store import Store

        def work(handle):
            handle.report(3, 20, "step 3")
            print(handle.id, flush=True)
            os._exit(9)

        jobs = Jobs(Store(Path(sys.argv[1])))
        block = threading.Event()
        jobs.submit("search for candidates", "p", lambda handle: block.wait())
        print(jobs.submit("pick", "p", work), jobs.submit("export", "p", work), flush=True)
        block.set()
        threading.Event().wait()
    """
    env = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 9, ended.stderr
    running, queued = ended.stdout.split()[:2]
    jobs = Jobs(Store(tmp_path))
    view = jobs.wait(running, SOON)
    assert view.state == "interrupted"
    assert "closed while" in view.error and "3 of 20 steps" in view.error
    assert jobs.view(queued).state == "interrupted"
    assert "before it began" in jobs.view(queued).error
    assert jobs.active("p") is None
    jobs.close()


def test_a_job_of_another_living_process_is_left_alone(store):
    running = Jobs(store)
    gate = Gate()
    job_id = running.submit("search", None, gate)
    assert gate.begun.wait(SOON)
    other = Jobs(store)
    assert other.view(job_id).state == "running"
    threading.Timer(0.05, gate.open.set).start()
    assert other.wait(job_id, SOON).state == "done"
    other.close()
    running.close()


def test_a_project_that_another_living_process_works_on_takes_no_second_job(store):
    running, gate = Jobs(store), Gate()
    job_id = running.submit("search", "p", gate)
    assert gate.begun.wait(SOON)
    other = Jobs(store)
    assert other.active("p").id == job_id
    assert other.active("q") is None
    with pytest.raises(InputError, match="Another program"):
        other.submit("pick", "p", nothing)
    assert len(store.load_jobs()) == 1
    gate.open.set()
    running.wait(job_id, SOON)
    assert other.active("p") is None
    assert other.wait(other.submit("pick", "p", nothing), SOON).state == "done"
    other.close()
    running.close()


def test_the_job_of_a_process_that_is_gone_does_not_keep_others_from_its_project(jobs, store):
    store.save_job(JobRecord(id="gone", kind="search", project_id="p", state="running", created=now()))
    assert jobs.active("p") is None
    assert jobs.wait(jobs.submit("pick", "p", nothing), SOON).state == "done"


def test_a_job_of_another_machine_over_the_same_folder_is_left_alone(store, monkeypatch):
    def unknown_here(*number):
        raise psutil.NoSuchProcess(*number)

    running, gate = Jobs(store), Gate()
    job_id = running.submit("search", "p", gate)
    assert gate.begun.wait(SOON)
    monkeypatch.setattr(psutil, "Process", unknown_here)
    other = Jobs(store)
    assert other.active("p").id == job_id
    gate.open.set()
    assert other.wait(job_id, SOON).state == "done"
    other.close()
    running.close()


def test_a_job_whose_process_ended_is_not_taken_for_one_of_a_process_of_the_same_number(jobs, store):
    here = psutil.Process()
    owner = f"{here.pid} {here.create_time():.0f}"
    store.save_job(
        JobRecord(id="gone", kind="pick", project_id="p", state="running", owner=owner, created=now())
    )
    assert jobs.view("gone").state == "interrupted"
    assert jobs.active("p") is None


def test_nothing_is_left_of_who_worked_over_a_folder_whether_closed_or_ended_by_a_crash(store):
    owners = store.data_dir / "owners"
    owners.mkdir()
    crashed = owners / f"{'0' * 32}.lock"
    crashed.touch()
    os.utime(crashed, (0, 0))
    first, second = Jobs(store), Jobs(store)
    first.close()
    second.close()
    assert list(owners.iterdir()) == []


def test_a_disk_that_is_full_does_not_stop_the_work(jobs, store, monkeypatch):
    def work(handle):
        monkeypatch.setattr(store, "save_job", refuse)
        handle.report(1, 1)

    def refuse(record):
        raise InputError("The disk is full.")

    assert jobs.wait(jobs.submit("search", None, work), SOON).state == "done"


def test_an_unknown_job_is_an_input_error(jobs):
    for ask in (jobs.view, jobs.cancel, jobs.wait, lambda job_id: next(jobs.follow(job_id))):
        with pytest.raises(InputError, match="not known"):
            ask("nowhere")
