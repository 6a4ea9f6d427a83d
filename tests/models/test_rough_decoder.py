"""A linear map in place of a decoder, on decoders whose answer is known and on a real one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.rough_decoder import LinearDecoder, RoughDecoder, colours_of, frames_each
from tests.tiny import tiny_vae

MATRIX = torch.tensor([[0.3, 0.1, 0.0], [0.0, 0.2, -0.1], [0.1, 0.0, 0.2], [-0.2, 0.1, 0.1]])


def linear_decode(latents: Tensor, frames: int = 4) -> Tensor:
    """A decoder that is linear: one frame of the first latent frame, `frames` of every other, 4x larger."""
    colours = (latents.movedim(1, -1) @ MATRIX + 0.1).movedim(-1, 1)
    times = torch.tensor([1] + [frames] * (latents.shape[2] - 1))
    return F.interpolate(colours.repeat_interleave(times, 2), scale_factor=(1, 4, 4))


def fit(latents: Tensor, pixels: Tensor) -> LinearDecoder:
    larger = pixels.shape[4] // latents.shape[4]
    return LinearDecoder.fitted(latents, colours_of(pixels, latents.shape), pixels.shape[2], larger)


def test_frames_that_cannot_be_shared_out_are_refused() -> None:
    with pytest.raises(ValueError, match="8 frames are no whole number"):
        frames_each(3, 8)


def test_a_linear_decoder_is_found_out() -> None:
    latents = torch.randn(1, 4, 3, 6, 8)
    fitted = fit(latents, linear_decode(latents))
    torch.testing.assert_close(fitted.weights[:-1], MATRIX, atol=5e-3, rtol=0)
    torch.testing.assert_close(fitted.weights[-1], torch.full((3,), 0.1), atol=5e-3, rtol=0)


@pytest.mark.parametrize(("frames", "length"), [(3, 9), (1, 1), (1, 4), (4, 4), (2, 8)])
def test_it_gives_as_many_frames_as_the_decoder(frames: int, length: int) -> None:
    latents, pixels = torch.randn(1, 4, frames, 6, 8), torch.randn(1, 3, length, 24, 32)
    made = fit(latents, pixels)(latents)
    assert made.shape[:3] == (1, 3, length)
    assert made.abs().max() <= 1


@pytest.mark.parametrize(("height", "width", "larger"), [(6, 8, 4), (60, 104, 2), (300, 400, 1)])
def test_its_pictures_are_small_and_never_larger_than_the_decoders(height, width, larger) -> None:
    latents = torch.randn(1, 4, 1, height, width)
    made = fit(latents, linear_decode(latents))(latents)
    assert made.shape[3:] == (height * larger, width * larger)


class Decoder(SimpleNamespace):
    """An image autoencoder as far as it is asked here."""

    def decode(self, latents: Tensor, return_dict: bool = True) -> Any:
        pixels = linear_decode(latents[:, :, None])[:, :, 0]
        return SimpleNamespace(sample=pixels) if return_dict else (pixels,)


def test_pictures_of_an_image_autoencoder_are_a_video_too() -> None:
    vae = Decoder(dtype=torch.float32)
    rough = RoughDecoder(vae)
    latents = 0.3 * torch.randn(5, 4, 6, 8)
    real = vae.decode(latents, return_dict=False)[0]
    made = rough.stand_in().decode(latents, return_dict=False)[0]
    assert made.shape[:2] == (5, 3)
    torch.testing.assert_close(
        F.adaptive_avg_pool2d(made, (6, 8)), F.adaptive_avg_pool2d(real, (6, 8)), atol=0.2, rtol=0
    )


def test_before_anything_was_decoded_there_is_nothing_to_imitate() -> None:
    rough = RoughDecoder(Decoder())
    assert not rough.ready
    with pytest.raises(ValueError, match="nothing was decoded"):
        rough.stand_in()
    assert not RoughDecoder(None).ready


def test_the_stand_in_is_the_autoencoder_in_everything_else() -> None:
    vae = tiny_vae()
    rough = RoughDecoder(vae)
    vae.decode(torch.randn(1, 8, 3, 2, 2))
    stand_in = rough.stand_in()
    assert stand_in.config is vae.config
    assert stand_in.dtype == vae.dtype
    assert stand_in.decode(torch.randn(1, 8, 3, 2, 2)).sample.shape[:3] == (1, 3, 9)
