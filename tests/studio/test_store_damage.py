"""A disk that is full, a database that is none: told in a sentence, and nothing is lost."""

import os
import shutil
import sqlite3
from collections import namedtuple

import pytest

from studio.errors import InputError
from studio.store import Store
from tests.studio import samples
from tests.studio.programs import run

Usage = namedtuple("Usage", "total used free")


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
@pytest.mark.parametrize(("what", "limit"), [("clip", 2_000), ("png", 2_000), ("rows", 60_000)])
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


READ_ONLY = """
    import os, sys, tempfile
    from pathlib import Path
    from studio.errors import InputError
    from studio.store import Store

    with tempfile.TemporaryDirectory() as folder:
        Store(Path(folder))
        os.chmod(folder, 0o555)
        if os.geteuid() == 0:
            os.seteuid(65534)  # root may write everywhere
        try:
            Store(Path(folder))
        except InputError as error:
            print(error)
        if os.getuid() == 0:
            os.seteuid(0)
        os.chmod(folder, 0o755)
"""


@pytest.mark.skipif(os.name == "nt", reason="permissions are others there")
def test_a_folder_that_cannot_be_written_is_not_called_damaged():
    ended = run(READ_ONLY)
    assert ended.returncode == 0, ended.stderr
    assert "cannot be written; nothing in it is damaged" in ended.stdout
