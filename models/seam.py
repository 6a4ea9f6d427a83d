"""Where a chunk goes on from another: no detail is lost from one frame to the next."""

from __future__ import annotations

import cv2
import numpy as np

from models.clip import Clip, Frames
from models.continuation import cover
from models.metrics.flow import optical_flow

FADE = 0.5
"""Seconds in which the new frames come to look as the model drew them."""
FARTHEST = 24.0
"""Mean difference in levels of 0 to 255 from which on something else than the guide was drawn."""


def smooth_seam(clip: Clip, guide: Frames, num_guide_frames: int) -> Clip:
    """Hand the detail that the repeated guide frames lost on to the new frames, along the motion.

    The frames that a model is conditioned on go through its autoencoder, and what it makes next looks like
    what came out: softer, or in slightly other colours. In the film the original frames stand before them, so
    it flickers at every seam. The difference of the last guide frame and its repetition is therefore added to
    the new frames, moved to where dense optical flow finds the same things in them, less in each of them.

    Args:
        clip: begins with `num_guide_frames` repeated guide frames; those are left as they are.
        guide: `[n, H, W, 3]` uint8, the end of the film; its last frame is frame `num_guide_frames - 1`.
        num_guide_frames: at least 1.

    Returns:
        The clip, the same from half a second after the guide frames on. If the repeated frame shows something
        else than the guide, the clip as it is.
    """
    repeated = clip.frames[num_guide_frames - 1]
    lost = cover(guide[-1], clip.height, clip.width).astype(np.float32) - repeated
    if not 0 < np.abs(lost).mean() < FARTHEST:
        return clip
    count = min(round(FADE * clip.fps), len(clip) - num_guide_frames)
    frames = clip.frames.copy()
    for number in range(count):
        share = 1 - (number + 1) / (count + 1)
        new = frames[num_guide_frames + number]
        new[:] = (new + share * _moved(lost, repeated, new)).round().clip(0, 255)
    return Clip(frames, clip.fps)


def _moved(lost: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """What belongs to a frame, float32 `[H, W, 3]`, moved to where the same things are in a later one."""
    height, width, _ = lost.shape
    flow = optical_flow(np.stack([after, before]))[0]
    down, right = np.mgrid[:height, :width].astype(np.float32)
    return cv2.remap(
        lost, right + flow[..., 0], down + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
