"""Windows refuses to remove a file that is being sent to a browser: nobody's work ends for that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.clip import Clip
from models.diffusers_run import DiffusersRun
from studio import export
from studio.store import Store
from studio.studio import Studio
from studio.timeline import previews, with_segment
from tests.studio import samples
from tests.studio.test_studio import picked, searched


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of files that cannot be removed; `*` holds them all."""
    names: set[str] = set()
    unlink = Path.unlink

    def unlink_free(path: Path, missing_ok: bool = False) -> None:
        if names & {path.name, "*"}:
            raise PermissionError(13, "The process cannot access the file", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink_free)
    return names


def test_a_search_goes_on_while_a_preview_of_the_one_before_is_read(
    studio: Studio, request_, held: set[str]
) -> None:
    before = searched(studio, request_)
    reading = before.gallery.candidates[0].preview
    held.add(reading)
    after = searched(studio, request_, before.id)
    assert len(after.gallery.candidates) == request_.candidates
    stored = {path.name for path in studio.store.media_dir(before.id).iterdir()}
    assert stored & previews(before.gallery) == {reading}
    held.clear()
    assert studio.store.sweep(min_age=0) == 1  # the one that stayed


def test_a_pick_is_done_while_a_look_into_its_run_is_read(
    settings, request_, held: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Clip(np.full((9, 64, 64, 3), 90, np.uint8), 8.0)
    monkeypatch.setattr("studio.workers.local.LOOK_AFTER", 0.0)
    monkeypatch.setattr(DiffusersRun, "glimpse", lambda run: look)
    with Studio(settings.model_copy(update={"live_share": 1e-9})) as studio:
        before = searched(studio, request_)
        held.add("*")
        after = picked(studio, before)
        held.clear()
        assert len(after.branch()) == 1
        assert studio.live(before.id) is None


def test_a_longer_film_is_exported_while_a_shorter_one_is_read(tmp_path: Path, held: set[str]) -> None:
    store = Store(tmp_path)
    project = samples.project_with_clips(store, 1, num_frames=1)
    clip = project.branch()[0].clip
    held.add("*")
    for _ in range(4):
        project = with_segment(project, samples.segment(project.head, clip=clip, num_frames=1))
        assert export.film(project, store).is_file()


def test_a_studio_starts_while_another_one_sends_a_file_that_is_no_longer_needed(
    tmp_path: Path, held: set[str]
) -> None:
    store, project = Store(tmp_path), samples.project(0)
    store.save(project)
    names = [store.write_media(project.id, ".mp4", lambda path: path.write_text("x")) for _ in range(2)]
    held.add(names[0])
    assert store.sweep(min_age=0) == 1
    assert store.media_path(project.id, names[0]).is_file()
