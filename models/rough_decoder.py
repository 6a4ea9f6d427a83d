"""Looks into a run for next to nothing: a linear map from latents to colours in place of the decoder.

Neighbouring channels of a latent pixel say little more than which colour it has, so a matrix of a few hundred
numbers shows where things are and how they move. The matrix is fitted to whatever the real decoder decoded
last, a candidate's preview or the chunk before, so no table of factors for each model is needed.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 256
"""A rough picture is at most so many pixels long, or as large as the latents."""
PIXELS = 60_000
"""Latent pixels that the fit looks at; more would not change it."""
RIDGE = 1e-3
Decoder = Callable[[Tensor], Tensor]


def frames_each(latent_frames: int, frames: int) -> tuple[int, int]:
    """Frames of the first latent frame and of every other: a causal decoder makes one of the first.

    Raises:
        ValueError: if the frames cannot be shared out so.
    """
    if latent_frames > 1 and (frames - 1) % (latent_frames - 1) == 0:
        return 1, (frames - 1) // (latent_frames - 1)
    if frames % latent_frames == 0:
        return frames // latent_frames, frames // latent_frames
    raise ValueError(f"{frames} frames are no whole number for each of {latent_frames} latent frames")


def colours_of(pixels: Tensor, shape: torch.Size) -> Tensor:
    """Mean colour of every latent pixel: [B, 3, T, H, W] -> [B, 3, F, h, w], for latents of `shape`."""
    first, _ = frames_each(shape[2], pixels.shape[2])
    pooled = F.adaptive_avg_pool3d(pixels[:, :, :first].float(), (1, *shape[3:]))
    if shape[2] == 1:
        return pooled
    others = F.adaptive_avg_pool3d(pixels[:, :, first:].float(), (shape[2] - 1, *shape[3:]))
    return torch.cat([pooled, others], dim=2)


@dataclass(frozen=True)
class LinearDecoder:
    """Latents to colours, one matrix for all places and times.

    Attributes:
        weights: [C + 1, 3]; the last row is the colour of zero latents.
        frames: frames of a latent frame, the first one excepted.
        first: frames of the first latent frame.
        larger: how many times larger than the latents its pictures are at most.
    """

    weights: Tensor
    frames: int
    first: int
    larger: int

    @classmethod
    def fitted(cls, latents: Tensor, colours: Tensor, length: int, larger: int) -> LinearDecoder:
        """The map with the smallest squared error on decoded latents.

        Args:
            latents: [B, C, F, h, w].
            colours: mean colours of what the decoder made of each latent pixel, [B, 3, F, h, w].
            length: how many frames that were.
            larger: how many times larger than the latents they were.
        """
        first, each = frames_each(latents.shape[2], length)
        rows, wanted = (of.movedim(1, -1).flatten(0, -2).float() for of in (latents, colours))
        some = slice(None, None, 1 + len(rows) // PIXELS)
        rows, wanted = F.pad(rows[some], (0, 1), value=1.0), wanted[some]
        gram = rows.mT @ rows / len(rows)
        gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), device=gram.device)
        return cls(torch.linalg.solve(gram, rows.mT @ wanted / len(rows)), each, first, larger)

    def __call__(self, latents: Tensor) -> Tensor:
        """[B, C, F, h, w] -> [B, 3, T, H, W] in -1..1, small: at most `SIDE` pixels on the longer side."""
        weights = self.weights.to(latents.device)
        colours = latents.movedim(1, -1).float() @ weights[:-1] + weights[-1]
        colours = colours.movedim(-1, 1).clamp(-1, 1)  # [B, 3, F, h, w]
        larger = max(1, min(self.larger, SIDE // max(latents.shape[3:])))
        flat = colours.transpose(1, 2).flatten(0, 1)
        if larger > 1:
            flat = F.interpolate(flat, scale_factor=larger, mode="bicubic", antialias=False).clamp(-1, 1)
        shown = flat.unflatten(0, colours.shape[0:3:2]).transpose(1, 2)
        repeats = torch.full((colours.shape[2],), self.frames)
        repeats[0] = self.first
        return shown.repeat_interleave(repeats.to(shown.device), dim=2)


class RoughDecoder:
    """Watches an autoencoder decode, and stands in for it where a look must cost nothing.

    Args:
        vae: whose `decode` is watched from now on; None for a pipeline without one.
        tiny: a small decoder that stands in instead of the linear map: [B, C, F, h, w] -> [B, 3, T, H, W].
    """

    def __init__(self, vae: Any, tiny: Decoder | None = None) -> None:
        self._vae, self._tiny = vae, tiny
        self._seen: tuple[Tensor, Tensor, int, int] | None = None
        self._map: LinearDecoder | None = None
        self._lock = threading.Lock()
        if vae is not None and tiny is None:
            vae.decode = self._watched(vae.decode)

    @property
    def ready(self) -> bool:
        """Whether anything was decoded yet that can be imitated, or a small decoder is there."""
        return self._tiny is not None or self._seen is not None or self._map is not None

    def stand_in(self) -> Any:
        """Something like the autoencoder, whose `decode` is the linear map, or the small decoder.

        Raises:
            ValueError: if nothing was decoded yet.
        """
        if self._tiny is not None:
            return _StandIn(self._vae, self._tiny)
        with self._lock:
            if self._seen is not None:
                self._map, self._seen = LinearDecoder.fitted(*self._seen), None
        if self._map is None:
            raise ValueError("nothing was decoded yet")
        return _StandIn(self._vae, self._map)

    def _watched(self, decode: Any) -> Any:
        @functools.wraps(decode)
        def watched(latents: Tensor, *args: Any, **kwargs: Any) -> Any:
            output = decode(latents, *args, **kwargs)
            pixels = _as_video((output[0] if isinstance(output, tuple) else output.sample).detach())
            seen = _as_video(latents.detach())
            with self._lock, contextlib.suppress(ValueError):  # a decoder of another rule is not imitated
                # the pixels of a large clip are too many to keep
                colours, larger = colours_of(pixels, seen.shape), pixels.shape[4] // seen.shape[4]
                self._seen = seen, colours, pixels.shape[2], larger
            return output

        return watched


def _as_video(batch: Tensor) -> Tensor:
    """[B, C, F, h, w] as it is; the pictures of an image autoencoder [F, C, h, w] as one video."""
    return batch if batch.ndim == 5 else batch.transpose(0, 1)[None]


class _StandIn:
    """An autoencoder in everything but its decoder."""

    def __init__(self, vae: Any, decoder: Decoder) -> None:
        self._vae, self._decoder = vae, decoder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._vae, name)

    def decode(self, latents: Tensor, *_: Any, return_dict: bool = True, **__: Any) -> Any:
        """The decoder's pixels, returned in the shape that the autoencoder returns."""
        from diffusers.models.autoencoders.vae import DecoderOutput

        made = self._decoder(_as_video(latents)).to(latents.dtype)
        made = made if latents.ndim == 5 else made[0].transpose(0, 1)
        return DecoderOutput(sample=made) if return_dict else (made,)
