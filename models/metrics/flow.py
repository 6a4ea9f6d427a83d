"""How things move in a clip: dense optical flow through OpenCV (DIS flow, Kroeger et al. 2016)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.clip import Frames
from models.errors import InputError

Flow = NDArray[np.float32]


def optical_flow(frames: Frames) -> Flow:
    """Where each pixel goes from frame to frame.

    Args:
        frames: `[T, H, W, 3]` uint8, T >= 2, sides of at least 16 pixels.

    Returns:
        `[T-1, H, W, 2]`: pixels to the right and pixels down.

    Raises:
        InputError: if OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise InputError(
            'Optical flow needs OpenCV. Install it with `.venv/bin/pip install -e ".[evaluation]"`.'
        ) from error
    method: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in np.ascontiguousarray(frames)]
    return np.stack([method.calc(before, after, None) for before, after in itertools.pairwise(grey)])


def mean_flow(frames: Frames) -> float:
    """The mean length of the optical flow, in pixels a frame."""
    return float(np.linalg.norm(optical_flow(frames), axis=-1).mean())


def direction(frames: Frames) -> str:
    """Where what moves goes on the whole: `left`, `right`, `up` or `down`.

    Every pixel votes with its flow, weighted by the flow's length, so that the subject outvotes a background
    that hardly moves.
    """
    flow = optical_flow(frames)
    right, down = (flow * np.linalg.norm(flow, axis=-1, keepdims=True)).sum((0, 1, 2))
    if abs(right) >= abs(down):
        return "right" if right > 0 else "left"
    return "down" if down > 0 else "up"
