"""How much moves in a clip."""

from __future__ import annotations

import numpy as np

from models.clip import Clip
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
        rows, columns = clip.height // cell, clip.width // cell
        cut = frames[:, : rows * cell, : columns * cell].astype(np.float32)
        cells = cut.reshape(len(frames), rows, cell, columns, cell, 3).mean((2, 4))
        return float(np.abs(np.diff(cells, axis=0)).mean() / 255)
