"""A film file restores its project."""

import itertools
import json
import subprocess

import av
import imageio_ffmpeg
import numpy as np
import pytest

from studio import export, media
from studio.checks import MAX_SEGMENTS
from studio.errors import InputError
from studio.media.reading import packets
from studio.restore import restore
from studio.store import Store
from studio.timeline import Project, with_segment
from tests.studio import samples
from tests.studio.samples import seconds


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "data")


@pytest.mark.parametrize("kind", ["mp4", "webm"])
def test_a_film_restores_its_project(store, kind):
    before = samples.project_with_clips(store, 3)
    project = restore(export.export(before, store, kind), store, kept=lambda _: 5)
    assert store.load(project.id) == project
    assert project.title == before.title
    for old, new in zip(before.branch(), project.branch(), strict=True):
        assert new.request == old.request.model_copy(update={"guide": None, "last_image": None})
        assert (new.seed, new.revision, new.num_frames, new.fps) == (
            old.seed,
            old.revision,
            old.num_frames,
            old.fps,
        )
        assert new.scores == old.scores
        assert media.count_frames(store.media_path(project.id, new.clip)) == new.num_frames


def test_the_still_of_a_restored_chunk_is_from_its_middle(store):
    project = restore(export.film(samples.project_with_clips(store, 2), store), store, kept=lambda _: 5)
    for chunk in project.branch():
        poster, clip = (store.media_path(project.id, name) for name in (chunk.poster, chunk.clip))
        assert samples.shown_frame(poster, clip) == chunk.num_frames // 2


def test_a_film_that_a_visitor_brings_is_their_project(store):
    before = samples.project_with_clips(store, 1)
    project = restore(export.film(before, store), store, kept=lambda _: 5, visitor="a")
    assert [each.id for each in store.list("a")] == [project.id]


def test_an_mp4_is_cut_without_loss(store):
    before = samples.project_with_clips(store, 3)
    project = restore(export.film(before, store), store, kept=lambda _: 5)
    for old, new in zip(before.branch(), project.branch(), strict=True):
        frames = [
            list(media.read_frames(store.media_path(p.id, s.clip)))
            for p, s in ((before, old), (project, new))
        ]
        assert np.array_equal(*frames)


def test_chunks_of_a_film_that_another_program_coded_out_of_order_keep_their_own_frames(store, tmp_path):
    before, frames = Project(), samples.moving_frames(51, width=384)
    for index in range(3):
        part = frames[17 * index : 17 * index + 17]
        clip = store.write_media(before.id, ".mp4", lambda to, part=part: media.write_clip(to, part, 8))
        before = with_segment(before, samples.segment(before.head, clip=clip, num_frames=17))
    smaller = tmp_path / "smaller.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(export.film(before, store))]
    subprocess.run([*command, "-c:v", "libx264", str(smaller)], check=True)
    assert any(packet.pts != packet.dts for _, packet in packets(smaller))
    project = restore(smaller, store, kept=lambda _: 5)
    shown = np.stack(list(media.read_frames(smaller))).astype(int)
    for index, segment in enumerate(project.branch()):
        clip = store.media_path(project.id, segment.clip)
        nearest = [
            np.abs(shown - frame.astype(int)).mean((1, 2, 3)).argmin() for frame in media.read_frames(clip)
        ]
        assert nearest == list(range(17 * index, 17 * index + 17))
        assert next(packets(clip))[1].pts == 0
    assert seconds(export.film(project, store)) == pytest.approx(51 / 8, abs=1e-3)


def test_a_film_whose_pixels_another_program_made_oblong_is_restored_in_its_shape(store, tmp_path):
    before, squeezed = samples.project_with_clips(store, 2), tmp_path / "squeezed.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(export.film(before, store)), "-bf"]
    subprocess.run([*command, "0", "-g", "9", "-vf", "scale=48:64,setsar=2/1", str(squeezed)], check=True)
    project = restore(squeezed, store, kept=lambda _: 5)
    for segment in project.branch():
        clip, tail = (store.media_path(project.id, name) for name in (segment.clip, segment.tail))
        assert (segment.height, segment.width) == (64, 96)
        assert next(media.read_frames(clip)).shape == media.read_frames_png(tail)[0].shape == (64, 96, 3)
        with av.open(str(clip)) as container:
            assert container.streams.video[0].width == 96


@pytest.mark.parametrize("kind", ["mp4", "webm"])
def test_clips_of_a_restored_film_keep_their_own_rates(store, kind):
    before = Project()
    for num_frames, fps in ((8, 8.0), (24, 24.0), (14, 7.0)):
        frames = np.repeat(samples.moving_frames(1), num_frames, 0)  # no cut is seen between the clips
        clip = store.write_media(
            before.id, ".mp4", lambda to, frames=frames, fps=fps: media.write_clip(to, frames, fps)
        )
        before = with_segment(before, samples.segment(before.head, clip=clip, num_frames=num_frames, fps=fps))
    project = restore(export.export(before, store, kind), store, kept=lambda _: 5)
    clips = [store.media_path(project.id, segment.clip) for segment in project.branch()]
    assert [seconds(clip) for clip in clips] == pytest.approx([1.0, 1.0, 2.0], abs=1e-3)
    assert [round(media.read_info(clip).fps, 2) for clip in clips] == [8, 24, 7]


@pytest.mark.parametrize("kind", ["mp4", "webm"])
def test_a_film_is_read_as_often_whatever_the_number_of_its_chunks(store, kind, monkeypatch):
    films = [
        export.export(samples.project_with_clips(store, number, num_frames=3), store, kind)
        for number in (1, 6)
    ]
    opened, av_open = [], av.open
    monkeypatch.setattr(
        av, "open", lambda path, *how, **more: opened.append(path) or av_open(path, *how, **more)
    )
    for film in films:
        restore(film, store, kept=lambda _: 5)
    assert opened.count(str(films[0])) == opened.count(str(films[1]))


def test_the_tail_reaches_back_over_the_seam(store):
    before = samples.project_with_clips(store, 2)
    film = export.film(before, store)
    project = restore(film, store, kept=lambda _: 12)
    tail = media.read_frames_png(store.media_path(project.id, project.branch()[1].tail))
    assert np.array_equal(tail, list(itertools.islice(media.read_frames(film), 6, 18)))


def test_a_restored_film_does_not_go_on_across_a_cut(store):
    before = Project()
    for grey, cut in ((255, False), (0, True)):
        frames = np.full((14, 64, 96, 3), grey, np.uint8)
        request = samples.segment().request.model_copy(update={"cut": cut})
        clip = store.write_media(before.id, ".mp4", lambda to, frames=frames: media.write_clip(to, frames, 8))
        tail = store.write_media(
            before.id, ".png", lambda to, frames=frames: media.write_frames_png(frames[-16:], to)
        )
        shot = samples.segment(before.head, request=request, clip=clip, tail=tail, num_frames=14)
        before = with_segment(before, shot)
    after = restore(export.film(before, store), store, kept=lambda _: 16)
    for old, new in zip(before.branch(), after.branch(), strict=True):
        tails = [
            media.read_frames_png(store.media_path(p.id, s.tail)) for p, s in ((before, old), (after, new))
        ]
        assert len(tails[1]) == len(tails[0])
        np.testing.assert_allclose(*(tail.mean((1, 2, 3)) for tail in tails), atol=3)  # an mp4 is not exact


def test_a_restored_film_is_exported_again_as_it_was(store):
    before = samples.project_with_clips(store, 2)
    film = export.film(before, store)
    again = export.film(restore(film, store, kept=lambda _: 5), store)
    assert np.array_equal(list(media.read_frames(film)), list(media.read_frames(again)))
    assert export.read_recipe(again)["segments"] == export.read_recipe(film)["segments"]


def test_a_film_of_more_chunks_than_one_job_makes_is_restored(store, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)  # takes longer than all the rest
    before = Project()
    frames = samples.moving_frames(1, height=16, width=16)
    clip = store.write_media(before.id, ".mp4", lambda to: media.write_clip(to, frames, 8))
    for _ in range(MAX_SEGMENTS + 1):
        before = with_segment(before, samples.segment(before.head, clip=clip, num_frames=1, candidates=()))
    project = restore(export.film(before, store), store, kept=lambda _: 1)
    assert len(store.load(project.id).branch()) == MAX_SEGMENTS + 1


def test_a_video_of_another_program_and_a_picture_are_no_projects(store, tmp_path):
    media.write_clip(tmp_path / "other.mp4", samples.moving_frames(5), 8)
    media.poster(samples.moving_frames(1)[0], tmp_path / "picture.jpg")
    for name in ("other.mp4", "picture.jpg"):
        assert restore(tmp_path / name, store, lambda _: 5) is None
    assert store.list() == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"segments": []}, "cannot be read"),
        ({"segments": [{"request": {"prompt": "x"}, "seed": 1, "num_frames": -1, "fps": 8}]}, "num_frames"),
        (
            {"segments": [{"request": {"prompt": "x"}, "seed": 1, "num_frames": 99, "fps": 8}]},
            "its recipe 99",
        ),
        ({"title": "x" * 5000}, "title"),
        ({"title": "a \ud83d fox"}, "no character"),
    ],
)
def test_a_recipe_that_does_not_fit_is_told_in_a_sentence_and_leaves_nothing(
    store, tmp_path, change, sentence
):
    good = export.recipe(samples.project_with_clips(Store(tmp_path / "other"), 1))
    film = tmp_path / "film.mp4"
    media.write_clip(film, samples.moving_frames(9), 8, comment=json.dumps({**good, **change}))
    with pytest.raises(InputError, match=sentence):
        restore(film, store, lambda _: 5)
    assert store.list() == []


def film_with(store, path, **change):
    """A film whose recipe says something else."""
    good = export.recipe(samples.project_with_clips(store, 1))
    media.write_clip(path, samples.moving_frames(9), 8, comment=json.dumps({**good, **change}))
    return path


def test_a_film_of_another_version_is_told_and_not_taken_for_a_foreign_video(store, tmp_path):
    film = film_with(store, tmp_path / "film.mp4", recipe=export.RECIPE_VERSION + 1)
    with pytest.raises(InputError, match="exported by another version"):
        restore(film, store, lambda _: 5)


def test_a_comment_that_nothing_can_be_made_of_is_no_recipe(tmp_path, monkeypatch):
    deep, long = tmp_path / "deep.mp4", tmp_path / "long.mp4"
    media.write_clip(deep, samples.moving_frames(1), 8, comment="[" * 100_000)
    media.write_clip(long, samples.moving_frames(1), 8, comment='{"recipe": 1, "segments": [1, 1, 1]}')
    monkeypatch.setattr(export, "MAX_RECIPE", 20)
    assert not export.has_recipe(long)
    monkeypatch.undo()
    assert export.has_recipe(long)
    assert not export.has_recipe(deep)


def test_a_title_of_a_foreign_film_does_not_steer_the_terminal(store, tmp_path):
    film = film_with(store, tmp_path / "film.mp4", title="a\x1b]0;fox\x07\n👩‍🚀")
    assert restore(film, store, lambda _: 5).title == "a ]0;fox 👩‍🚀"


def test_a_film_of_which_too_much_would_be_kept_in_memory_is_told_and_leaves_nothing(store, tmp_path):
    film = film_with(store, tmp_path / "film.mp4")
    before = set((store.data_dir / "media").iterdir())
    with pytest.raises(InputError, match=r"96x64.*not so large"):
        restore(film, store, lambda _: 30_000)
    assert set((store.data_dir / "media").iterdir()) == before


def test_a_film_that_another_program_made_odd_in_size_is_told_and_leaves_nothing(store, tmp_path):
    good = export.recipe(samples.project_with_clips(Store(tmp_path / "other"), 1))
    film, frames = tmp_path / "film.webm", samples.moving_frames(good["segments"][0]["num_frames"])
    with av.open(str(film), "w") as container:
        container.metadata["comment"] = json.dumps(good)
        stream = container.add_stream("libvpx-vp9", 8)
        stream.height, stream.width = 31, 33
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:31, :33]))))
        container.mux(stream.encode())
    with pytest.raises(InputError, match="33x31"):
        restore(film, store, lambda _: 5)
    assert store.list() == []


def test_a_restoring_that_fails_leaves_no_files(store, monkeypatch):
    film = export.film(samples.project_with_clips(store, 2), store)
    before = set((store.data_dir / "media").iterdir())

    def fail(*_):
        raise InputError("The disk is full.")

    monkeypatch.setattr(store, "save", fail)
    with pytest.raises(InputError, match="disk is full"):
        restore(film, store, kept=lambda _: 5)
    assert set((store.data_dir / "media").iterdir()) == before
