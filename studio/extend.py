"""A long film, chunk by chunk: Algorithm 1 of Zhang & Lim with a prompt a segment, and a drift guard."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

from models.clip import Frames
from models.continuation import prefix
from models.video_model import ModelCard
from studio.checks import SEEDS, check_length
from studio.errors import InputError
from studio.search import Decoded, Finished, Live, Rough, Step
from studio.timeline import ChunkRequest, new_id
from studio.workers.contract import Task, Worker

RETRIES = 2
"""How often the drift guard has a chunk made again."""
SEEDS_APART = 1_000_003
"""Between the seeds of two attempts at one chunk; more than any search or film counts on."""

Event = Step | Rough | Live | Decoded | Finished


Begin = Callable[[ChunkRequest], tuple[ChunkRequest, Frames | None]]
"""`begin(request)`: the request and the guide image `[1, H, W, 3]` of a new shot, None for words alone."""


@dataclass(frozen=True, eq=False)
class Begun:
    """An attempt at the chunk number `index` is begun; what follows, up to its `Finished`, belongs to it.

    All attempts at a chunk, counted from 0, continue the same chunk before it.
    """

    index: int
    task: Task
    attempt: int = 0


@dataclass(frozen=True)
class Kept:
    """After another attempt at the chunk number `index`: which of those so far the film goes on from."""

    index: int
    attempt: int


def extend(
    worker: Worker,
    requests: Sequence[ChunkRequest],
    guide: Frames | None,
    last_image: Frames | None = None,
    *,
    continues: bool = False,
    begin: Begin = lambda request: (request, None),
    retries: int = RETRIES,
) -> Generator[Begun | Kept | Event, None, None]:
    """Algorithm 1: search, finish the best candidate, and let its end guide the next chunk.

    One bad initial noise spoils every chunk after it. So where a request asks for a least likeness, a chunk
    that keeps less to its guide frame is made again, and the best attempt is kept.

    Args:
        worker: runs the models.
        requests: one a chunk.
        guide: `[n, H, W, 3]` uint8: an image, or the end of the film so far; None for text alone.
        last_image: `[H, W, 3]` uint8 picture that the last chunk is led to, or None.
        continues: whether there is a film already, of which the guide is the end.
        begin: called for each chunk after the first that cuts to a new shot.
        retries: how often at most a chunk is made again.

    Yields:
        `Begun` and, for each attempt, what the search and the full run yield, `Finished` last; after each
        attempt but the first `Kept`.
    """
    for index, request in enumerate(requests):
        ending = last_image if index == len(requests) - 1 else None
        if index and request.cut:
            request, guide = begin(request)  # noqa: PLW2901
        goes_on = (continues or index > 0) and not request.cut
        made = yield from _best_attempt(worker, index, request, guide, ending, goes_on, retries)
        guide = made.clip.frames[-kept_frames(worker, request.model) :].copy()


def _best_attempt(
    worker: Worker,
    index: int,
    request: ChunkRequest,
    guide: Frames | None,
    ending: Frames | None,
    goes_on: bool,
    retries: int,
) -> Generator[Begun | Kept | Event, None, Finished]:
    """One chunk, made again as often as the drift guard says."""
    best: tuple[int, Finished] | None = None
    for attempt in range(1 + retries):
        asked = _with_other_noises(request, attempt)
        task = Task(new_id(), asked, guide_for(request, worker, guide), ending, continues=goes_on)
        yield Begun(index, task, attempt)
        made = yield from _attempt(worker, task)
        if best is None or ("guide" in made.scores and _likeness(made) > _likeness(best[1])):
            best = attempt, made
        if attempt:  # at once: whoever stops the next attempt keeps the best one
            yield Kept(index, best[0])
        if not drifted(request, made):
            break
    assert best is not None
    return best[1]


def _with_other_noises(request: ChunkRequest, attempt: int) -> ChunkRequest:
    if attempt == 0:
        return request
    return request.model_copy(update={"seed": (request.seed + attempt * SEEDS_APART) % SEEDS})


def drifted(request: ChunkRequest, made: Finished) -> bool:
    """Whether a chunk keeps less to its guide frame than was asked for; one from text alone has none."""
    guarded = request.least_likeness > 0 and made.num_guide_frames > 0
    return guarded and _likeness(made) < request.least_likeness


def _likeness(made: Finished) -> float:
    """The `guide` score; 1 where nobody measured it."""
    return made.scores.get("guide", 1.0)


def _attempt(worker: Worker, task: Task) -> Generator[Event, None, Finished]:
    """Search as the request says, and finish the best candidate."""
    seed, best, outcome = task.request.seed, None, None
    try:
        if task.request.strategy != "naive":
            with closing(worker.search(task)) as events:
                for event in events:
                    if isinstance(event, Rough) and (best is None or event.rank > best.rank):
                        best = event
                    yield event
            seed = seed if best is None else best.seed
        with closing(worker.finish(task, seed)) as run:
            for outcome in run:
                yield outcome
    finally:
        worker.release(task.key)
    assert isinstance(outcome, Finished)
    return outcome


def guide_for(request: ChunkRequest, worker: Worker, end: Frames | None) -> Frames | None:
    """The end of a film or an image, `[n, H, W, 3]`, as far as the model can continue from it."""
    return None if end is None else prefix(end, worker.card(request.model))


def kept_frames(worker: Worker, model: str) -> int:
    """How many frames at the end of a chunk are kept: all that any model repeats, or its own looks at."""
    return max(card.prefix_frames + card.looks_back * (card.name == model) for card in worker.cards())


def plan(
    first: ChunkRequest,
    prompts: Sequence[str],
    card: ModelCard,
    *,
    seconds: float | None = None,
    continues: bool = False,
    after: tuple[ModelCard, int] | None = None,
) -> list[ChunkRequest]:
    """One request a chunk for a film of a given length; every prompt gets an equal share of the chunks.

    If the first one cuts to a new shot, so does every further prompt. Candidate seeds are counted on from
    chunk to chunk, so that no two chunks begin from the same noise.

    Args:
        first: all but the prompt is taken from it; its guide goes to the first chunk only, its last image
            to the last one.
        prompts: in playing order.
        card: of the model.
        seconds: length of what is to be made, rounded up to whole chunks; None makes one chunk a prompt.
        continues: whether the first of these chunks continues a film.
        after: of the model that continues what `card` began, with the frames of its chunks; None if it is the
            same.

    Raises:
        InputError: if the length is no positive number, too short for that many prompts, or of more segments
            than a film can have.
    """
    later, num_frames = after or (card, first.num_frames)
    new_frames = num_frames - later.prefix_frames
    shots = len(prompts) if first.cut else 0 if continues else 1
    if new_frames < 1 and (seconds is not None or len(prompts) > shots):
        raise InputError(
            f"A chunk that continues a film repeats {later.prefix_frames} frames of it, so chunks of "
            f"{num_frames} frames would show nothing new. Try {later.num_frames}."
        )
    lengths = first.num_frames / card.fps, new_frames / later.fps
    number = len(prompts) if seconds is None else _chunks_for(seconds, *lengths, shots, len(prompts))
    check_length(number)
    each = 1 if first.strategy == "naive" else first.candidates

    def scene(index: int) -> int:
        return index * len(prompts) // number

    return [
        first.model_copy(
            update={
                "prompt": prompts[scene(index)],
                "seed": first.seed if index == 0 else (first.seed + index * each) % SEEDS,
                "cut": first.cut and (continues if index == 0 else scene(index) > scene(index - 1)),
                "guide": first.guide if index == 0 else None,
                "guide_prompt": first.guide_prompt if index == 0 else None,
                "last_image": first.last_image if index == number - 1 else None,
            }
        )
        for index in range(number)
    ]


def _chunks_for(seconds: float, begun: float, each_adds: float, shots: int, prompts: int) -> int:
    """How many chunks give at least so many seconds.

    Args:
        seconds: of the film, or of what is added to it.
        begun, each_adds: seconds of a chunk that begins a shot, and that a chunk adds that goes on.
        shots: how many begin one.
        prompts: how many chunks there have to be.

    Raises:
        InputError: if the length is no positive number, or too short for the prompts.
    """
    if not math.isfinite(seconds) or seconds <= 0:
        raise InputError(f"A film cannot be {seconds:g} seconds long. Ask for a few seconds, e.g. 8.")
    in_time = min(shots, math.ceil(seconds / begun - 1e-6))
    more = min(max(seconds - in_time * begun, 0) / each_adds, 1e9)  # infinity has no next whole number
    number = max(1, in_time + math.ceil(more - 1e-6))
    if number < prompts:
        shorter = prompts - 1 - min(shots, prompts - 1)
        least = (prompts - 1 - shorter) * begun + shorter * each_adds
        raise InputError(
            f"{seconds:g} seconds are {number} chunk{'s' if number > 1 else ''}, too few for {prompts} "
            f"prompts. Ask for at least {math.floor(least + 1e-6) + 1} seconds, or take prompts away."
        )
    return number
