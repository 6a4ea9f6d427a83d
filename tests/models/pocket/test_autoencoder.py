from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import InputError
from models.pocket import autoencoder, corpus, train_autoencoder
from models.pocket.autoencoder import (
    LATENT_CHANNELS,
    build_autoencoder,
    decode,
    encode,
    grown_autoencoder,
    load_autoencoder,
    narrowed_autoencoder,
    picture_loss,
    to_clips,
    to_pixels,
)
from models.pocket.muon import Muon, orthogonalized
from models.pocket.train_autoencoder import AutoencoderSettings, ClipPool, Cuts, moved, training_loss
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
        monkeypatch.setattr(module, "build_autoencoder", lambda **changes: build(**{**TINY, **changes}))
    monkeypatch.setattr(autoencoder, "measure_latents", lambda *_: None)
    monkeypatch.setattr(autoencoder, "reconstruction_psnr", lambda *_: 0.0)


def test_seventeen_frames_become_five_latent_frames_of_eight_by_eight() -> None:
    vae = build_autoencoder(**TINY).eval()
    latents = encode(vae, np.zeros((1, 17, 128, 128, 3), np.uint8))
    assert latents.shape == (1, LATENT_CHANNELS, 5, 8, 8)
    assert decode(vae, latents).shape == (1, 17, 128, 128, 3)


def test_the_shipped_configuration_is_below_nine_million_parameters() -> None:
    assert sum(weight.numel() for weight in build_autoencoder().parameters()) < 9_000_000


def test_pixels_and_clips_convert_both_ways_exactly() -> None:
    clips = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8, 3), np.uint8)
    np.testing.assert_array_equal(to_clips(to_pixels(clips)), clips)


def test_training_on_one_batch_lowers_its_loss() -> None:
    torch.manual_seed(0)
    vae, generator = build_autoencoder(**TINY), torch.Generator().manual_seed(0)
    muon = Muon([weight for weight in vae.parameters() if weight.ndim > 1], 0.02)
    cuts = Cuts(torch.linspace(-1, 1, 32).expand(1, 3, 1, 32, 32), torch.zeros(1, 1, 1, 32, 32).bool())
    losses = []
    for _ in range(15):
        loss, _ = training_loss(vae, cuts, SETTINGS, generator)
        vae.zero_grad()
        loss.backward()
        muon.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_a_grown_autoencoder_draws_what_the_small_one_does() -> None:
    small = build_autoencoder(**TINY, latent_channels=6).eval()
    small.latents_mean.fill_(0.1)
    large = grown_autoencoder(small, **TINY, latent_channels=10).eval()
    clip = np.random.default_rng(0).integers(0, 256, (1, 5, 32, 32, 3), np.uint8)
    latents = encode(large, clip)
    assert latents.shape[1] == 10
    torch.testing.assert_close(latents[:, :6], encode(small, clip))
    assert latents[:, 6:].std() > 0
    np.testing.assert_allclose(decode(large, latents), decode(small, latents[:, :6]), atol=1)


def test_a_decoder_with_more_blocks_draws_at_first_as_without_them() -> None:
    small = build_autoencoder(**TINY, decoder_layers_per_block=(1, 2, 1, 1)).eval()
    large = grown_autoencoder(small, **TINY).eval()
    assert sum(w.numel() for w in large.parameters()) > sum(w.numel() for w in small.parameters())
    latents = torch.randn(1, LATENT_CHANNELS, 3, 2, 2)
    torch.testing.assert_close(large.decode(latents).sample, small.decode(latents).sample)


def test_an_autoencoder_does_not_shrink() -> None:
    with pytest.raises(InputError, match="6 latent channels"):
        grown_autoencoder(build_autoencoder(**TINY, latent_channels=6), **TINY, latent_channels=5)


def test_a_decoder_without_its_further_channels_draws_as_with_them_at_their_means() -> None:
    small = build_autoencoder(**TINY, latent_channels=6).eval()
    wide = grown_autoencoder(small, **TINY, latent_channels=10).eval()
    torch.nn.init.normal_(wide.decoder.conv_in.conv.weight, std=0.02)
    wide.latents_mean[6:] = 0.5
    narrow = narrowed_autoencoder(wide, small, **TINY)
    seen = torch.randn(1, 6, 3, 8, 8)
    more = torch.cat([seen, torch.full((1, 4, 3, 8, 8), 0.5)], dim=1)
    inner = (..., slice(3, 5), slice(3, 5))  # where no zeros stand beside the latents
    torch.testing.assert_close(narrow.decoder.conv_in(seen)[inner], wide.decoder.conv_in(more)[inner])
    assert all(
        torch.equal(a, b)
        for a, b in zip(narrow.encoder.parameters(), small.encoder.parameters(), strict=True)
    )


def test_the_first_channels_of_a_grown_autoencoder_are_kept_where_they_were() -> None:
    small = build_autoencoder(**TINY, latent_channels=6)
    large = grown_autoencoder(small, **TINY)
    pixels = torch.rand(1, 3, 1, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        mean = large.encode(pixels).latent_dist.mean.float()
    assert moved(small, pixels, mean) == 0
    mean[:, 6:] += 1
    assert moved(small, pixels, mean) == 0
    mean[:, :6] += small.latents_std.view(1, -1, 1, 1, 1)
    torch.testing.assert_close(moved(small, pixels, mean), torch.tensor(1.0))


def test_an_error_counts_as_much_as_its_place() -> None:
    true, made = torch.zeros(1, 3, 5, 8, 8), torch.zeros(1, 3, 5, 8, 8)
    made[..., :4] = 0.5
    weight = torch.ones(1, 1, 5, 8, 8)
    weight[..., :4] = 3
    plain, weighed = picture_loss(made, true, 0.0), picture_loss(made, true, 0.0, weight)
    torch.testing.assert_close(weighed, 3 * plain)
    torch.testing.assert_close(
        picture_loss(made, true, 0.3), picture_loss(made, true, 0.3, torch.ones_like(weight))
    )


def test_cuts_know_where_their_subject_is(
    monkeypatch: pytest.MonkeyPatch, drawn_sprites: dict[str, np.ndarray]
) -> None:
    monkeypatch.setattr(corpus, "cast", lambda: drawn_sprites)
    cuts = ClipPool(replace(SETTINGS, whole_after=0.0, pool=3), seed=3).draw(1.0)
    assert cuts.subjects.shape == (len(cuts.pixels), 1, *cuts.pixels.shape[2:])
    assert 0.02 < cuts.subjects.float().mean() < 0.6


def test_an_orthogonalized_step_has_singular_values_near_one() -> None:
    matrix = torch.randn(3, 16, 200, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalized(matrix))
    assert values.min() > 0.5 and values.max() < 1.4


@pytest.mark.usefixtures("tiny")
def test_a_finished_training_leaves_a_folder_that_diffusers_loads(tmp_path: Path) -> None:
    out = train(tmp_path / "vae", tmp_path, 1, SETTINGS, max_steps=2, threads=1)
    assert load_autoencoder(out).config.latent_channels == LATENT_CHANNELS
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
def test_training_can_begin_with_published_weights_of_fewer_channels(tmp_path: Path) -> None:
    small = build_autoencoder(**TINY, latent_channels=6)
    small.latents_std.fill_(2.0)
    autoencoder.save_autoencoder(small, tmp_path / "small", {})
    out = train(
        tmp_path / "vae", tmp_path, 1, SETTINGS, max_steps=1, threads=1, start_from=tmp_path / "small"
    )
    grown = load_autoencoder(out)
    assert grown.config.latent_channels == LATENT_CHANNELS
    assert grown.latents_std[:6].tolist() == [2.0] * 6


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
