"""The decoder's further training: what it sees, what it makes smaller, and end to end on a tiny pipeline."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import InputError
from models.pocket import refine_decoder as training
from models.pocket import rendered
from models.pocket.autoencoder import load_autoencoder, picture_loss, to_pixels
from models.pocket.drawer import KINDS, Drawer
from models.pocket.rendered import RenderedClips, as_pixels
from tests.tiny import tiny_lingen

SETTINGS = training.RefineSettings(warmup=1)


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    """A tiny pipeline folder."""
    tiny_lingen(tmp_path / "pocket")
    (tmp_path / "pocket" / "vae" / "training.json").write_text('{"held_out_psnr_db": 10.0}')
    return tmp_path / "pocket"


@pytest.fixture
def work(encoded: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Latents and frames of four random clips a shard."""
    monkeypatch.setattr(rendered, "SHARD", {"clips": 4})
    monkeypatch.setattr(
        training, "clip_batch", lambda *_, **__: (np.zeros((1, 17, 32, 32, 3), np.uint8), [], [])
    )
    (encoded / "frames").mkdir()
    for shard in encoded.glob("clips-*.safetensors"):
        shard.rename(encoded / "frames" / shard.name)
    return encoded


def decoder_of(assets: Path) -> torch.Tensor:
    return load_autoencoder(assets / "vae").decoder.conv_out.conv.weight


def test_a_clip_comes_with_its_frames_and_one_of_its_captions(work: Path) -> None:
    clips = RenderedClips(work)
    shown = clips.show([2, 0], np.random.default_rng(0))
    assert shown.latents.shape == (2, 8, 5, 2, 2)
    assert shown.subjects.shape == (2, 1, 17, 32, 32)
    assert set(shown.captions) <= {"a cat", "a dog"}
    torch.testing.assert_close(shown.pixels[:1], to_pixels(clips.shards[0][2:3]))


def test_frames_that_were_deleted_are_told(work: Path) -> None:
    next((work / "frames").glob("clips-000001*")).unlink()
    with pytest.raises(InputError, match="--only-render"):
        RenderedClips(work)


def test_a_latent_cell_covers_its_pixels_in_its_frames() -> None:
    cells = torch.zeros(1, 2, 2, 2, dtype=torch.bool)
    cells[0, 1, 0, 1] = True
    covered = as_pixels(cells)
    assert covered.shape == (1, 1, 5, 32, 32)
    assert covered[0, 0, 1:, :16, 16:].all() and covered.sum() == 4 * 16 * 16


@pytest.mark.parametrize("sharpness", [0.0, 0.6])
def test_a_weight_counts_an_error_where_it_is(sharpness: float) -> None:
    true, weight = torch.zeros(1, 3, 3, 16, 16), torch.full((1, 1, 3, 16, 16), 0.5)
    weight[..., 8:] = 1.5
    left, right = true.clone(), true.clone()
    left[..., 4, 4], right[..., 4, 12] = 1.0, 1.0
    light, heavy = (picture_loss(each, true, sharpness, weight) for each in (left, right))
    torch.testing.assert_close(heavy, 3 * light)


def test_without_a_weight_all_places_count_alike() -> None:
    made, true = torch.randn(2, 1, 3, 5, 16, 16)
    torch.testing.assert_close(
        picture_loss(made, true, 0.6), picture_loss(made, true, 0.6, torch.ones(1, 1, 5, 16, 16))
    )


@pytest.mark.parametrize("kind", KINDS)
def test_clips_are_drawn_again(assets: Path, kind: str) -> None:
    clean = torch.randn(2, 8, 5, 2, 2)
    drawn = Drawer(assets, (1.0, 0.0, 0.0)).draw(clean, ["a cat", "a dog"], np.random.default_rng(0), kind)
    assert drawn.shape == clean.shape
    assert (drawn != clean).any()


def test_the_same_random_numbers_draw_the_same(assets: Path) -> None:
    drawer, clean = Drawer(assets, (0.2, 0.4, 0.4)), torch.randn(1, 8, 5, 2, 2)
    first, again = (drawer.draw(clean, ["a cat"], np.random.default_rng(3)) for _ in range(2))
    torch.testing.assert_close(first, again)


def test_only_the_decoder_learns(assets: Path, work: Path) -> None:
    state = training.DecoderTraining(assets, work, SETTINGS, torch.device("cpu"), seed=0)
    state.loss().backward()
    assert all(weight.grad is not None for weight in state.vae.decoder.parameters())
    assert all(weight.grad is None for weight in state.vae.encoder.parameters())


def test_one_that_draws_held_out_clips_better_is_published_and_can_be_carried_on(
    assets: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, encoder = decoder_of(assets), load_autoencoder(assets / "vae").encoder.state_dict()
    losses = iter([2.0, 1.0] * 2)
    monkeypatch.setattr(training.DecoderTraining, "held_out", lambda _: {"loss": next(losses)})
    for steps in (1, 2):
        training.refine_decoder(assets, work, 1, SETTINGS, max_steps=steps)
    record = json.loads((assets / "vae" / "training.json").read_text())
    assert record["refined_decoder"]["steps"] == 2
    assert record["refined_decoder"]["before"]["held_out_psnr_db_before"] == 10.0
    vae = load_autoencoder(assets / "vae")
    assert not torch.equal(decoder_of(assets), before)
    for name, weight in vae.encoder.state_dict().items():
        torch.testing.assert_close(weight, encoder[name], rtol=2e-3, atol=1e-6)  # kept in 16 bits


def test_one_that_draws_them_worse_is_not(assets: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, losses = decoder_of(assets), iter([1.0, 2.0])
    monkeypatch.setattr(training.DecoderTraining, "held_out", lambda _: {"loss": next(losses)})
    training.refine_decoder(assets, work, 1, SETTINGS, max_steps=1)
    torch.testing.assert_close(decoder_of(assets), before)


def test_held_out_clips_are_always_drawn_with_the_same_noise(assets: Path, work: Path) -> None:
    state = training.DecoderTraining(assets, work, replace(SETTINGS, seed=5), torch.device("cpu"), seed=0)
    figures = state.held_out()
    state.loss()
    assert figures == state.held_out()
    assert set(figures) == {"loss", "coded_psnr_db", "finished_psnr_db"}
