"""How much moves in a clip."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from models.clip import Clip, Frames
from models.conditioning import Conditioning
from models.video_model import Scorer

CELL = 4
"""Frames are averaged over cells of this many pixels a side, so that grain does not count as motion."""


class MotionScorer(Scorer):
    """The mean absolute change from frame to frame, in `[0, 1]`; 0 for a frozen clip."""

    name = "motion"

    def score(self, clip: Clip, conditioning: Conditioning) -> float | None:
        """Score a clip; None if it has one frame only."""
        frames = clip.frames[max(conditioning.num_guide_frames - 1, 0) :]
        if len(frames) < 2:
            return None
        cell = min(CELL, clip.height, clip.width)
        cells = np.stack([averaged(frame, cell) for frame in frames])
        return float(np.abs(np.diff(cells, axis=0)).mean() / 255)


def averaged(frame: Frames, cell: int) -> NDArray[np.float32]:
    """The means `[3, H // cell, W // cell]` of a frame's cells."""
    channels = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1).float()
    means: NDArray[np.float32] = F.avg_pool2d(channels, cell).numpy()
    return means
