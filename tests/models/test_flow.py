"""Optical flow of clips in which a patch of grain moves by whole pixels."""

import numpy as np
import pytest

from models.metrics.flow import direction, mean_flow, optical_flow


def moving(right, down, num_frames=5):
    """A patch on a flat ground that moves by so many pixels a frame."""
    patch = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    patch = patch.repeat(4, 0).repeat(4, 1)
    frames = np.full((num_frames, 96, 96, 3), 120, np.uint8)
    for index, frame in enumerate(frames):
        top, left = 32 + down * index, 32 + right * index
        frame[top : top + 32, left : left + 32] = patch
    return frames


@pytest.mark.parametrize(
    ("step", "name"),
    [((3, 0), "right"), ((-3, 0), "left"), ((0, 3), "down"), ((0, -3), "up"), ((1, -4), "up")],
)
def test_the_direction_is_that_of_what_moves(step, name):
    assert direction(moving(*step)) == name


@pytest.mark.parametrize(("step", "name"), [((3, 0), "left"), ((-3, 0), "right"), ((0, 3), "up")])
def test_if_the_camera_goes_along_the_surroundings_pass_by_the_other_way(step, name):
    ground = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    frames = np.stack([np.roll(ground, (step[1] * i, step[0] * i), (0, 1))[:96, :96] for i in range(5)])
    frames[:, 32:64, 32:64] = (200, 40, 40)  # the subject
    assert direction(frames) == name


def test_flow_is_in_pixels_to_the_right_and_down():
    flow = optical_flow(moving(3, -2))
    assert flow.shape == (4, 96, 96, 2)
    np.testing.assert_allclose(np.median(flow[:, 44:52, 44:52], axis=(0, 1, 2)), (3, -2), atol=0.3)


def test_what_moves_twice_as_fast_flows_more():
    still, slow, fast = (mean_flow(moving(speed, 0)) for speed in (0, 2, 4))
    assert still < 0.01 < slow < fast
