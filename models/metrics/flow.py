"""How things move in a clip: dense optical flow through OpenCV (DIS flow, Kroeger et al. 2016)."""

from __future__ import annotations

import itertools
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.clip import Frames

Flow = NDArray[np.float32]


def optical_flow(frames: Frames) -> Flow:
    """Where each pixel goes from frame to frame.

    Args:
        frames: `[T, H, W, 3]` uint8, T >= 2, sides of at least 16 pixels.

    Returns:
        `[T-1, H, W, 2]`: pixels to the right and pixels down.
    """
    method: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in np.ascontiguousarray(frames)]
    return np.stack([method.calc(before, after, None) for before, after in itertools.pairwise(grey)])


def mean_flow(frames: Frames) -> float:
    """The mean length of the optical flow, in pixels a frame."""
    return float(np.linalg.norm(optical_flow(frames), axis=-1).mean())


def camera_moves(frames: Frames, flow: Flow) -> bool:
    """Whether the border of the picture, an eighth on every side, goes along with what it surrounds.

    That is, whether it flows at least half as fast and something there changes: dense flow also runs into
    flat ground, where nothing can be seen to move.
    """
    _, height, width, _ = frames.shape
    border = np.ones((height, width), bool)
    border[height // 8 : -(height // 8), width // 8 : -(width // 8)] = False
    length = np.linalg.norm(flow, axis=-1)
    change = np.abs(np.diff(frames.astype(np.int16), axis=0)).sum(-1)
    flows = length[:, border].mean() > 0.5 * length[:, ~border].mean()
    return bool(flows and change[:, border].mean() > 0.005 * change[:, ~border].mean())


def direction(frames: Frames) -> str:
    """Where the subject goes past its surroundings on the whole: `left`, `right`, `up` or `down`.

    Every pixel votes with its flow, weighted by the flow's length, so that what moves outvotes what hardly
    does. If the border of the picture moves as well, the camera goes along with the subject, and what passes
    by goes the other way.
    """
    flow = optical_flow(frames)
    votes = flow * np.linalg.norm(flow, axis=-1, keepdims=True)
    along = -1 if camera_moves(frames, flow) else 1
    right, down = along * votes.sum((0, 1, 2))
    if abs(right) >= abs(down):
        return "right" if right > 0 else "left"
    return "down" if down > 0 else "up"
