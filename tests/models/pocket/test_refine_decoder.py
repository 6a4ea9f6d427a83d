"""A decoder learns on encoded and on drawn clips, and is published only if it got better."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import InputError
from models.pocket import refine_decoder
from models.pocket.autoencoder import load_autoencoder
from models.pocket.drawn_clips import DrawnClips
from models.pocket.latents import encode_shard
from models.pocket.refine_decoder import RefineSettings
from tests.tiny import tiny_lingen

SETTINGS = RefineSettings(warmup=1, pool=8, renew=2)


@pytest.fixture
def work(encoded: Path) -> Path:
    """The folder of a training: rendered clips beside their latents, and a pipeline folder, `assets`."""
    tiny_lingen(encoded / "assets")
    vae = load_autoencoder(encoded / "assets" / "vae")
    (encoded / "frames").mkdir()
    for shard in encoded.glob("*.safetensors"):
        shard.rename(encoded / "frames" / shard.name)
        encode_shard(encoded / "frames" / shard.name, encoded / "latents" / shard.name, vae, batch=4)
    return encoded


def drawn(work: Path, made: float, seed: int = 0) -> DrawnClips:
    return DrawnClips(work, work / "assets", made, pool=8, renew=2, seed=seed)


def test_encoded_latents_lie_beside_the_clip_that_they_show(work: Path) -> None:
    batch = drawn(work, made=0.0).draw(3)
    assert batch.latents.shape == (3, 8, 5, 2, 2)
    assert batch.pixels.shape == (3, 3, 17, 32, 32)
    assert batch.subjects.shape == (3, 1, 17, 32, 32)
    vae = load_autoencoder(work / "assets" / "vae")
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        mean = vae.encode(batch.pixels).latent_dist.mean.float()
    torch.testing.assert_close(batch.latents, mean, atol=0.05, rtol=0.05)


def test_drawn_latents_are_the_generators_and_given_frames_stay(work: Path) -> None:
    clips = drawn(work, made=1.0)
    for _ in range(8):
        clips.draw(1)
    assert len(clips.drawn) == clips.pool
    for place, latents in clips.drawn:
        encoded = clips._read(place, "latents").float()
        assert not torch.allclose(latents[:, :, 2:], encoded[:, :, 2:], atol=0.05)
        if place.kind != "clips":
            torch.testing.assert_close(latents[:, :, :2], encoded[:, :, :2])


def test_a_seed_draws_the_same_batches(work: Path) -> None:
    one, other = (drawn(work, made=0.5, seed=3).draw(4) for _ in range(2))
    assert torch.equal(one.latents, other.latents)
    assert torch.equal(one.pixels, other.pixels)


def test_a_folder_without_clips_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no clips"):
        drawn(tmp_path, made=0.0)


@pytest.mark.parametrize("better", [True, False])
def test_it_is_published_only_if_it_got_better(
    work: Path, monkeypatch: pytest.MonkeyPatch, better: bool
) -> None:
    figures = iter([20.0, 21.0 if better else 19.0, 22.0])
    monkeypatch.setattr(refine_decoder, "reconstruction_psnr", lambda *_: next(figures))
    monkeypatch.setattr(refine_decoder, "clip_batch", lambda *_, **__: (np.zeros(1), [], []))
    monkeypatch.setattr(refine_decoder, "grown_autoencoder", lambda published: published)
    folder = work / "assets" / "vae"
    (folder / "training.json").write_text("{}")
    before = load_autoencoder(folder)
    refine_decoder.refine_decoder(work / "assets", work, 1, SETTINGS, max_steps=3)
    after = load_autoencoder(folder)
    moved = [
        name
        for name, weight in after.state_dict().items()
        if not torch.allclose(weight, before.state_dict()[name], atol=2e-3)
    ]
    assert bool(moved) == better
    assert all(name.startswith("decoder.") for name in moved)
    record = json.loads((folder / "training.json").read_text())
    assert record.get("held_out_psnr_db") == (22.0 if better else None)
