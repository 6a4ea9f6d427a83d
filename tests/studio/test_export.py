"""The film as a file to take along."""

import errno
import io
import json
import os
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from studio import export, media
from studio.errors import InputError
from studio.store import Store
from studio.timeline import ChunkRequest, with_gallery, with_head, with_segment
from tests.studio import samples


def test_the_film_is_its_segments_one_after_another(store):
    project = samples.project_with_clips(store, 3)
    path = export.film(project, store)
    assert media.count_frames(path) == 27
    last = media.read_frames(store.media_path(project.id, project.branch()[-1].clip))
    assert np.array_equal(list(media.read_frames(path))[18], next(last))


def test_the_film_is_the_branch_of_the_head_only(store):
    project = samples.project_with_clips(store, 3)
    shorter = with_head(project, project.branch()[0].id)
    assert media.count_frames(export.film(shorter, store)) == 9


def test_a_film_is_made_once_for_what_it_consists_of(store):
    project = samples.project_with_clips(store, 2)
    path = export.film(project, store)
    made = path.stat().st_mtime_ns
    assert export.film(with_gallery(project, samples.gallery(project.head)), store) == path
    assert path.stat().st_mtime_ns == made
    assert export.film(with_head(project, project.branch()[0].id), store) != path


def test_the_name_of_a_film_is_a_media_name_that_cannot_be_guessed(store):
    project = samples.project_with_clips(store, 1)
    path = export.film(project, store)
    assert store.media_path(project.id, path.name) == path
    assert export.film(samples.project_with_clips(store, 1), store).name != path.name


def test_the_recipe_is_in_the_mp4_and_in_the_webm(store):
    project = samples.project_with_clips(store, 2)
    for kind in ("mp4", "webm"):
        found = export.read_recipe(export.export(project, store, kind))
        assert found == export.recipe(project)
        first = found["segments"][0]
        assert (first["seed"], first["revision"], first["fps"]) == (9, "abc", 8.0)
        assert ChunkRequest(**first["request"]) == project.branch()[0].request


def test_the_recipe_does_not_name_the_guide_image(store):
    request = ChunkRequest(prompt="a fox", guide="0" * 32 + ".png")
    project = with_segment(samples.project(0), samples.segment(request=request))
    assert "0" * 32 not in json.dumps(export.recipe(project))
    assert export.recipe(project)["segments"][0]["guide_image"] is True


def test_a_gif_holds_every_frame(store):
    path = export.export(samples.project_with_clips(store, 2), store, "gif")
    with Image.open(path) as image:
        assert image.n_frames == 18


def test_the_zip_holds_a_png_a_frame_and_the_recipe(store):
    project = samples.project_with_clips(store, 2)
    with zipfile.ZipFile(export.export(project, store, "frames")) as archive:
        names = archive.namelist()
        assert names == [f"frame_{index:05}.png" for index in range(1, 19)] + ["recipe.json"]
        assert json.loads(archive.read("recipe.json")) == export.recipe(project)
        first = np.asarray(Image.open(io.BytesIO(archive.read(names[0]))))
    clip = store.media_path(project.id, project.branch()[0].clip)
    assert np.array_equal(first, next(media.read_frames(clip)))


def test_the_bundle_for_editing_programs_holds_every_clip_untouched_and_in_order(store):
    project = samples.project_with_clips(store, 2)
    with zipfile.ZipFile(export.export(project, store, "otioz")) as archive:
        assert archive.read("version.txt") == b"1.0.0"
        assert json.loads(archive.read("recipe.json")) == export.recipe(project)
        timeline = json.loads(archive.read("content.otio"))
        clips = timeline["tracks"]["children"][0]["children"]
        assert [clip["name"] for clip in clips] == [segment.request.prompt for segment in project.branch()]
        for clip, segment in zip(clips, project.branch(), strict=True):
            inside = archive.read(clip["media_reference"]["target_url"])
            assert inside == store.media_path(project.id, segment.clip).read_bytes()


def test_a_clip_on_a_disk_that_keeps_no_times_goes_into_the_bundle(store):
    project = samples.project_with_clips(store, 1)
    clip = store.media_path(project.id, project.branch()[0].clip)
    os.utime(clip, (0, 0))  # a zip knows no time before 1980
    with zipfile.ZipFile(export.export(project, store, "otioz")) as archive:
        assert archive.read("media/segment_01.mp4") == clip.read_bytes()


def test_editing_programs_read_the_length_of_the_film(store, tmp_path):
    opentimelineio = pytest.importorskip("opentimelineio")
    project = samples.project_with_clips(store, 3)
    with zipfile.ZipFile(export.export(project, store, "otioz")) as archive:
        timeline = opentimelineio.adapters.read_from_string(archive.read("content.otio").decode())
    assert timeline.duration().to_seconds() == pytest.approx(project.seconds)
    assert len(timeline.find_clips()) == 3


def test_a_film_of_mixed_rates_lasts_as_long_as_its_parts(store):
    project = samples.project_with_clips(store, 1, num_frames=8, fps=8.0)
    frames = samples.moving_frames(12)
    clip = store.write_media(project.id, ".mp4", lambda path: media.write_clip(path, frames, 12))
    project = with_segment(project, samples.segment(project.head, clip=clip, num_frames=12, fps=12.0))
    assert media.count_frames(export.film(project, store)) == 20


def test_no_film_and_an_unknown_kind_are_input_errors(store):
    with pytest.raises(InputError, match="no film yet"):
        export.film(samples.project(0), store)
    with pytest.raises(InputError, match="mp4, webm, gif, frames, otioz"):
        export.export(samples.project_with_clips(store, 1), store, "avi")


def test_a_clip_that_is_gone_is_an_input_error_and_leaves_no_film(store):
    project = samples.project_with_clips(store, 2)
    store.media_path(project.id, project.branch()[1].clip).unlink()
    with pytest.raises(InputError):
        export.film(project, store)
    assert len(list(store.media_dir(project.id).iterdir())) == 1


def test_a_disk_that_is_nearly_full_is_told_before_anything_is_written(tmp_path):
    project = samples.project_with_clips(Store(tmp_path), 1)
    greedy = Store(tmp_path, min_free_mb=10**9)
    with pytest.raises(InputError, match="nearly full"):
        export.film(project, greedy)
    assert len(list(greedy.media_dir(project.id).iterdir())) == 1


def test_a_film_that_cannot_be_copied_leaves_the_file_of_that_name_as_it_was(store, tmp_path, monkeypatch):
    project, output = samples.project_with_clips(store), tmp_path / "fox.mp4"
    output.write_text("another film")
    export.export(project, store)

    def full(source, to):
        to.write_bytes(source.read_bytes()[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(InputError, match="No space left on device"):
        export.export(project, store, to=output)
    assert output.read_text() == "another film"
    assert [path.name for path in tmp_path.glob("*.mp4")] + [*tmp_path.glob("unfinished-*")] == ["fox.mp4"]


@pytest.mark.parametrize("kind", export.KINDS)
def test_a_film_is_written_to_another_disk_where_the_studio_s_own_is_full(tmp_path, kind):
    project = samples.project_with_clips(Store(tmp_path), 1)
    full, output = Store(tmp_path, min_free_mb=10**9), tmp_path / "holiday"
    assert export.export(project, full, kind, output) == output
    assert output.stat().st_size > 0
    assert len(list(full.media_dir(project.id).iterdir())) == 1


# Films that have given way


def chunk_by_chunk(store, number):
    """A film that gets longer by a short chunk at a time: the project after each."""
    project = samples.project_with_clips(store, 1, num_frames=1)
    (first,) = project.branch()
    yield project
    for _ in range(number - 1):
        project = with_segment(project, samples.segment(project.head, clip=first.clip, num_frames=1))
        yield project


def films_of(store, project):
    return {path for path in store.media_dir(project.id).iterdir() if path.name.startswith("film-")}


def test_a_film_that_is_played_while_it_gets_longer_leaves_few_of_its_shorter_ones(store):
    played = []
    for project in chunk_by_chunk(store, 30):
        played.append(export.film(project, store))
        assert played[-1].is_file()
    assert films_of(store, project) == set(played[-3:])  # a page may not have heard of the newest yet


def test_a_film_that_was_played_before_an_undo_and_after_it_stays_longest(store):
    first, second, third = chunk_by_chunk(store, 3)
    one, two, three = (export.film(project, store) for project in (first, second, third))
    assert export.film(first, store) == one
    other = with_segment(first, samples.segment(first.head, clip=first.branch()[0].clip, num_frames=1))
    assert films_of(store, first) == {one, two, three}
    newest = export.film(other, store)
    assert films_of(store, first) == {newest, one, three}


def test_films_that_were_saved_stay_a_while_and_go_with_the_next_look_at_the_film(store):
    projects = list(chunk_by_chunk(store, 5))
    saved = [export.export(project, store, "webm") for project in projects]
    export.film(projects[-1], store)
    assert all(path.is_file() for path in saved)
    for path in saved:
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 700))
    export.film(projects[-1], store)
    assert [path.is_file() for path in saved] == [False, False, True, True, True]


def test_a_film_that_was_forgotten_is_made_again(store):
    *_, project = chunk_by_chunk(store, 2)
    path = export.film(project, store)
    path.unlink()
    assert export.film(project, store) == path
    assert media.count_frames(path) == 2
