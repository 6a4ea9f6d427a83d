from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.pocket import autoencoder, corpus, train_autoencoder
from models.pocket.autoencoder import (
    build_autoencoder,
    decode,
    encode,
    load_autoencoder,
    to_clips,
    to_pixels,
)
from models.pocket.muon import Muon, orthogonalized
from models.pocket.train_autoencoder import AutoencoderSettings, training_loss
from models.pocket.training import Progress, log_line, read_log

TINY = {"block_out_channels": (8, 8, 16), "decoder_block_out_channels": (8, 8, 16)}
SETTINGS = AutoencoderSettings(
    images=2, crops=1, crop_size=32, large_crops=1, large_frames=5, large_size=32, pool=2, whole_after=2.0
)
ASSETS = Path("assets/pocket/vae")
train = train_autoencoder.train_autoencoder


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, drawn_sprites: dict[str, np.ndarray]) -> None:
    build = build_autoencoder
    monkeypatch.setattr(corpus, "cast", lambda: drawn_sprites)
    for module in (autoencoder, train_autoencoder):
        monkeypatch.setattr(module, "build_autoencoder", lambda: build(**TINY))
    monkeypatch.setattr(autoencoder, "measure_latents", lambda *_: None)
    monkeypatch.setattr(autoencoder, "reconstruction_psnr", lambda *_: 0.0)


def test_seventeen_frames_become_five_latent_frames_of_eight_by_eight() -> None:
    vae = build_autoencoder(**TINY).eval()
    latents = encode(vae, np.zeros((1, 17, 128, 128, 3), np.uint8))
    assert latents.shape == (1, 24, 5, 8, 8)
    assert decode(vae, latents).shape == (1, 17, 128, 128, 3)


def test_the_shipped_configuration_is_below_seven_million_parameters() -> None:
    assert sum(weight.numel() for weight in build_autoencoder().parameters()) < 7_000_000


def test_pixels_and_clips_convert_both_ways_exactly() -> None:
    clips = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8, 3), np.uint8)
    np.testing.assert_array_equal(to_clips(to_pixels(clips)), clips)


def test_training_on_one_batch_lowers_its_loss() -> None:
    torch.manual_seed(0)
    vae, generator = build_autoencoder(**TINY), torch.Generator().manual_seed(0)
    muon = Muon([weight for weight in vae.parameters() if weight.ndim > 1], 0.02)
    pixels = torch.linspace(-1, 1, 32).expand(1, 3, 1, 32, 32)
    losses = []
    for _ in range(15):
        loss, _ = training_loss(vae, pixels, SETTINGS, generator)
        vae.zero_grad()
        loss.backward()
        muon.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_an_orthogonalized_step_has_singular_values_near_one() -> None:
    matrix = torch.randn(3, 16, 200, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalized(matrix))
    assert values.min() > 0.5 and values.max() < 1.4


@pytest.mark.usefixtures("tiny")
def test_a_finished_training_leaves_a_folder_that_diffusers_loads(tmp_path: Path) -> None:
    out = train(tmp_path / "vae", tmp_path, 1, SETTINGS, max_steps=2, threads=1)
    assert load_autoencoder(out).config.latent_channels == 24
    assert (out / "training.json").exists()


@pytest.mark.usefixtures("tiny")
def test_a_finished_training_called_again_does_no_further_step(tmp_path: Path) -> None:
    for _ in range(2):
        train(tmp_path / "vae", tmp_path, 1, SETTINGS, max_steps=2, threads=1)
    assert torch.load(tmp_path / "autoencoder.pt", weights_only=True)["step"] == 2


@pytest.mark.usefixtures("tiny")
def test_resuming_from_one_checkpoint_gives_the_same_weights_each_time(tmp_path: Path) -> None:
    train(tmp_path / "vae", tmp_path, 1, SETTINGS, max_steps=2, threads=1)
    checkpoint = (tmp_path / "autoencoder.pt").read_bytes()
    weights = []
    for _ in range(2):
        (tmp_path / "autoencoder.pt").write_bytes(checkpoint)
        train(tmp_path / "vae", tmp_path, 1, replace(SETTINGS, warmup=1), max_steps=4, threads=1)
        states = torch.load(tmp_path / "autoencoder.pt", weights_only=True)
        assert states["step"] == 4
        weights.append(states["model"])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.usefixtures("tiny")
def test_training_can_begin_with_published_weights(tmp_path: Path) -> None:
    first = train(tmp_path / "vae", tmp_path, 1, SETTINGS, max_steps=1, threads=1)
    still = replace(SETTINGS, learning_rate=0.0, seed=1)
    again = train(tmp_path / "next", tmp_path / "work", 1, still, max_steps=1, threads=1, start_from=first)
    weights, same = (load_autoencoder(folder).decoder.conv_in.conv.weight for folder in (first, again))
    assert torch.equal(weights, same)


@pytest.mark.usefixtures("tiny")
def test_a_training_that_is_carried_on_records_what_it_began_with_not_itself(tmp_path: Path) -> None:
    out = train(tmp_path / "vae", tmp_path / "first", 1, SETTINGS, max_steps=1, threads=1)
    for steps in (2, 3):
        train(out, tmp_path / "second", 1, SETTINGS, max_steps=steps, threads=1, start_from=out)
    record = json.loads((out / "training.json").read_text())
    assert (record["steps"], record["before"]["steps"]) == (3, 1)


@pytest.mark.slow
@pytest.mark.usefixtures("tiny")
def test_two_processes_train_one_autoencoder_and_carry_on(tmp_path: Path) -> None:
    for steps in (2, 3):
        out = train(tmp_path / "vae", tmp_path, 1, SETTINGS, max_steps=steps, threads=2)
    assert json.loads((out / "training.json").read_text())["processes"] == 2
    assert torch.load(tmp_path / "autoencoder.pt", weights_only=True)["step"] == 3


def test_the_learning_rate_warms_up_and_ends_near_zero() -> None:
    progress = Progress(minutes=1, max_steps=100)
    first = progress.learning_rate(1.0, warmup=10)
    progress.step = 100
    assert first == pytest.approx(0.1)
    assert progress.learning_rate(1.0, warmup=10) == pytest.approx(0.01)


def test_a_line_of_the_log_that_a_crash_cut_off_does_not_keep_a_training_from_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log_line(log, step=1)
    log.write_text(log.read_text() + '{"step": 2, "lo')
    log_line(log, step=2)  # carried on, behind what is left of the line
    log_line(log, step=3)
    assert [line["step"] for line in read_log(log)] == [1, 3]


@pytest.mark.skipif(not ASSETS.is_dir(), reason="the trained autoencoder is not there")
def test_the_shipped_files_stay_below_sixteen_megabytes() -> None:
    assert max(path.stat().st_size for path in ASSETS.iterdir()) <= 16e6
