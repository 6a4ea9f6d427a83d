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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from models.clip import Clip
from models.video_model import DenoisingRun
from studio.timeline import ChunkRequest, PreviewKind

Begin = Callable[[int, int], DenoisingRun]
"""`begin(seed, num_inference_steps)`: a run that stands before its first step."""

Judge = Callable[[Clip], tuple[dict[str, float], float]]
"""`judge(clip)`: every score by name, and the number that orders the gallery; higher is better in both."""


@dataclass(frozen=True)
class Step:
    """One more denoising step of the run of `seed` is done: `done` of `total`, in `seconds`."""

    seed: int
    done: int
    total: int
    seconds: float = 0.0


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
    """

    seed: int
    steps: int
    clip: Clip
    scores: dict[str, float] = field(default_factory=dict)
    rank: float = 0.0
    run: DenoisingRun | None = None
    decode_seconds: float = 0.0
    judge_seconds: float = 0.0


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


def k_step(
    begin: Begin,
    seeds: Iterable[int],
    num_inference_steps: int,
    preview_steps: int,
    judge: Judge,
    *,
    previews: PreviewKind = "schedule",
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

    Yields:
        `Step` and, a candidate each, `Rough`.
    """
    for seed in seeds:
        run = begin(seed, preview_steps if previews == "schedule" else num_inference_steps)
        handed_over = False
        try:
            yield from _advance(run, preview_steps)
            rough = _look(run, preview_steps, judge, keep=previews == "prefix")
            handed_over = rough.run is not None
            yield rough
        finally:
            if not handed_over:
                run.close()


def brute_force(
    begin: Begin, seeds: Iterable[int], num_inference_steps: int, judge: Judge
) -> Iterator[Step | Rough]:
    """Finish every initial noise and look at them all: k = s, nothing is left to pay for the chosen one."""
    yield from k_step(begin, seeds, num_inference_steps, num_inference_steps, judge, previews="prefix")


def candidates(begin: Begin, request: ChunkRequest, judge: Judge) -> Iterator[Step | Rough]:
    """The candidates of a request by its strategy; candidate j has seed `request.seed + j`."""
    seeds = range(request.seed, request.seed + request.candidates)
    steps = request.num_inference_steps
    if request.strategy == "brute-force":
        return brute_force(begin, seeds, steps, judge)
    return k_step(begin, seeds, steps, request.preview_steps, judge, previews=request.previews)


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
    for event in _advance(run, run.num_inference_steps):
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


def network_evaluations(request: ChunkRequest) -> int:
    """Network evaluations for one segment, all candidates and the full run of one of them.

    With s steps, m candidates and previews of k steps: naive s; brute force m*s; k-step m*k + s; k-step
    with prefix previews m*k + s - k (section 3.4). Classifier-free guidance evaluates the network twice a
    step, once with and once without the prompt.
    """
    return (preview_passes(request) + final_passes(request)) * passes_per_step(request)


def passes_per_step(request: ChunkRequest) -> int:
    """How often a step evaluates the network: twice with classifier-free guidance."""
    return 2 if request.guidance_scale > 1 else 1


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


def _advance(run: DenoisingRun, to_step: int) -> Iterator[Step]:
    """One step at a time, so that whoever drives can stop in between."""
    for step in range(run.step + 1, to_step + 1):
        begun = time.perf_counter()
        run.advance(step)
        yield Step(run.seed, step, to_step, time.perf_counter() - begun)


def _look(run: DenoisingRun, steps: int, judge: Judge, *, keep: bool) -> Rough:
    """Decode a run where it stands and score what is seen."""
    begun = time.perf_counter()
    clip = run.finish() if steps == run.num_inference_steps else run.preview()
    decoded = time.perf_counter()
    scores, rank = judge(clip)
    judged = time.perf_counter()
    kept = run if keep else None
    return Rough(run.seed, steps, clip, scores, rank, kept, decoded - begun, judged - decoded)
