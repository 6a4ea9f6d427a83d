"""Search over initial noises (Zhang & Lim, sections 3.4 and 3.5): pure functions over runs and a scorer.

Each strategy is a generator. It yields a `Step` after every denoising step, so that whoever drives it can
report progress and stop between two steps, and a `Rough` for every candidate as soon as it has been looked
at. Closing the generator closes the run it was in the middle of.

- `naive`: one initial noise, finished.
- `k_step`: m initial noises, k steps each, then one of them is finished with `finish`.
- `brute_force`: m initial noises, all finished.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice

from models.clip import Clip
from models.video_model import DenoisingRun
from studio.timeline import ChunkRequest, PreviewKind

Begin = Callable[[int, int], DenoisingRun]
"""`begin(seed, num_inference_steps)`: a run that stands before its first step."""

Judge = Callable[[Clip], tuple[dict[str, float], float]]
"""`judge(clip)`: every score by name, and the number that orders the gallery; higher is better in both."""

Advance = Callable[[Sequence[DenoisingRun], int], None]
"""`advance(runs, to_step)`: takes several runs to a step, at once if the model can."""


@dataclass(frozen=True)
class Step:
    """One more denoising step of the run of `seed` is done: `done` of `total`.

    Attributes:
        seconds: what it took, its share of them if several runs went on together.
        together: how many did.
    """

    seed: int
    done: int
    total: int
    seconds: float = 0.0
    together: int = 1


@dataclass(frozen=True, eq=False)
class Rough:
    """One candidate with its rough clip.

    Attributes:
        seed: of its initial noise.
        steps: how many denoising steps the clip had.
        clip: the preview; the repeated guide frames included.
        scores, rank: what the judge said.
        run: suspended, to be carried on and closed by whoever takes it; None where the full run starts anew.
        decode_seconds, judge_seconds: what it took to decode and to score it.
        problem: why it could not be scored; such a one is ranked last.
    """

    seed: int
    steps: int
    clip: Clip
    scores: dict[str, float] = field(default_factory=dict)
    rank: float = 0.0
    run: DenoisingRun | None = None
    decode_seconds: float = 0.0
    judge_seconds: float = 0.0
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Live:
    """A look into the full run: the predicted clean clip after `step` steps."""

    seed: int
    step: int
    clip: Clip


@dataclass(frozen=True, eq=False)
class Decoded:
    """A finished clip that is being judged; its `Finished` follows. Until then its files can be written."""

    seed: int
    clip: Clip
    num_guide_frames: int = 0


@dataclass(frozen=True, eq=False)
class Finished:
    """A finished clip, the repeated guide frames included.

    Attributes:
        seed: of its initial noise.
        clip: `[T, H, W, 3]` frames.
        num_guide_frames: how many frames at its beginning repeat the guide.
        scores: of this clip.
        decode_seconds: what it took to decode it.
    """

    seed: int
    clip: Clip
    num_guide_frames: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    decode_seconds: float = 0.0


def naive(begin: Begin, seed: int, num_inference_steps: int) -> Iterator[Step | Finished]:
    """One initial noise, finished: section 3.2 without any search."""
    run = begin(seed, num_inference_steps)
    try:
        for event in finish(run):
            if not isinstance(event, Live):
                yield event
    finally:
        run.close()


def one_by_one(runs: Sequence[DenoisingRun], to_step: int) -> None:
    """Each run by itself."""
    for run in runs:
        run.advance(to_step)


def k_step(
    begin: Begin,
    seeds: Iterable[int],
    num_inference_steps: int,
    preview_steps: int,
    judge: Judge,
    *,
    previews: PreviewKind = "schedule",
    advance: Advance = one_by_one,
    at_once: int = 1,
) -> Iterator[Step | Rough]:
    """Look at every initial noise after k steps: the inner loop of Algorithm 1.

    Args:
        begin: starts a run.
        seeds: one a candidate.
        num_inference_steps: s.
        preview_steps: k, in `1..s`.
        judge: the evaluator f of Algorithm 1.
        previews: `schedule`: a complete run of k steps, as in the paper. `prefix`: the first k of the s
            steps; the run comes along in `Rough.run`, so that `finish` pays only for the other s - k.
        advance: denoises candidates that go on together.
        at_once: how many do.

    Yields:
        `Step` and, a candidate each, `Rough`.
    """
    left = iter(seeds)
    while together := list(islice(left, at_once)):
        with ExitStack() as undone:
            runs = []
            for seed in together:
                runs.append(begin(seed, preview_steps if previews == "schedule" else num_inference_steps))
                undone.callback(runs[-1].close)
            yield from _advance(runs, preview_steps, advance)
            undone.pop_all()
            yield from _look_at_all(runs, preview_steps, judge, keep=previews == "prefix")


def _look_at_all(runs: list[DenoisingRun], steps: int, judge: Judge, *, keep: bool) -> Iterator[Rough]:
    """A look at each run; those that are not handed over are closed."""
    left = list(runs)
    try:
        while left:
            rough = _look(left[0], steps, judge, keep=keep)
            if keep:
                left.pop(0)
            yield rough
            if not keep:
                left.pop(0).close()
    finally:
        for run in left:
            run.close()


def brute_force(
    begin: Begin,
    seeds: Iterable[int],
    num_inference_steps: int,
    judge: Judge,
    *,
    advance: Advance = one_by_one,
    at_once: int = 1,
) -> Iterator[Step | Rough]:
    """Finish every initial noise and look at them all: k = s, nothing is left to pay for the chosen one."""
    s = num_inference_steps
    yield from k_step(begin, seeds, s, s, judge, previews="prefix", advance=advance, at_once=at_once)


def candidates(
    begin: Begin,
    request: ChunkRequest,
    judge: Judge,
    *,
    advance: Advance = one_by_one,
    at_once: int = 1,
) -> Iterator[Step | Rough]:
    """The candidates of a request by its strategy; candidate j has seed `request.seed + j`."""
    seeds = range(request.seed, request.seed + request.candidates)
    s, k = request.num_inference_steps, request.preview_steps
    if request.strategy == "brute-force":
        return brute_force(begin, seeds, s, judge, advance=advance, at_once=at_once)
    return k_step(begin, seeds, s, k, judge, previews=request.previews, advance=advance, at_once=at_once)


def best(roughs: Iterable[Rough]) -> Rough:
    """The candidate of the highest rank, the earlier one of two equals: the argmax of Algorithm 1.

    Raises:
        ValueError: if there is none.
    """
    return max(roughs, key=lambda rough: rough.rank)


def finish(
    run: DenoisingRun, look: Callable[[DenoisingRun, float], Clip | None] | None = None
) -> Iterator[Step | Live | Finished]:
    """Do what is left of a run, one step after another, and decode it.

    Args:
        run: fresh or suspended; stays open.
        look: `look(run, seconds_since_the_last_look)` gives the clip as it is foreseen now, or None where a
            look would cost too much; None never looks.
    """
    since = time.perf_counter()
    for event in _advance([run], run.num_inference_steps, one_by_one):
        yield event
        if look is None or event.done == event.total:
            continue
        clip = look(run, time.perf_counter() - since)
        if clip is not None:
            since = time.perf_counter()
            yield Live(run.seed, run.step, clip)
    begun = time.perf_counter()
    clip = run.finish()
    yield Finished(run.seed, clip, decode_seconds=time.perf_counter() - begun)


def network_evaluations(request: ChunkRequest, passes: tuple[int, int] = (2, 1)) -> int:
    """Network evaluations for one segment, all candidates and the full run of one of them.

    With s steps, m candidates and previews of k steps: naive s; brute force m*s; k-step m*k + s; k-step
    with prefix previews m*k + s - k (section 3.4). Classifier-free guidance evaluates the network twice a
    step, once with and once without the prompt.

    Args:
        request: for the segment.
        passes: `ModelCard.evaluations` of its model.
    """
    return (preview_passes(request) + final_passes(request)) * passes_per_step(request, passes)


def passes_per_step(request: ChunkRequest, passes: tuple[int, int] = (2, 1)) -> int:
    """How often a step evaluates the network, with guidance or without; arguments as above."""
    guided, plain = passes
    return guided if request.guidance_scale > 1 else plain


def preview_passes(request: ChunkRequest) -> int:
    """Denoising steps of all previews."""
    if request.strategy == "naive":
        return 0
    each = request.num_inference_steps if request.strategy == "brute-force" else request.preview_steps
    return request.candidates * each


def final_passes(request: ChunkRequest) -> int:
    """Denoising steps of the full run after the pick."""
    if request.strategy == "brute-force":
        return 0
    if request.strategy == "k-step" and request.previews == "prefix":
        return request.num_inference_steps - request.preview_steps
    return request.num_inference_steps


def _advance(runs: Sequence[DenoisingRun], to_step: int, advance: Advance) -> Iterator[Step]:
    """One step at a time, so that whoever drives can stop in between; all runs stand at the same one."""
    for step in range(runs[0].step + 1, to_step + 1):
        begun = time.perf_counter()
        advance(runs, step)
        seconds = (time.perf_counter() - begun) / len(runs)
        for run in runs:
            yield Step(run.seed, step, to_step, seconds, len(runs))


def _look(run: DenoisingRun, steps: int, judge: Judge, *, keep: bool) -> Rough:
    """Decode a run where it stands and score what is seen."""
    begun = time.perf_counter()
    clip = run.finish() if steps == run.num_inference_steps else run.preview()
    decoded = time.perf_counter()
    scores, rank = judge(clip)
    judged = time.perf_counter()
    kept = run if keep else None
    return Rough(run.seed, steps, clip, scores, rank, kept, decoded - begun, judged - decoded)
