"""The store: exact, and readable while it is written."""

import sqlite3
import threading
from datetime import timedelta

import pytest
from sqlalchemy import event

from studio.errors import InputError
from studio.store import JobRecord, Store, database
from studio.timeline import Project, now, with_gallery, with_head, with_segment
from tests.studio import samples


def write(text):
    return lambda path: path.write_text(text)


def with_a_gallery(project):
    return with_gallery(project, samples.gallery(project.head))


def statements_of_update(store, project_id, change):
    """What the database is told to do by an update."""
    said, engine = [], store._database._engine

    def note(connection, cursor, statement, *_):
        said.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    store.update(project_id, change)
    event.remove(engine, "before_cursor_execute", note)
    return said


def test_a_project_comes_back_exactly_as_it_was_saved(store):
    project = with_gallery(samples.project(3), samples.gallery())
    store.save(project)
    assert store.load(project.id) == project


def test_segments_come_back_in_the_order_they_were_made(store):
    project = samples.project(12)
    store.save(project)
    assert list(store.load(project.id).segments) == list(project.segments)


def test_scores_that_are_no_numbers_survive(store):
    project = with_segment(Project(), samples.segment(scores={"a": float("inf"), "b": float("-inf")}))
    store.save(project)
    assert store.load(project.id) == project


def test_saving_again_replaces_what_was_there(store):
    project = with_gallery(samples.project(2), samples.gallery())
    store.save(project)
    changed = with_head(with_segment(project, samples.segment(project.head)), None)
    store.save(changed)
    assert store.load(project.id) == changed


def test_a_segment_that_left_the_project_leaves_the_database(store):
    project = samples.project(2)
    store.save(project)
    fewer = project.model_copy(
        update={"segments": {i: s for i, s in project.segments.items() if i != project.head}, "head": None}
    )
    store.save(fewer)
    assert store.load(project.id) == fewer


def test_what_a_visitor_began_is_listed_for_them_and_stays_theirs(store):
    mine, other = samples.project(1), samples.project(1)
    store.save(mine, "a")
    store.save(other, "b")
    store.update(mine.id, lambda project: project.model_copy(update={"title": "Mine"}))
    assert [each.title for each in store.list("a")] == ["Mine"]
    assert len(store.list()) == 2
    store.delete(mine.id)
    assert store.list("a") == []


def test_a_database_from_before_there_were_visitors_gets_what_it_lacks(tmp_path):
    project = samples.project(1)
    Store(tmp_path).save(project)
    with sqlite3.connect(tmp_path / "studio.db") as database:
        database.execute("DROP TABLE visitor")
    store = Store(tmp_path)
    assert store.load(project.id) == project
    assert store.list("a") == []


def test_an_update_stores_what_was_changed_added_and_taken_out_in_its_order(store):
    project = samples.project(4)
    store.save(project)
    first, second, third, _ = project.branch()

    def change(found):
        others = {each.id: each for each in (first, third.model_copy(update={"seed": 77}))}
        fewer = found.model_copy(update={"segments": others, "head": first.id})
        return with_segment(fewer, samples.segment(first.id))

    changed = store.update(project.id, change)
    added = store.update(project.id, lambda found: with_segment(found, samples.segment(second.parent)))
    assert list(added.segments)[:3] == list(changed.segments)
    assert store.load(project.id) == added
    assert list(store.load(project.id).segments) == list(added.segments)


def test_segments_that_an_update_puts_in_another_order_come_back_in_that_order(store):
    project = samples.project(3)
    store.save(project)
    backwards = dict(reversed(project.segments.items()))
    store.update(project.id, lambda found: found.model_copy(update={"segments": backwards}))
    assert list(store.load(project.id).segments) == list(backwards)


def test_a_new_gallery_is_written_alone_however_long_the_film_is(store):
    written = []
    for number in (5, 200):
        project = samples.project(number)
        store.save(project)
        written.append(statements_of_update(store, project.id, with_a_gallery))
    assert written[0] == written[1]


def test_two_projects_do_not_mix(store):
    one, two = samples.project(2), samples.project(1)
    store.save(one)
    store.save(two)
    store.delete(two.id)
    assert store.load(one.id) == one


def test_the_list_sums_up_each_project_the_newest_first(store):
    old, new = samples.project(0), samples.project(3)
    store.save(old)
    store.save(new)
    first, second = store.list()
    assert (first.id, first.num_segments, first.seconds) == (new.id, 3, 4.5)
    assert first.poster == new.branch()[0].poster
    assert (second.id, second.num_segments, second.seconds, second.poster) == (old.id, 0, 0.0, None)


def test_an_absent_project_is_an_input_error(store):
    for verb in (store.load, store.delete, lambda project_id: store.update(project_id, lambda p: p)):
        with pytest.raises(InputError, match="no such project"):
            verb("nowhere")


def test_a_deleted_project_takes_its_rows_its_jobs_and_its_folder_along(store):
    project = samples.project(2)
    store.save(project)
    store.write_media(project.id, ".txt", write("x"))
    store.save_job(JobRecord(id="j", kind="search", project_id=project.id, state="done", created=now()))
    store.delete(project.id)
    assert store.list() == []
    assert not store.media_dir(project.id).exists()
    assert store.load_jobs() == []
    with sqlite3.connect(store.data_dir / "studio.db") as connection:
        assert connection.execute("SELECT count(*) FROM segment").fetchone() == (0,)


def test_update_never_undoes_what_another_thread_saved(store):
    project = Project()
    store.save(project)

    def add():
        for _ in range(10):
            store.update(project.id, lambda p: with_segment(p, samples.segment(p.head)))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.load(project.id).branch()) == 40


def test_an_update_that_fails_changes_nothing(store):
    project = samples.project(1)
    store.save(project)

    def fail(found):
        raise InputError("There is nothing to undo.")

    with pytest.raises(InputError, match="nothing to undo"):
        store.update(project.id, fail)
    assert store.load(project.id) == project


def test_readers_see_whole_projects_while_a_writer_writes(store):
    project = samples.project(1)
    store.save(project)
    stop, errors, seen = threading.Event(), [], set()

    def read():
        other = Store(store.data_dir)
        while not stop.is_set():
            try:
                found = other.load(project.id)
                assert found.head is not None and len(found.branch()) == len(found.segments)
                seen.add(len(found.segments))
            except BaseException as error:
                errors.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(30):
        project = with_segment(project, samples.segment(project.head))
        store.save(project)
    stop.set()
    for reader in readers:
        reader.join()
    assert errors == []
    assert len(seen) > 1


def test_another_program_that_begins_on_the_same_folder_is_waited_for(store):
    class Begun:
        locked, logs = 2, []

        def execute(self, statement):
            if self.locked:
                self.locked -= 1
                raise sqlite3.OperationalError("database is locked")
            self.logs.append(statement)

    begun = Begun()
    database._log_ahead(begun)
    assert begun.logs == ["PRAGMA journal_mode = WAL"]


def test_the_database_keeps_a_write_ahead_log(store):
    with sqlite3.connect(store.data_dir / "studio.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_jobs_come_back_by_state_the_oldest_first(store):
    moment = now()
    for index, state in enumerate(["done", "running", "queued"]):
        created = moment + timedelta(seconds=index)
        store.save_job(JobRecord(id=state, kind="search", state=state, created=created))
    assert [record.id for record in store.load_jobs("queued", "running")] == ["running", "queued"]
    assert len(store.load_jobs()) == 3
    assert store.load_job("done").created == moment
    assert store.load_job("nowhere") is None


def test_the_newest_job_of_a_project_is_had_without_reading_the_others(store, monkeypatch):
    moment = now()
    for index in range(5):
        created = moment + timedelta(seconds=index)
        store.save_job(
            JobRecord(
                id=str(index), kind="search", project_id="pq"[index == 4], state="done", created=created
            )
        )
    read, parse = [], JobRecord.model_validate_json
    monkeypatch.setattr(JobRecord, "model_validate_json", lambda text: read.append(text) or parse(text))
    assert store.newest_job("p").id == "3"
    assert len(read) == 1
    assert store.newest_job("nobody") is None


def test_old_jobs_are_forgotten_once_they_have_ended(store):
    for state in ("done", "running"):
        store.save_job(JobRecord(id=state, kind="search", state=state, created=now() - timedelta(days=9)))
    store.forget_jobs(now() - timedelta(days=8))
    assert [record.id for record in store.load_jobs()] == ["running"]


def test_timings_follow_what_was_measured_lately(store):
    assert store.timing("pocket", "evaluation") is None
    store.record_timing("pocket", "evaluation", 2.0)
    store.record_timing("pocket", "evaluation", 1.0)
    store.record_timing("wan", "evaluation", 9.0)
    assert store.timing("pocket", "evaluation") == 1.5
