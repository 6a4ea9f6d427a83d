"""The store: whole or not at all, exact, and readable while it is written."""

import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections import namedtuple
from datetime import timedelta
from pathlib import Path

import pytest

from studio.errors import InputError
from studio.store import JobRecord, Store
from studio.timeline import Project, now, with_gallery, with_head, with_segment
from tests.studio import samples

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def run(program, *arguments):
    """Run a program of its own that may die in the middle."""
    env = {**os.environ, "PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def write(text):
    return lambda path: path.write_text(text)


# Projects


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


def test_the_database_keeps_a_write_ahead_log(store):
    with sqlite3.connect(store.data_dir / "studio.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


# Media


def test_a_media_file_is_found_under_the_name_it_was_given(store):
    name = store.write_media("p", ".txt", write("frames"))
    assert store.media_path("p", name).read_text() == "frames"
    assert store.media_path("p", name).parent == store.media_dir("p")


def test_media_names_cannot_be_guessed(store):
    names = {store.write_media("p", ".txt", write("x")) for _ in range(20)}
    assert len(names) == 20
    assert all(len(name) == 32 + len(".txt") for name in names)


@pytest.mark.parametrize(
    "name",
    ["../../studio.db", "/etc/passwd", "..", "", "a.mp4", "unfinished-x.mp4", "0" * 32 + ".mp4/../x", "\0"],
)
def test_names_that_lead_elsewhere_are_refused(store, name):
    store.write_media("p", ".txt", write("x"))
    with pytest.raises(InputError, match="not part of this project"):
        store.media_path("p", name)


@pytest.mark.parametrize("project_id", ["..", "../p", "a/b", "", "p\n"])
def test_project_ids_that_lead_elsewhere_are_refused(store, project_id):
    with pytest.raises(InputError, match="no such project"):
        store.media_dir(project_id)


def test_a_writer_that_fails_leaves_nothing(store):
    def fail(path):
        path.write_text("half")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        store.write_media("p", ".mp4", fail)
    assert list(store.media_dir("p").iterdir()) == []


# Crashes

MAKE_SEGMENT = """
    import os, sys
    from pathlib import Path
    from studio.store import Store
    from studio.timeline import with_segment
    from tests.studio import samples

    store, project_id, at = Store(Path(sys.argv[1])), sys.argv[2], sys.argv[3]

    def write(path):
        path.write_bytes(b"half")
        if at == "within the file":
            os._exit(9)
        path.write_bytes(b"whole")

    clip = store.write_media(project_id, ".mp4", write)
    if at == "between file and row":
        os._exit(9)

    def change(project):
        project = with_segment(project, samples.segment(project.head, clip=clip))
        if at == "within the transaction":
            os._exit(9)
        return project

    store.update(project_id, change)
    os._exit(9)
"""


@pytest.mark.parametrize("at", ["within the file", "between file and row", "within the transaction"])
def test_a_crash_before_the_row_leaves_the_project_as_it_was_and_the_sweep_takes_the_rest(store, at):
    project = samples.project(1)
    store.save(project)
    ended = run(MAKE_SEGMENT, store.data_dir, project.id, at)
    assert ended.returncode == 9, ended.stderr
    again = Store(store.data_dir)
    assert again.load(project.id) == project
    assert len(list(again.media_dir(project.id).iterdir())) == 1
    assert again.sweep(min_age=0) == 1
    assert list(again.media_dir(project.id).iterdir()) == []


def test_a_crash_after_the_row_leaves_a_finished_segment(store):
    project = samples.project(1)
    store.save(project)
    assert run(MAKE_SEGMENT, store.data_dir, project.id, "after the row").returncode == 9
    found = Store(store.data_dir).load(project.id)
    assert len(found.branch()) == 2
    assert store.media_path(project.id, found.branch()[-1].clip).read_bytes() == b"whole"
    assert store.sweep(min_age=0) == 0


def test_the_sweep_keeps_all_that_a_project_refers_to(store):
    project = Project()
    names = [store.write_media(project.id, ".mp4", write("x")) for _ in range(5)]
    clip, tail, poster, preview, guide = names
    shown = samples.gallery()
    shown = shown.model_copy(
        update={
            "request": shown.request.model_copy(update={"guide": guide}),
            "candidates": (shown.candidates[0].model_copy(update={"preview": preview}),),
        }
    )
    segment = samples.segment(clip=clip, tail=tail, poster=poster, candidates=())
    store.save(with_gallery(with_segment(project, segment), shown))
    assert store.sweep(min_age=0) == 0
    store.save(with_segment(project, segment))
    assert store.sweep(min_age=0) == 2


def test_the_sweep_leaves_young_files_to_whoever_is_writing_them(store):
    project = samples.project(0)
    store.save(project)
    name = store.write_media(project.id, ".mp4", write("x"))
    assert store.sweep() == 0
    path = store.media_path(project.id, name)
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 7200))
    assert store.sweep() == 1


def test_the_sweep_removes_the_folder_of_a_project_that_is_gone(store):
    store.write_media("gone", ".mp4", write("x"))
    assert store.sweep(min_age=0) == 1
    assert not store.media_dir("gone").exists()


# A disk that is full, a database that is none

FILL = """
    import resource, sys
    from pathlib import Path
    from studio import media
    from studio.errors import InputError
    from studio.store import Store
    from tests.studio import samples

    store = Store(Path(sys.argv[1]))
    project = samples.project(0)
    store.save(project)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), -1))
    frames = samples.moving_frames(40)
    try:
        if sys.argv[2] == "clip":
            store.write_media(project.id, ".mp4", lambda path: media.write_clip(path, frames, 8))
        elif sys.argv[2] == "png":
            store.write_media(project.id, ".png", lambda path: media.write_frames_png(frames, path))
        else:
            store.save(samples.project(400))
    except InputError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
    print([path.name for path in store.media_dir(project.id).glob("*")], len(store.list()))
"""


@pytest.mark.skipif(os.name == "nt", reason="no file size limit there")
@pytest.mark.parametrize(("what", "limit"), [("clip", 5_000), ("png", 2_000), ("rows", 60_000)])
def test_a_write_that_does_not_fit_says_what_to_do_and_leaves_nothing(tmp_path, what, limit):
    ended = run(FILL, tmp_path, what, limit)
    assert ended.returncode == 0, ended.stderr
    sentence, left = ended.stdout.splitlines()
    assert "Delete a project" in sentence and "STUDIO_DATA_DIR" in sentence
    assert left == "[] 1"


def test_a_disk_that_is_nearly_full_is_told_before_the_work_begins(store, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10 * 2**30, 0, 120 * 2**20))
    store.check_disk(100 * 2**20)
    with pytest.raises(InputError, match=r"120 MiB free .* 130 MiB needed"):
        store.check_disk(130 * 2**20)
    with pytest.raises(InputError, match="200 MiB needed"):
        Store(store.data_dir, min_free_mb=200).check_disk()


def test_a_file_that_is_no_database_is_told_in_a_sentence(tmp_path):
    (tmp_path / "studio.db").write_bytes(b"this is a letter, not a database\n" * 100)
    with pytest.raises(InputError, match="move it away"):
        Store(tmp_path)
    assert (tmp_path / "studio.db").read_bytes().startswith(b"this is a letter")


def test_a_database_that_was_cut_off_is_told_in_a_sentence(store):
    project = samples.project(60)
    store.save(project)
    database = store.data_dir / "studio.db"
    whole = database.read_bytes()
    database.write_bytes(whole[: len(whole) // 4096 // 2 * 4096])
    with pytest.raises(InputError, match="cannot be used"):
        Store(store.data_dir).load(project.id)


@pytest.mark.parametrize("version", [0, 99])
def test_a_database_of_another_version_is_told_in_a_sentence(store, version):
    with sqlite3.connect(store.data_dir / "studio.db") as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(InputError, match=f"has version {version}"):
        Store(store.data_dir)


def test_a_record_that_cannot_be_read_is_told_in_a_sentence_and_the_others_still_open(store):
    broken, whole = samples.project(1), samples.project(1)
    store.save(broken)
    store.save(whole)
    with sqlite3.connect(store.data_dir / "studio.db") as connection:
        connection.execute("UPDATE segment SET record = '{}' WHERE project_id = ?", (broken.id,))
    with pytest.raises(InputError, match="cannot be read"):
        store.load(broken.id)
    assert store.load(whole.id) == whole
    assert len(store.list()) == 2


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="STUDIO_DATA_DIR"):
        Store(tmp_path / "file" / "data")


# Jobs and timings


def test_jobs_come_back_by_state_the_oldest_first(store):
    moment = now()
    for index, state in enumerate(["done", "running", "queued"]):
        created = moment + timedelta(seconds=index)
        store.save_job(JobRecord(id=state, kind="search", state=state, created=created))
    assert [record.id for record in store.load_jobs("queued", "running")] == ["running", "queued"]
    assert len(store.load_jobs()) == 3
    assert store.load_job("done").created == moment
    assert store.load_job("nowhere") is None


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
