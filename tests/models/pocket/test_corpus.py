from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.errors import InputError
from models.pocket import corpus
from models.pocket.backdrops import (
    CELL,
    FALLING,
    HIGH,
    SCALE,
    VIEW,
    WIDTH,
    draw_backdrop,
    draw_falling,
    draw_panorama,
)
from models.pocket.captions import caption, doing, plain_caption
from models.pocket.scenes import (
    MOTIONS,
    NUM_FRAMES,
    SETTINGS,
    SIZE,
    Actor,
    Scene,
    actor_path,
    camera_path,
    draw_scene,
    held_out,
    is_held_out,
    render,
)
from models.pocket.sprites import load_sprites
from models.pocket.subjects import NOUNS, SUBJECTS, subject_by_noun


@pytest.fixture
def sprites(monkeypatch: pytest.MonkeyPatch, drawn_sprites: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    monkeypatch.setattr(corpus, "cast", lambda: drawn_sprites)
    return drawn_sprites


def test_a_clip_has_seventeen_frames_of_128_pixels(sprites: dict[str, np.ndarray]) -> None:
    clip = render(draw_scene(np.random.default_rng(0)), sprites)
    assert clip.shape == (17, 128, 128, 3)
    assert clip.dtype == np.uint8


def test_equal_scenes_render_to_equal_clips(sprites: dict[str, np.ndarray]) -> None:
    scene = draw_scene(np.random.default_rng(3))
    np.testing.assert_array_equal(render(scene, sprites), render(scene, sprites))


def test_single_frames_are_those_of_the_clip(sprites: dict[str, np.ndarray]) -> None:
    for seed in range(6):
        scene = draw_scene(np.random.default_rng(seed))
        np.testing.assert_array_equal(render(scene, sprites, (4, 16)), render(scene, sprites)[[4, 16]])


@pytest.mark.parametrize("seed", range(6))
def test_a_scene_twice_as_large_shows_the_same(sprites: dict[str, np.ndarray], seed: int) -> None:
    scene = draw_scene(np.random.default_rng(seed))
    fine = {noun: frames.repeat(2, 1).repeat(2, 2) for noun, frames in sprites.items()}
    large = render(scene, fine, (0, 9), size=256).astype(float)
    smaller = large.reshape(2, 128, 2, 128, 2, 3).mean((2, 4))
    assert np.abs(smaller - render(scene, sprites, (0, 9))).mean() < 2.5


def test_a_batch_depends_on_its_seed_alone(sprites: dict[str, np.ndarray]) -> None:
    clips, captions, scenes = corpus.clip_batch(5, 2)
    again = corpus.clip_batch(5, 2)
    np.testing.assert_array_equal(clips, again[0])
    assert (captions, scenes) == again[1:]
    assert corpus.clip_batch(6, 2)[2] != scenes


def test_held_out_combinations_are_never_drawn_for_training() -> None:
    rng = np.random.default_rng(0)
    assert not any(is_held_out(draw_scene(rng)) for _ in range(500))


def test_held_out_scenes_are_drawn_on_request() -> None:
    rng = np.random.default_rng(0)
    assert all(is_held_out(draw_scene(rng, held=True)) for _ in range(20))


def test_about_one_combination_in_twenty_is_held_out() -> None:
    kept = [held_out(noun, setting, motion) for noun in NOUNS for setting in SETTINGS for motion in MOTIONS]
    assert 0.03 < np.mean(kept) < 0.07


def test_every_subject_keeps_some_combinations_for_training() -> None:
    for noun in NOUNS:
        assert not all(held_out(noun, setting, motion) for setting in SETTINGS for motion in MOTIONS)


def test_a_caption_names_every_subject() -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        scene = draw_scene(rng)
        text = caption(scene, rng)
        for actor in scene.actors:
            assert any(name in text for name in subject_by_noun(actor.noun).names), text


def test_captions_of_one_scene_vary() -> None:
    rng = np.random.default_rng(2)
    scene = draw_scene(rng)
    assert len({caption(scene, rng) for _ in range(30)}) > 10


def test_the_plain_caption_is_always_the_same() -> None:
    scene = draw_scene(np.random.default_rng(4))
    assert plain_caption(scene) == plain_caption(scene)
    assert scene.actors[0].noun in plain_caption(scene)


def test_the_cast_has_forty_distinct_subjects() -> None:
    assert len({subject.codepoint for subject in SUBJECTS}) == len(SUBJECTS) == 40
    assert len(set(NOUNS)) == 40


FRAMES = np.arange(NUM_FRAMES)


def scene_of(motion: str, setting: str, begun: float = 0.0, **changes: Any) -> Scene:
    """A tiger that does something on a quiet day."""
    tiger = Actor("tiger", motion, 0.5, 0.5, 0.6, False, 0, 0.3, begun)
    return Scene((tiger,), setting, "day", "none", "still", 3, **changes)


def test_the_camera_goes_along_with_a_subject_that_moves_right() -> None:
    scene = scene_of("right", "snow")
    x, *_ = actor_path(scene, scene.actors[0], FRAMES)
    right, down, _ = camera_path(scene, FRAMES)
    assert np.ptp(x) == 0
    np.testing.assert_allclose(np.diff(right), 0.3 / 16)
    assert np.ptp(down) == 0


def test_what_is_near_passes_by_and_the_sky_does_not(sprites: dict[str, np.ndarray]) -> None:
    empty = dict.fromkeys(sprites, np.zeros_like(sprites["tiger"]))
    clip = render(scene_of("right", "street"), empty).astype(int)
    changed = np.abs(clip[16] - clip[0]).sum(-1) > 30
    assert not changed[:10].any()
    assert changed[60:90].mean() > 0.2


@pytest.mark.parametrize("setting", ["sky", "meadow"])
def test_what_rises_stays_in_the_picture(setting: str) -> None:
    scene = scene_of("up", setting, begun=0.9)
    _, y, *_ = actor_path(scene, scene.actors[0], FRAMES)
    assert y.min() > 0.3
    _, down, _ = camera_path(scene, FRAMES)
    assert (down[16] < down[0]) == (setting == "sky")


@pytest.mark.parametrize("motion", ["jumps", "spins", "circles"])
def test_a_clip_that_begins_where_another_is_goes_on_as_that_one_does(motion: str) -> None:
    whole, rest = scene_of(motion, "meadow"), scene_of(motion, "meadow", begun=0.5)
    ahead = actor_path(whole, whole.actors[0], FRAMES[8:])
    begun = actor_path(rest, rest.actors[0], FRAMES[:9])
    np.testing.assert_allclose(ahead[:3], begun[:3], atol=1e-9)
    np.testing.assert_allclose(np.cos(ahead[3]), np.cos(begun[3]), atol=1e-9)


def test_where_a_film_can_go_on_a_clip_of_the_corpus_can_begin() -> None:
    """After 12 frames, if the last five are given, or after 16, if only the last one is."""
    rng = np.random.default_rng(0)
    actors = [actor for _ in range(300) for actor in draw_scene(rng).actors]
    assert {(actor.phase, actor.begun) for actor in actors} > {(0, 0.0)}
    phases = {actor.phase for actor in actors}
    quarters = {actor.begun % 1 for actor in actors}
    for later in (12, 16):
        assert {(phase + later) % 24 for phase in phases} == phases
        assert {(begun + later / 16) % 1 for begun in quarters} == quarters


def test_how_a_film_begins_follows_from_its_caption() -> None:
    """But for the place in the panorama and the side of the sun."""
    rng = np.random.default_rng(0)
    for scene in (draw_scene(rng, opening=True) for _ in range(200)):
        for actor in scene.actors:
            assert (actor.phase, actor.begun) == (0, 0.0)
            assert not actor.mirrored or actor.motion == "right"


@pytest.mark.parametrize("setting", [setting for setting in SETTINGS if setting != "street"])
def test_the_panorama_ends_where_it_begins(setting: str) -> None:
    """In a street a house ends there."""
    near = draw_panorama(setting, "day", "none", False).astype(int)
    assert np.abs(near[:, 0] - near[:, -1]).mean() < 1


@pytest.mark.parametrize("step", [CELL, CELL // 2])
def test_clips_begin_at_whole_steps_of_the_panorama(step: int) -> None:
    near = draw_panorama("meadow", "day", "none", False)
    begins = {near[:, x : x + 8].tobytes() for x in range(0, near.shape[1], step * SCALE)}
    for seed in range(20):
        seen = draw_backdrop("meadow", "day", "none", seed, step=step).near
        assert seen[:, :8].tobytes() in begins


@pytest.mark.parametrize("weather", ["rain", "snow"])
def test_what_falls_comes_again(weather: str) -> None:
    tile = draw_falling(weather)
    assert tile.max() > 0.5
    assert np.abs(np.roll(tile, FALLING, axis=0) - tile).mean() < 0.01  # but for who lies over whom
    assert np.abs(np.roll(tile, FALLING // 2, axis=0) - tile).mean() > 0.03


@pytest.mark.parametrize(("noun", "cells"), [("car", 1.0), ("dog", 0.5)])
def test_what_passes_by_goes_by_whole_or_half_cells_of_the_latents(noun: str, cells: float) -> None:
    rng = np.random.default_rng(0)
    while (scene := draw_scene(rng)).actors[0].noun != noun or scene.actors[0].motion != "right":
        pass
    right, *_ = camera_path(scene, FRAMES[::4])
    np.testing.assert_allclose(np.diff(right) * SIZE / 16, cells)


@pytest.mark.parametrize(("motion", "stood", "goes"), [("right", slice(0, 5), slice(4, 17)),
                                                       ("jumps", slice(4, 17), slice(0, 5))])  # fmt: skip
def test_a_turning_scene_does_something_else_after_five_frames(
    motion: str, stood: slice, goes: slice
) -> None:
    scene = scene_of(motion, "meadow", turning=True)
    right, *_ = camera_path(scene, FRAMES)
    assert np.ptp(right[stood]) == 0
    assert (np.diff(right[goes]) != 0).all()
    _, y, *_ = actor_path(scene, scene.actors[0], FRAMES)
    assert np.ptp(y[:5]) == 0
    assert (np.ptp(y) > 0) == (motion == "jumps")


def test_turning_scenes_are_drawn_on_request() -> None:
    rng = np.random.default_rng(0)
    scenes = [draw_scene(rng, turning=True) for _ in range(50)]
    assert all(scene.turning and len(scene.actors) == 1 for scene in scenes)
    assert not {scene.actors[0].motion for scene in scenes} & {"up", "down", "still"}


def test_missing_sprites_say_how_to_make_them(tmp_path) -> None:
    with pytest.raises(InputError, match=r"python -m models\.pocket corpus"):
        load_sprites(tmp_path / "sprites.npz")


@pytest.mark.parametrize(
    ("deed", "gerund"),
    [
        ("runs to the left", "running to the left"),
        ("comes closer", "coming closer"),
        ("flies right", "flying right"),
        ("goes up", "going up"),
        ("approaches", "approaching"),
        ("is", ""),
    ],
)
def test_people_also_say_what_a_subject_is_doing(deed: str, gerund: str) -> None:
    assert doing(deed) == gerund


@pytest.mark.parametrize("setting", HIGH)
@pytest.mark.parametrize("upright", [False, True])
def test_what_passes_by_in_the_air_leaves_the_path_of_the_subject_free(setting: str, upright: bool) -> None:
    cover = np.stack(
        [draw_backdrop(setting, "day", "none", seed, upright).near[..., 3] for seed in range(20)]
    )
    path = slice(WIDTH - VIEW // 4, WIDTH + VIEW // 4)  # in pixels: two to a unit
    along, across = cover[:, path].any(), cover[:, :, path].any()
    assert (along, across) == ((True, False) if upright else (False, True))


@pytest.mark.parametrize("time", ["day", "dusk", "night"])
def test_sun_and_moon_stay_beside_the_subject(time: str) -> None:
    for seed in range(20):
        far = draw_backdrop("desert", time, "none", seed).far.astype(int)
        middle = far[: VIEW // 2, VIEW - VIEW // 4 : VIEW + VIEW // 4]
        assert np.ptp(middle, axis=1).max() < 8
