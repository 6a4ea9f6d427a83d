"""How far a long film drifts from the picture it began with, with and without search."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from models.clip import Clip, Frames
from models.conditioning import Conditioning
from models.continuation import prefix
from models.scoring import rank
from models.seam import smooth_seam
from models.video_model import Scorer, VideoModel
from studio.search import Finished, Rough, best, k_step, naive

CANDIDATES = 4


def chain(
    model: VideoModel,
    prompt: str,
    guide: Frames,
    chunks: int,
    *,
    steps: int,
    guidance: float,
    seed: int,
    scorers: Sequence[Scorer],
    tick: Callable[[], None],
) -> list[Clip]:
    """Make a film chunk by chunk, each from the end of the one before (Zhang & Lim, Algorithm 1).

    Args:
        model: makes the chunks.
        prompt: of every chunk.
        guide: `[H, W, 3]`, the first picture.
        chunks: how many.
        steps, guidance: of a full run.
        seed: of the first noise; every chunk has noises of its own.
        scorers: order the candidates of the k-step search; none for a naive film.
        tick: called after every chunk.

    Returns:
        The chunks, without the guide frames that they repeat.
    """
    end, made = guide[None], []
    for index in range(chunks):
        conditioning = model.encode(prompt, guide=end, guidance_scale=guidance)
        begin = functools.partial(model.begin, conditioning)
        chosen = seed + index * CANDIDATES
        if scorers:
            look = functools.partial(judge, scorers, conditioning, end if index else None)
            seeds = range(chosen, chosen + CANDIDATES)
            previews = k_step(begin, seeds, steps, min(model.card.preview_steps, steps), look)
            chosen = best(event for event in previews if isinstance(event, Rough)).seed
        clip = next(event.clip for event in naive(begin, chosen, steps) if isinstance(event, Finished))
        if index:
            clip = smooth_seam(clip, end, conditioning.num_guide_frames)
        made.append(clip.without_first(conditioning.num_guide_frames))
        end = prefix(clip.frames, model.card)
        tick()
    return made


def judge(
    scorers: Sequence[Scorer], conditioning: Conditioning, goes_on_from: Frames | None, clip: Clip
) -> tuple[dict[str, float], float]:
    """All scores of a candidate and its rank, as the studio shows it."""
    if goes_on_from is not None:
        clip = smooth_seam(clip, goes_on_from, conditioning.num_guide_frames)
    given = {scorer.name: scorer.score(clip, conditioning) for scorer in scorers}
    scores = {name: score for name, score in given.items() if score is not None}
    return scores, rank(scores, conditioning.guide is not None)


def colour_shift(clip: Clip, guide: Frames) -> float:
    """How far the mean colour of a clip is from that of a picture `[H, W, 3]`, in levels of 0 to 255."""
    return float(np.abs(clip.frames.mean((0, 1, 2)) - guide.mean((0, 1))).mean())


def sharpness(clip: Clip) -> float:
    """The mean difference of neighbouring pixels, in levels of 0 to 255."""
    grey = clip.frames.mean(-1)
    return float((np.abs(np.diff(grey, axis=1)).mean() + np.abs(np.diff(grey, axis=2)).mean()) / 2)
