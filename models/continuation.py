"""Frames at the seam of two chunks: pure functions on `[n, H, W, 3]` uint8 arrays."""

from __future__ import annotations

import numpy as np
from PIL import Image

from models.clip import Frames
from models.errors import InputError
from models.video_model import ModelCard


def fit_guide(guide: Frames, card: ModelCard, height: int, width: int, num_frames: int) -> Frames:
    """Check guide frames and bring them to the size of a run.

    Args:
        guide: `[n, H, W, 3]` or, for an image, `[H, W, 3]` uint8.
        card: says how many frames can be given.
        height, width: of the run, in pixels.
        num_frames: of the run; at least one frame more than it repeats of the guide.

    Returns:
        `[n, height, width, 3]` uint8.

    Raises:
        InputError: if the array has another shape or type, or the number of frames does not fit the model.
    """
    frames = as_frames(guide)
    legal = prefix_lengths(card)
    if len(frames) not in legal:
        raise InputError(
            f"{card.title} continues from {' or '.join(map(str, legal))} frames, not {len(frames)}. "
            f"Give the last {max((n for n in legal if n <= len(frames)), default=legal[0])}."
        )
    repeated = min(len(frames), card.prefix_frames)
    if repeated >= num_frames:
        raise InputError(
            f"The guide has {repeated} frames and the chunk {num_frames}: nothing new would be made. "
            f"Ask for more frames."
        )
    return np.stack([cover(frame, height, width) for frame in frames])


def known_frames(
    guide: Frames, card: ModelCard, height: int, width: int, num_frames: int
) -> tuple[Frames | None, Frames]:
    """What a run looks at only, and what it repeats: `fit_guide` with the same arguments, parted."""
    frames = fit_guide(guide, card, height, width, num_frames)
    repeated = min(len(frames), card.prefix_frames)
    return frames[:-repeated] if len(frames) > repeated else None, frames[-repeated:]


def fit_picture(picture: Frames, height: int, width: int) -> Frames:
    """Bring one picture `[H, W, 3]` uint8 to the size of a run.

    Raises:
        InputError: if it is not one RGB image.
    """
    frames = as_frames(picture)
    if len(frames) != 1:
        raise InputError(f"A last image is one picture, not {len(frames)}. Give one.")
    return cover(frames[0], height, width)


def as_frames(array: Frames) -> Frames:
    """An image `[H, W, 3]` or frames `[n, H, W, 3]` as frames.

    Raises:
        InputError: if the array has another shape or type.
    """
    frames = np.asarray(array)
    frames = frames[None] if frames.ndim == 3 else frames
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or frames.size == 0:
        raise InputError(
            f"A guide is an RGB image or a few RGB frames with 8 bits a channel, not an array of shape "
            f"{np.shape(array)} and type {frames.dtype}. Convert it to RGB."
        )
    return frames


def prefix_lengths(card: ModelCard) -> tuple[int, ...]:
    """How many frames a chunk can be continued from: one, and more as the card's prefix and look back allow.

    Raises:
        InputError: if the model makes clips from words alone.
    """
    if not card.takes_image:
        card.check_guides(has_guide=True)
    longer = range(card.frame_offset, card.prefix_frames + 1, card.frame_stride)
    all_seen = {card.prefix_frames + card.looks_back} if card.looks_back else set()
    return tuple(sorted({1, *(n for n in longer if n > 1), *all_seen}))


def prefix(frames: Frames, card: ModelCard) -> Frames:
    """The end of a chunk that conditions the next one: as many of the last frames as the model can take."""
    fitting = [n for n in prefix_lengths(card) if n <= len(frames)]
    return frames[-max(fitting) :]


def cover(frame: Frames, height: int, width: int) -> Frames:
    """Scale a frame `[H, W, 3]` until it covers `height` x `width`, and cut what sticks out on both sides."""
    old_height, old_width = frame.shape[:2]
    if (old_height, old_width) == (height, width):
        return frame
    scale = max(height / old_height, width / old_width)
    box_height, box_width = height / scale, width / scale
    top, left = (old_height - box_height) / 2, (old_width - box_width) / 2
    box = (max(left, 0), max(top, 0), min(left + box_width, old_width), min(top + box_height, old_height))
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS, box=box))


def match_colours(frames: Frames, reference: Frames) -> Frames:
    """Shift and scale each channel so that the first frame has the reference's mean and spread.

    Every extension loses a little in decoding and encoding; the loss adds up to a colour drift (after the
    colour transfer of Reinhard et al. 2001, here in RGB).

    Args:
        frames: `[T, H, W, 3]` uint8.
        reference: `[H, W, 3]` uint8, the frame that `frames[0]` repeats.
    """
    first, wanted = frames[0].astype(np.float32), reference.astype(np.float32)
    spread = wanted.std((0, 1)) / np.maximum(first.std((0, 1)), 1e-3)
    spread = spread.clip(0.8, 1.25)  # a flat frame must not be blown up
    shifted = (frames - first.mean((0, 1))) * spread + wanted.mean((0, 1))
    return shifted.round().clip(0, 255).astype(np.uint8)
