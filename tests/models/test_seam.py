"""Chunks that repeat the end of a film, but a bit softer than it was, and go on like that."""

import cv2
import numpy as np
import pytest

from models.clip import Clip
from models.seam import smooth_seam

GIVEN, FPS = 5, 8.0


def film(speed=2, num_frames=17):
    """A patch of grain on smooth ground, going to the right."""
    rng = np.random.default_rng(0)
    patch = cv2.resize(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8), (48, 48))
    frames = np.full((num_frames, 96, 128, 3), 120, np.uint8)
    for index, frame in enumerate(frames):
        frame[24:72, 16 + speed * index : 64 + speed * index] = patch
    return frames


def softer(frames):
    return np.stack([cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in frames])


def error(frames, true):
    return float(np.abs(frames.astype(float) - true).mean())


@pytest.fixture
def true():
    return film()


@pytest.fixture
def chunk(true):
    return Clip(softer(true), FPS)


def test_the_first_new_frame_is_as_crisp_as_the_film_before_it(true, chunk):
    shown = smooth_seam(chunk, true[:GIVEN], GIVEN)
    before, after = (error(each.frames[GIVEN], true[GIVEN]) for each in (chunk, shown))
    assert after < before / 2


def test_where_nothing_moves_the_jump_is_spread_evenly():
    true = film(speed=0)
    shown = smooth_seam(Clip(softer(true), FPS), true[:GIVEN], GIVEN)
    seen = np.concatenate([true[:GIVEN], shown.frames[GIVEN:]]).astype(float)
    steps = np.abs(np.diff(seen, axis=0)).mean((1, 2, 3))
    np.testing.assert_allclose(steps[GIVEN - 1 : GIVEN + 4], error(softer(true), true) / 5, rtol=0.2)


def test_it_fades_within_half_a_second(true, chunk):
    shown = smooth_seam(chunk, true[:GIVEN], GIVEN)
    differences = [
        error(new, old) for new, old in zip(shown.frames[GIVEN:], chunk.frames[GIVEN:], strict=True)
    ]
    assert differences[0] > differences[1] > differences[2] > differences[3] > 0
    assert differences[4:] == [0] * (len(differences) - 4)


def test_the_repeated_frames_stay_as_the_model_drew_them(true, chunk):
    shown = smooth_seam(chunk, true[:GIVEN], GIVEN)
    np.testing.assert_array_equal(shown.frames[:GIVEN], chunk.frames[:GIVEN])


def test_a_shift_of_colour_is_handed_on_too(true):
    chunk = Clip((true * 0.9).astype(np.uint8), FPS)
    shown = smooth_seam(chunk, true[:GIVEN], GIVEN)
    assert error(shown.frames[GIVEN], true[GIVEN]) < error(chunk.frames[GIVEN], true[GIVEN]) / 2


def test_a_guide_that_is_repeated_as_it_was_changes_nothing(true):
    chunk = Clip(true, FPS)
    assert smooth_seam(chunk, true[:GIVEN], GIVEN) is chunk


def test_a_model_that_shows_something_else_is_left_alone(true):
    chunk = Clip(255 - true // 4, FPS)
    assert smooth_seam(chunk, true[:GIVEN], GIVEN) is chunk


def test_a_guide_of_another_size_is_fitted_first(true, chunk):
    large = np.stack([cv2.resize(frame, (256, 192)) for frame in true[:GIVEN]])
    shown = smooth_seam(chunk, large, GIVEN)
    assert error(shown.frames[GIVEN], true[GIVEN]) < error(chunk.frames[GIVEN], true[GIVEN])


def test_a_chunk_with_two_new_frames_has_a_seam_of_two(true):
    chunk = Clip(softer(true[: GIVEN + 2]), FPS)
    assert len(smooth_seam(chunk, true[:GIVEN], GIVEN)) == GIVEN + 2
