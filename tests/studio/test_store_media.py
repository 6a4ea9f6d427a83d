"""Media files: whole or not at all, found by their names only, swept when nothing refers to them."""

import os

import pytest

from studio.errors import InputError
from studio.store import JobRecord, Store
from studio.timeline import Project, now, with_gallery, with_segment
from tests.studio import samples
from tests.studio.programs import run


def write(text):
    return lambda path: path.write_text(text)


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


def test_the_sweep_leaves_what_the_database_knows_nothing_of(store):
    """Whoever moves a damaged database away still has the films that bring the projects back."""
    film = store.write_media("project", ".mp4", write("x"), name="film-" + "0" * 32 + ".mp4")
    assert store.sweep(min_age=0) == 0
    assert store.media_path("project", film).is_file()


def test_the_sweep_takes_what_a_deletion_that_was_cut_off_left(store, monkeypatch):
    project = samples.project(0)
    store.save(project)
    store.write_media(project.id, ".mp4", write("x"))
    with monkeypatch.context() as crash:
        crash.setattr(store._files, "remove_folder", lambda project_id: False)
        store.delete(project.id)
    assert store.media_dir(project.id).exists()
    Store(store.data_dir).sweep()
    assert not store.media_dir(project.id).exists()


def test_the_sweep_leaves_a_project_alone_that_somebody_works_on(store):
    project = samples.project(0)
    store.save(project)
    first_frame = store.write_media(project.id, ".png", write("x"))
    job = JobRecord(id="job", kind="make", project_id=project.id, state="running", created=now())
    store.save_job(job)
    assert store.sweep(min_age=0) == 0
    assert store.media_path(project.id, first_frame).is_file()
    store.save_job(job.model_copy(update={"state": "done"}))
    assert store.sweep(min_age=0) == 1


def test_the_sweep_leaves_files_of_other_names(store):
    project = samples.project(0)
    store.save(project)
    store.write_media(project.id, ".mp4", write("x"))
    holiday = store.media_dir(project.id) / "holiday 2019.mkv"
    holiday.write_text("x")
    assert store.sweep(min_age=0) == 1
    assert holiday.is_file()


def test_a_project_that_could_not_be_completed_leaves_no_files(store):
    store.write_media("half", ".mp4", write("x"))
    store.remove_unsaved("half")
    assert not store.media_dir("half").exists()


def test_who_misses_a_file_is_told_what_brings_it_back(store):
    name = store.write_media("p", ".txt", write("x"))
    store.media_path("p", name).unlink()
    with pytest.raises(InputError, match="an exported film restores the project"):
        store.media_path("p", name)
