"""Projects that nobody has changed for long are removed where the operator wants it, and no others."""

import threading
import time
from datetime import timedelta

import pytest

from studio import retiring
from studio.store import JobRecord
from studio.studio import Studio
from studio.timeline import now
from tests.studio import samples

MONTH = timedelta(days=30)


def until(happened, seconds=30):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def begun(store, days_ago):
    """A stored project with a media file, changed last so many days ago."""
    project = samples.project(1).model_copy(update={"updated": now() - timedelta(days=days_ago)})
    store.write_media(project.id, ".txt", lambda path: path.write_text("frames"))
    store.save(project, "a visitor")
    return project.id


def submitted(store, project_id, state, days_ago):
    created = now() - timedelta(days=days_ago)
    store.save_job(JobRecord(id="j", kind="make", project_id=project_id, state=state, created=created))


def test_a_project_that_nobody_has_changed_for_long_goes_with_its_media_and_the_others_stay(store):
    old, fresh = begun(store, 31), begun(store, 29)
    submitted(store, None, "done", 40)
    assert [gone.id for gone in store.retire(now() - MONTH)] == [old]
    assert [each.id for each in store.list()] == [fresh]
    assert not store.media_dir(old).exists()
    assert store.media_dir(fresh).exists()


@pytest.mark.parametrize("state", ["queued", "running"])
def test_work_that_waits_or_runs_keeps_a_project_however_old_it_is(store, state):
    old = begun(store, 99)
    submitted(store, old, state, 99)
    assert store.retire(now() - MONTH) == []
    assert store.load(old)


def test_work_that_was_asked_for_lately_keeps_a_project_even_if_it_failed(store):
    old = begun(store, 99)
    submitted(store, old, "failed", 1)
    assert store.retire(now() - MONTH) == []
    store.retire(now())
    assert store.load_jobs() == []


def test_projects_are_retired_at_once_and_now_and_again_until_the_studio_closes(store, monkeypatch, caplog):
    monkeypatch.setattr(retiring, "_EVERY", 0.02)
    first, closing = begun(store, 31), threading.Event()
    retiring.retire_from_now_on(store, 30, closing)
    until(lambda: f"project {first} is removed" in caplog.text)
    second = begun(store, 31)
    until(lambda: f"project {second} is removed" in caplog.text)
    closing.set()
    assert store.list() == []


def test_a_disk_error_ends_no_retiring(store, monkeypatch, caplog):
    def broken(_):
        raise OSError("no disk")

    monkeypatch.setattr(store, "retire", broken)
    retiring._retire(store, 30)
    assert "another hour" in caplog.text


def test_a_studio_retires_projects_only_where_a_number_of_days_is_set(settings, caplog):
    with Studio(settings) as studio:
        old = begun(studio.store, 9999)
        assert [each.id for each in studio.projects()] == [old]
    with Studio(settings.model_copy(update={"keep_days": 30})) as studio:
        until(lambda: f"project {old} is removed" in caplog.text)
        assert studio.projects() == []
