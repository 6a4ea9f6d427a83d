"""Several programs over one data folder: whose jobs run, and whose have ended with their program."""

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from studio.errors import InputError
from studio.jobs import Jobs
from studio.settings import Settings
from studio.store import JobRecord, Store
from studio.studio import Studio
from studio.timeline import now
from tests.studio.work import SOON, Gate, nothing


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


def test_a_job_is_alive_as_long_as_its_process_and_no_longer(jobs, store):
    """Killed without a word, as by a container that ends; the other one has a number of its own."""
    program = """
        import sys, threading
        from pathlib import Path
        from studio.jobs import Jobs
        from studio.store import Store

        jobs = Jobs(Store(Path(sys.argv[1])))
        print(jobs.submit("pick", "p", lambda handle: threading.Event().wait()), flush=True)
        threading.Event().wait()
    """
    env = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", textwrap.dedent(program), str(store.data_dir)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as other:
        job_id = other.stdout.readline().strip()
        while_alive = jobs.active("p")
        other.kill()
    assert while_alive is not None and while_alive.id == job_id
    assert jobs.active("p") is None
    assert jobs.view(job_id).state == "interrupted"


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


@pytest.mark.parametrize("owner", ["", "0" * 32, "1 1700000000"], ids=["nobody", "gone", "older database"])
def test_the_job_of_whoever_is_gone_does_not_keep_others_from_its_project(jobs, store, owner):
    store.save_job(
        JobRecord(id="gone", kind="search", project_id="p", state="running", owner=owner, created=now())
    )
    assert jobs.view("gone").state == "interrupted"
    assert jobs.active("p") is None
    assert jobs.wait(jobs.submit("pick", "p", nothing), SOON).state == "done"


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


def test_a_studio_opens_over_a_disk_that_was_full_when_it_crashed(store, monkeypatch):
    def refuse(record):
        raise InputError("The disk is full.")

    store.save_job(JobRecord(id="crashed", kind="make", project_id="p", state="running", created=now()))
    monkeypatch.setattr(store, "save_job", refuse)
    jobs = Jobs(store)
    assert jobs.view("crashed").state == "interrupted"
    assert jobs.active("p") is None
    jobs.close()


def test_a_project_is_not_deleted_under_work_that_somebody_asks_for_meanwhile(tmp_path, monkeypatch):
    first, second = Gate(), Gate()
    with Studio(Settings(data_dir=tmp_path, warm=False)) as studio:
        project_id, wait = studio.create_project().id, studio.jobs.wait
        studio.jobs.submit("search", project_id, first)

        def wait_and_ask_again(job_id):
            first.open.set()
            view = wait(job_id)
            studio.jobs.submit("make", project_id, second)
            return view

        monkeypatch.setattr(studio.jobs, "wait", wait_and_ask_again)
        with pytest.raises(InputError, match="still at work"):
            studio.delete_project(project_id)
        second.open.set()
        assert studio.project(project_id).id == project_id
