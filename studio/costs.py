"""What a request costs, told before the button is pressed: from timings measured on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from textwrap import shorten
from typing import TYPE_CHECKING

from studio.extend import RETRIES
from studio.search import final_passes, network_evaluations, passes_per_step, preview_passes
from studio.timeline import ChunkRequest, Frozen

if TYPE_CHECKING:
    from models.reading import Reading
    from models.video_model import ModelCard

Timing = Callable[[str, str], float | None]
"""`timing(model, key)`: measured seconds, or None before any measurement."""

ALONE, TOGETHER = "evaluation", "evaluation together"
"""What is measured of a network evaluation: of one run, and the share of a run that goes on with others."""

GUARDED = f", up to {1 + RETRIES} times that for chunks that drift"


class Cost(Frozen):
    """What a request will take.

    Attributes:
        evaluations: network evaluations, all candidates and the full run of one of them.
        seconds: of all that, or None before anything was measured for this model and size.
        preview_seconds: of the previews alone, i.e. until the gallery is full.
        sentence: e.g. `4 previews of 4 steps, then 20 steps: about 9 s in all`.
    """

    evaluations: int
    seconds: float | None = None
    preview_seconds: float | None = None
    sentence: str = ""


def key(what: str, request: ChunkRequest) -> str:
    """Name of a timing: what was measured, and the size it was measured at, e.g. `decode 128x128x17`."""
    return f"{what} {request.width}x{request.height}x{request.num_frames}"


def cost(request: ChunkRequest, timing: Timing, passes: tuple[int, int] = (2, 1), at_once: int = 1) -> Cost:
    """The cost of one chunk, search and full run together.

    Args:
        request: for the chunk.
        timing: measured seconds.
        passes: as in `network_evaluations`.
        at_once: how many candidates go on together.
    """
    evaluations = network_evaluations(request, passes)
    evaluation = timing(request.model, key(ALONE, request))
    together = timing(request.model, key(TOGETHER, request)) if min(at_once, request.candidates) > 1 else None
    evaluation, together = evaluation or together, together or evaluation
    decode = timing(request.model, key("decode", request))
    words = _words(request)
    if evaluation is None or together is None or decode is None:
        return Cost(
            evaluations=evaluations, sentence=f"{words}: about {_count(evaluations, 'network evaluation')}"
        )
    judge = timing(request.model, key("judge", request)) or 0.0
    each = passes_per_step(request, passes)
    looks = 0 if request.strategy == "naive" else request.candidates
    previews = preview_passes(request) * each * together + looks * (decode + judge)
    full = (
        final_passes(request) * each * evaluation
        + (0.0 if request.strategy == "brute-force" else decode)
        + judge
    )
    seconds = previews + full
    return Cost(
        evaluations=evaluations,
        seconds=seconds,
        preview_seconds=previews,
        sentence=f"{words}: about {in_words(seconds)}{' in all' if request.strategy == 'k-step' else ''}",
    )


def film_cost(
    requests: Sequence[ChunkRequest],
    timing: Timing,
    card_of: Callable[[str], ModelCard],
    *,
    guarded: bool = False,
    at_once: int = 1,
) -> Cost:
    """The cost of several chunks after one another.

    Args:
        requests: one a chunk, each for the model that makes it.
        timing: measured seconds, asked for once each.
        card_of: the card of a model's name.
        guarded: whether the machine makes them alone, and the drift guard may have some made again.
        at_once: how many candidates go on together.
    """
    timing = cache(timing)
    costs = [cost(request, timing, card_of(request.model).evaluations, at_once) for request in requests]
    again = GUARDED if guarded and any(request.least_likeness > 0 for request in requests) else ""
    if len(costs) == 1:
        return costs[0].model_copy(update={"sentence": costs[0].sentence + again})
    evaluations = sum(each.evaluations for each in costs)
    known = [each.seconds for each in costs if each.seconds is not None]
    seconds = sum(known) if len(known) == len(costs) else None
    amount = _count(evaluations, "network evaluation") if seconds is None else in_words(seconds)
    return Cost(
        evaluations=evaluations,
        seconds=seconds,
        preview_seconds=None if seconds is None else sum(each.preview_seconds or 0.0 for each in costs),
        sentence=f"{_count(len(costs), 'chunk')}: about {amount}{again}",
    )


def of_press(cost: Cost, request: ChunkRequest) -> float | None:
    """Seconds of what the search's button starts: of the previews where the full run waits for a pick."""
    return cost.preview_seconds if request.strategy == "k-step" else cost.seconds


def in_words(seconds: float) -> str:
    """A length of time as people say it: `9 s`, `4 min`, `2.5 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def _words(request: ChunkRequest) -> str:
    """What will be done, without its time."""
    steps = _count(request.num_inference_steps, "step")
    if request.strategy == "naive":
        return steps
    if request.strategy == "brute-force":
        return f"{_count(request.candidates, 'full run')} of {steps}"
    previews = f"{_count(request.candidates, 'preview')} of {_count(request.preview_steps, 'step')}"
    if request.previews == "prefix":
        return f"{previews}, then the {_count(final_passes(request), 'step')} that are left"
    return f"{previews}, then {steps}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def reading_words(reading: Reading) -> str:
    """What a model makes of words that it was never taught or does not get to; empty if it reads them all."""
    as_others = ", ".join(f"“{word}” as “{other}”" for word, other in reading.as_others.items())
    unknown, lost = (", ".join(map(_quoted, words)) for words in (reading.unknown, reading.left_out))
    said = (
        f"Reads {as_others}" if as_others else "",
        f"Does not know {unknown}" if unknown else "",
        f"Too long: {lost} is left out" if lost else "",
    )
    return ". ".join(each for each in said if each)


def _quoted(words: str) -> str:
    """Words of a prompt, of which a long row is cut."""
    words = shorten(words, 60, placeholder="…") if " " in words else words
    return f"“{words if len(words) <= 60 else words[:59] + '…'}”"
