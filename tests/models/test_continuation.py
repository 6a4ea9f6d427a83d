"""Frames at the seam of two chunks."""

import numpy as np
import pytest

from models.catalog import card
from models.continuation import cover, fit_guide, known_frames, match_colours, prefix, prefix_lengths
from models.errors import InputError

POCKET, HELIOS = card("pocket"), card("helios")


def grey(num_frames, height=40, width=60, value=128):
    return np.full((num_frames, height, width, 3), value, np.uint8)


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 500), (777, 3), (128, 128), (127, 129), (2000, 1000)]
)
def test_a_guide_of_any_size_is_brought_to_the_size_of_the_run(height, width):
    assert fit_guide(grey(1, height, width), POCKET, 96, 128, 17).shape == (1, 96, 128, 3)


def test_a_single_picture_is_a_guide_of_one_frame():
    assert fit_guide(grey(1)[0], POCKET, 32, 32, 17).shape == (1, 32, 32, 3)


def test_a_frame_of_the_right_size_is_left_as_it_is():
    frames = np.random.default_rng(0).integers(0, 256, (5, 32, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(fit_guide(frames, POCKET, 32, 64, 17), frames)


def test_a_wide_picture_loses_its_sides_not_its_shape():
    wide = grey(1, 40, 120, 0)[0]
    wide[:, 40:80] = 255  # a white square in the middle third
    assert (cover(wide, 80, 80)[8:72, 8:72] == 255).all()


@pytest.mark.parametrize(
    "guide",
    [
        np.zeros((1, 8, 8, 4), np.uint8),
        np.zeros((8, 8), np.uint8),
        np.zeros((1, 8, 8, 3), np.float32),
        np.zeros((0, 8, 8, 3), np.uint8),
        np.zeros((1, 0, 8, 3), np.uint8),
    ],
)
def test_what_is_not_rgb_with_8_bits_is_refused(guide):
    with pytest.raises(InputError, match="Convert it to RGB"):
        fit_guide(guide, POCKET, 32, 32, 17)


def test_prefix_lengths_follow_from_the_card():
    assert prefix_lengths(POCKET) == (1, 5)
    assert prefix_lengths(HELIOS) == (1, 33)


def test_what_is_only_looked_at_is_parted_from_what_is_repeated():
    before, guide = known_frames(grey(33), HELIOS, 32, 32, 33)
    assert (len(before), len(guide)) == (32, 1)
    before, guide = known_frames(grey(5), POCKET, 32, 32, 17)
    assert before is None and len(guide) == 5


@pytest.mark.parametrize("num_frames", [2, 4, 6, 9])
def test_a_prefix_of_another_length_is_refused_with_the_legal_ones(num_frames):
    with pytest.raises(InputError, match=r"1 or 5 frames, not"):
        fit_guide(grey(num_frames), POCKET, 32, 32, 17)


def test_a_guide_as_long_as_the_chunk_is_refused():
    with pytest.raises(InputError, match="nothing new"):
        fit_guide(grey(5), POCKET, 32, 32, 5)


@pytest.mark.parametrize(("given", "taken"), [(1, 1), (4, 1), (5, 5), (12, 5)])
def test_the_prefix_is_the_longest_legal_end_of_a_chunk(given, taken):
    frames = np.arange(given, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    end = prefix(frames, POCKET)
    assert len(end) == taken
    assert end[-1, 0, 0, 0] == given - 1


def test_colours_are_matched_to_the_frame_that_is_repeated():
    random = np.random.default_rng(0)
    reference = random.integers(60, 190, (32, 32, 3)).astype(np.uint8)
    drifted = (reference * 0.9 + 20).astype(np.uint8)
    chunk = np.stack([drifted, drifted])
    matched = match_colours(chunk, reference)
    assert np.abs(matched[0].astype(int) - reference).mean() < 1
    np.testing.assert_array_equal(matched[0], matched[1])


def test_a_flat_frame_is_shifted_but_not_blown_up():
    reference = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    flat = grey(2, 8, 8, 100)
    assert np.ptp(match_colours(flat, reference)[0], axis=(0, 1)).max() == 0
