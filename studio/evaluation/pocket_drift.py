"""How far a long film drifts from the picture it began with, with and without search."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from models.clip import Clip, Frames
from models.conditioning import Conditioning
from models.continuation import prefix
from models.scoring import rank
from models.seam import smooth_seam
from models.video_model import Scorer, VideoModel
from studio.search import Finished, Rough, best, k_step, naive

CANDIDATES = 4

Cosine = Callable[[Clip, Frames], float]
"""`cosine(clip, guide)`: the mean CLIP similarity of the frames to a picture `[H, W, 3]`."""


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
    cosine: Cosine,
    tick: Callable[[], None],
) -> list[float]:
    """Make a film chunk by chunk, each from the end of the one before (Zhang & Lim, Algorithm 1).

    Args:
        model: makes the chunks.
        prompt: of every chunk.
        guide: `[H, W, 3]`, the first picture.
        chunks: how many.
        steps, guidance: of a full run.
        seed: of the first noise; every chunk has noises of its own.
        scorers: order the candidates of the k-step search; none for a naive film.
        cosine: similarity of a chunk to the first picture.
        tick: called after every chunk.

    Returns:
        The similarity of each chunk.
    """
    end, similarities = guide[None], []
    for index in range(chunks):
        conditioning = model.encode(prompt, guide=end, guidance_scale=guidance)
        begin = functools.partial(model.begin, conditioning)
        chosen = seed + index * CANDIDATES
        if scorers:
            look = functools.partial(judge, scorers, conditioning)
            seeds = range(chosen, chosen + CANDIDATES)
            previews = k_step(begin, seeds, steps, min(model.card.preview_steps, steps), look)
            chosen = best(event for event in previews if isinstance(event, Rough)).seed
        clip = next(event.clip for event in naive(begin, chosen, steps) if isinstance(event, Finished))
        if index:
            clip = smooth_seam(clip, end, conditioning.num_guide_frames)
        new = clip.without_first(conditioning.num_guide_frames)
        similarities.append(cosine(new, guide))
        end = prefix(clip.frames, model.card)
        tick()
    return similarities


def judge(
    scorers: Sequence[Scorer], conditioning: Conditioning, clip: Clip
) -> tuple[dict[str, float], float]:
    """All scores of a candidate and its rank."""
    given = {scorer.name: scorer.score(clip, conditioning) for scorer in scorers}
    scores = {name: score for name, score in given.items() if score is not None}
    return scores, rank(scores, conditioning.guide is not None)
