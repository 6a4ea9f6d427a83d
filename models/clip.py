"""Decoded frames of one chunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames of one chunk, ready to be shown, scored or written.

    Attributes:
        frames: `[T, H, W, 3]` uint8, RGB, T >= 1.
        fps: frames per second, > 0.

    Raises:
        ValueError: if the frames have another shape or type, or the rate is not positive.
    """

    frames: Frames
    fps: float

    def __post_init__(self) -> None:
        if self.frames.ndim != 4 or self.frames.shape[-1] != 3 or self.frames.dtype != np.uint8:
            raise ValueError(
                f"a clip holds [T, H, W, 3] uint8 frames, not {self.frames.shape} {self.frames.dtype}"
            )
        if len(self.frames) == 0 or self.fps <= 0:
            raise ValueError(f"a clip needs at least one frame and a positive rate, not {self.fps} fps")

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.frames) / self.fps

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.frames.shape[1])

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.frames.shape[2])

    def tail(self, num_frames: int) -> Frames:
        """The last `num_frames` frames `[n, H, W, 3]`: what the next chunk is conditioned on."""
        return self.frames[-num_frames:]

    def without_first(self, num_frames: int) -> Clip:
        """The clip without the guide frames that an image-to-video model repeats at its beginning.

        Raises:
            ValueError: if nothing would be left.
        """
        return Clip(self.frames[num_frames:], self.fps)
