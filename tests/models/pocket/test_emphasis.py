"""What the loss of the generator looks at most."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.pocket.emphasis import channel_weights, latent_cells, loss_weights, subject_cells
from models.pocket.scenes import Actor, Scene, render

FOX = Actor("fox", "up", 0.5, 0.5, 0.7, False, 0, 0.4, 0.0)
SCENE = Scene((FOX,), "room", "day", "none", "still", 3)


def centre(cells):
    rows, columns = np.nonzero(cells)
    return rows.mean() / 7, columns.mean() / 7


def test_the_cells_of_a_subject_go_where_it_goes():
    first, last = subject_cells(SCENE, np.array([0, 16]), 8)
    assert centre(first) == pytest.approx((0.7, 0.5), abs=0.1)
    assert centre(last) == pytest.approx((0.34, 0.5), abs=0.1)


def test_they_cover_what_the_subject_changes_in_the_picture():
    across = np.linspace(-1, 1, 96) ** 2
    disc = np.where(across[:, None] + across < 0.8, 255, 0).astype(np.uint8)
    ball = {"fox": np.repeat(disc[None, :, :, None], 4, axis=3)}
    changed = (render(SCENE, ball, (8,)) != render(replace(SCENE, actors=()), {}, (8,))).any(-1)[0]
    shares = changed.reshape(8, 16, 8, 16).mean((1, 3))
    (cells,) = subject_cells(SCENE, np.array([8]), 8)
    assert cells[shares > 0.9].all()
    assert not cells[shares == 0].any()


def test_a_scene_of_nobody_has_none():
    assert not latent_cells(replace(SCENE, actors=()), None, 8).any()


def test_a_latent_frame_counts_every_frame_that_it_covers():
    cells = latent_cells(SCENE, None, 8)
    each = subject_cells(SCENE, np.arange(17), 8)
    assert cells.shape == (5, 8, 8)
    np.testing.assert_array_equal(cells[0], each[0])
    np.testing.assert_array_equal(cells[2], each[5:9].any(0))


def test_a_picture_has_the_cells_of_the_frame_it_shows():
    np.testing.assert_array_equal(latent_cells(SCENE, (5,), 8)[0], subject_cells(SCENE, np.array([5]), 8)[0])


def test_weights_have_a_mean_of_one_and_keep_their_proportions():
    subjects = torch.rand(2, 5, 8, 8) < 0.3
    weight = loss_weights(subjects, torch.tensor([0.5, 1.5]), 3.0)
    assert weight.shape == (2, 2, 5, 8, 8)
    assert weight.mean().item() == pytest.approx(1)
    inside, outside = weight[:, 1][subjects], weight[:, 1][~subjects]
    assert (inside / outside[0]).allclose(torch.tensor(3.0))


def test_a_channel_that_moves_no_pixel_still_counts_a_little():
    vae = Deaf()
    weights = channel_weights(vae, torch.randn(2, 3, 1, 4, 4))
    assert weights.mean().item() == pytest.approx(1)
    assert weights[2] > weights[1] > weights[0] > 0


class Deaf:
    """Decodes the sum of its channels, the first of which it does not hear."""

    latents_mean, latents_std = torch.zeros(3), torch.ones(3)

    def decode(self, latents):
        class Decoded:
            sample = latents[:, 1] + 2 * latents[:, 2]

        return Decoded
