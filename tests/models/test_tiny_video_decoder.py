"""A small decoder for video latents: what it reads from a file, and what it remembers from frame to frame."""

import types

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from models.errors import InputError
from models.tiny_video_decoder import StandInDecoder, TinyVideoDecoder, _Remembers


def decoder(channels=16, times=(1, 2, 2), patch=1, widths=(8, 8, 6, 4)):
    torch.manual_seed(0)
    return TinyVideoDecoder(channels, widths, times, patch).eval()


def saved(network, folder):
    file = folder / "small.safetensors"
    save_file({**network.state_dict(), "encoder.0.weight": torch.zeros(1)}, file)
    return file


def vae(name, **config):
    return type(name, (), {"config": types.SimpleNamespace(**config), "dtype": torch.float32})()


WAN = {"z_dim": 16, "scale_factor_temporal": 4, "latents_mean": [1.0] * 16, "latents_std": [2.0] * 16}
HUNYUAN = {"latent_channels": 16, "temporal_compression_ratio": 4, "scaling_factor": 0.5}
COG = {"latent_channels": 16, "temporal_compression_ratio": 4, "scaling_factor": 0.7}


@pytest.mark.parametrize(("times", "patch"), [((1, 2, 2), 1), ((1, 2, 2), 2), ((2, 2, 2), 4)])
def test_every_size_is_read_from_the_file(times, patch, tmp_path):
    made = decoder(24, times, patch)
    read = TinyVideoDecoder.from_file(saved(made, tmp_path))
    latents = torch.randn(2, 24, 2, 2, 3)
    pixels = read(latents)
    assert pixels.shape == (2, 3, 2 * read.frames, 16 * patch, 24 * patch)
    torch.testing.assert_close(pixels, made(latents))


@torch.no_grad()
def test_one_frame_after_the_other_gives_what_all_at_once_give():
    network, latents = decoder(), torch.randn(1, 16, 4, 2, 2)
    frames = latents[0].transpose(0, 1)
    for layer in network.decoder:
        if isinstance(layer, _Remembers):
            frames = layer(frames, F.pad(frames, (0, 0, 0, 0, 0, 0, 1, 0))[:-1])
        else:
            frames = layer(frames)
    torch.testing.assert_close(network(latents)[0], (frames * 2 - 1).clamp(-1, 1).transpose(0, 1))


@torch.no_grad()
def test_what_comes_later_does_not_change_what_was():
    network, latents = decoder(), torch.randn(1, 16, 4, 2, 2)
    torch.testing.assert_close(network(latents)[:, :, :8], network(latents[:, :, :2]))


@pytest.mark.parametrize(
    ("name", "config", "known"),
    [
        ("AutoencoderKLWan", WAN, lambda latents: (latents - 1) / 2),
        ("AutoencoderKLHunyuanVideo", HUNYUAN, lambda latents: latents / 2),
        ("AutoencoderKLCogVideoX", COG, lambda latents: latents),
    ],
)
def test_latents_become_those_that_the_small_decoder_knows(name, config, known, tmp_path):
    network, latents = decoder(), torch.randn(1, 16, 3, 2, 2)
    shown = StandInDecoder.load(saved(network, tmp_path), vae(name, **config), "A model")(latents)
    with torch.no_grad():
        torch.testing.assert_close(shown, network(known(latents))[:, :, 3:])


def test_of_an_even_number_of_latent_frames_cogvideox_makes_all_frames(tmp_path):
    stand_in = StandInDecoder.load(
        saved(decoder(), tmp_path), vae("AutoencoderKLCogVideoX", **COG), "A model"
    )
    assert stand_in(torch.randn(1, 16, 4, 2, 2)).shape[2] == 16
    assert stand_in(torch.randn(1, 16, 3, 2, 2)).shape[2] == 9


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="is to be a safetensors file"):
        StandInDecoder.load(tmp_path / "none.safetensors", vae("AutoencoderKLWan", **WAN), "A model")


def test_pickled_weights_are_not_opened(tmp_path):
    torch.save(decoder().state_dict(), tmp_path / "small.pth")
    with pytest.raises(InputError, match="is to be a safetensors file"):
        StandInDecoder.load(tmp_path / "small.pth", vae("AutoencoderKLWan", **WAN), "A model")


def test_other_weights_are_refused(tmp_path):
    save_file({"blocks.0.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="does not hold a small decoder for A model"):
        StandInDecoder.load(tmp_path / "other.safetensors", vae("AutoencoderKLWan", **WAN), "A model")


def test_a_damaged_file_is_refused(tmp_path):
    whole = saved(decoder(), tmp_path).read_bytes()
    (tmp_path / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="does not hold a small decoder for A model"):
        StandInDecoder.load(tmp_path / "half.safetensors", vae("AutoencoderKLWan", **WAN), "A model")


@pytest.mark.parametrize("other", [{"channels": 48}, {"times": (2, 2, 2)}])
def test_one_for_other_latents_is_refused(other, tmp_path):
    with pytest.raises(InputError, match="that of A model 16 to 4"):
        StandInDecoder.load(saved(decoder(**other), tmp_path), vae("AutoencoderKLWan", **WAN), "A model")
