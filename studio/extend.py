"""A long film, chunk by chunk: Algorithm 1 of Zhang & Lim with a prompt a segment."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

from models.clip import Frames
from models.continuation import prefix
from models.video_model import ModelCard
from studio.errors import InputError
from studio.search import Decoded, Finished, Live, Rough, Step
from studio.timeline import ChunkRequest, new_id
from studio.workers.contract import Task, Worker


@dataclass(frozen=True, eq=False)
class Begun:
    """The chunk number `index` is begun; what follows, up to its `Finished`, belongs to it."""

    index: int
    task: Task


def extend(
    worker: Worker,
    requests: Sequence[ChunkRequest],
    guide: Frames | None,
    last_image: Frames | None = None,
) -> Generator[Begun | Step | Rough | Live | Decoded | Finished, None, None]:
    """Algorithm 1: search, finish the best candidate, and let its end guide the next chunk.

    Args:
        worker: runs the models.
        requests: one a chunk.
        guide: `[n, H, W, 3]` uint8: an image, or the end of the film so far; None for text alone.
        last_image: `[H, W, 3]` uint8 picture that the last chunk is led to, or None.

    Yields:
        `Begun` and, for each chunk, what the search and the full run yield, `Finished` last.
    """
    for index, request in enumerate(requests):
        ending = last_image if index == len(requests) - 1 else None
        task = Task(new_id(), request, guide_for(request, worker, guide), ending)
        yield Begun(index, task)
        try:
            seed = request.seed
            if request.strategy != "naive":
                best: tuple[float, int] | None = None
                with closing(worker.search(task)) as events:
                    for event in events:
                        if isinstance(event, Rough) and (best is None or event.rank > best[0]):
                            best = event.rank, event.seed
                        yield event
                seed = seed if best is None else best[1]
            with closing(worker.finish(task, seed)) as run:
                for outcome in run:
                    if isinstance(outcome, Finished):
                        guide = outcome.clip.frames[-longest_prefix(worker) :].copy()
                    yield outcome
        finally:
            worker.release(task.key)


def guide_for(request: ChunkRequest, worker: Worker, end: Frames | None) -> Frames | None:
    """The end of a film or an image, `[n, H, W, 3]`, as far as the model can continue from it."""
    return None if end is None else prefix(end, worker.card(request.model))


def longest_prefix(worker: Worker) -> int:
    """How many frames at the end of a chunk are kept: as many as any model can continue from."""
    return max(card.prefix_frames for card in worker.cards())


def plan(
    first: ChunkRequest,
    prompts: Sequence[str],
    card: ModelCard,
    *,
    seconds: float | None = None,
    continues: bool = False,
    after: ModelCard | None = None,
) -> list[ChunkRequest]:
    """One request a chunk for a film of a given length; every prompt gets an equal share of the chunks.

    Candidate seeds are counted on from chunk to chunk, so that no two chunks begin from the same noise.

    Args:
        first: all but the prompt is taken from it; its guide goes to the first chunk only, its last image
            to the last one.
        prompts: in playing order.
        card: of the model.
        seconds: length of what is to be made, rounded up to whole chunks; None makes one chunk a prompt.
        continues: whether the first of these chunks continues a film.
        after: of the model that continues what `card` began; None if it is the same.

    Raises:
        InputError: if the length is no positive number, or too short for that many prompts.
    """
    new_frames = first.num_frames - (after or card).prefix_frames
    if new_frames < 1:
        raise InputError(
            f"A chunk that continues a film repeats {card.prefix_frames} frames of it, so chunks of "
            f"{first.num_frames} frames would show nothing new. Try {card.num_frames}."
        )
    number = len(prompts)
    if seconds is not None:
        number = _chunks_for(seconds, card.fps, first.num_frames, new_frames, continues)
        if number < len(prompts):
            least = (
                (len(prompts) - 1) * new_frames + 1 + (0 if continues else first.num_frames - new_frames)
            ) / card.fps
            raise InputError(
                f"{seconds:g} seconds are {number} segment{'s' if number > 1 else ''}, too few for "
                f"{len(prompts)} prompts. Ask for at least {math.ceil(least)} seconds, or leave the length "
                f"out."
            )
    each = 1 if first.strategy == "naive" else first.candidates
    return [
        first.model_copy(
            update={
                "prompt": prompts[index * len(prompts) // number],
                "seed": first.seed + index * each,
                "guide": first.guide if index == 0 else None,
                "last_image": first.last_image if index == number - 1 else None,
            }
        )
        for index in range(number)
    ]


def _chunks_for(seconds: float, fps: float, num_frames: int, new_frames: int, continues: bool) -> int:
    """How many chunks give at least so many seconds."""
    if not math.isfinite(seconds) or seconds <= 0:
        raise InputError(f"A film cannot be {seconds:g} seconds long. Ask for a few seconds, e.g. 8.")
    frames = math.ceil(seconds * fps - 1e-6)
    rest = frames if continues else frames - num_frames
    chunks = 0 if continues else 1
    return max(1, chunks + math.ceil(max(rest, 0) / new_frames))
