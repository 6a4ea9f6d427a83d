"""Search over initial noises, on a real tiny pipeline whose network evaluations are counted."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

from models.catalog import load_model
from models.clip import Clip
from models.diffusers_run import DiffusersModel
from studio import search
from studio.search import Finished, Rough, Step
from studio.timeline import ChunkRequest


class Counted:
    """A loaded model and the number of network evaluations it has done."""

    def __init__(self, model: DiffusersModel) -> None:
        self.model = model
        self.evaluations = 0
        model._pipeline.transformer.register_forward_pre_hook(self._count)

    def _count(self, module: object, inputs: tuple) -> None:
        self.evaluations += len(inputs[0])  # guidance evaluates both halves of the batch

    def begin(self, request: ChunkRequest):
        conditioning = self.model.encode(
            request.prompt,
            guidance_scale=request.guidance_scale,
            height=request.height,
            width=request.width,
            num_frames=request.num_frames,
        )
        return partial(self.model.begin, conditioning)


@pytest.fixture
def counted(sources: dict[str, str]) -> Iterator[Counted]:
    model = load_model("pocket", source=sources["pocket"])
    yield Counted(model)
    model.close()


def brightness(clip: Clip) -> tuple[dict[str, float], float]:
    value = float(clip.frames.mean())
    return {"brightness": value}, value


def make(begin, request: ChunkRequest) -> Finished:
    """A whole segment: candidates, the best of them, its full run."""
    if request.strategy == "naive":
        return last(search.naive(begin, request.seed, request.num_inference_steps))
    roughs = [e for e in search.candidates(begin, request, brightness) if isinstance(e, Rough)]
    chosen = search.best(roughs)
    run = chosen.run or begin(chosen.seed, request.num_inference_steps)
    finished = last(search.finish(run))
    for rough in roughs:
        if rough.run is not None:
            rough.run.close()
    run.close()
    return finished


def last(events) -> Finished:
    *_, event = events
    assert isinstance(event, Finished)
    return event


@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
@pytest.mark.parametrize(
    ("choice", "steps"),
    [
        ({"strategy": "naive"}, 4),
        ({"strategy": "brute-force"}, 3 * 4),
        ({"strategy": "k-step", "previews": "schedule"}, 3 * 2 + 4),
        ({"strategy": "k-step", "previews": "prefix"}, 3 * 2 + 4 - 2),
    ],
)
def test_a_segment_takes_as_many_network_evaluations_as_was_said(
    counted, request_, choice, steps, guidance_scale
):
    request = request_.model_copy(update={**choice, "guidance_scale": guidance_scale})
    make(counted.begin(request), request)
    assert counted.evaluations == steps * (2 if guidance_scale > 1 else 1)
    assert search.network_evaluations(request) == counted.evaluations


def test_naive_is_the_plain_pipeline_call_bit_for_bit(counted, request_):
    import torch

    plain = counted.model._pipeline(
        request_.prompt,
        height=request_.height,
        width=request_.width,
        num_frames=request_.num_frames,
        num_inference_steps=request_.num_inference_steps,
        guidance_scale=request_.guidance_scale,
        generator=torch.Generator("cpu").manual_seed(request_.seed),
        output_type="np",
    ).frames[0]
    finished = last(search.naive(counted.begin(request_), request_.seed, request_.num_inference_steps))
    assert np.array_equal(finished.clip.frames, (np.asarray(plain).clip(0, 1) * 255).round().astype(np.uint8))


def test_every_strategy_finishes_the_clip_of_the_chosen_seed(counted, request_):
    begin = counted.begin(request_)
    for strategy, previews in [("brute-force", "schedule"), ("k-step", "schedule"), ("k-step", "prefix")]:
        request = request_.model_copy(update={"strategy": strategy, "previews": previews})
        finished = make(begin, request)
        plain = last(search.naive(begin, finished.seed, request.num_inference_steps))
        assert np.array_equal(finished.clip.frames, plain.clip.frames)


def test_a_schedule_preview_is_a_complete_run_of_k_steps(counted, request_):
    begin = counted.begin(request_)
    rough = next(e for e in search.candidates(begin, request_, brightness) if isinstance(e, Rough))
    short = last(search.naive(begin, request_.seed, request_.preview_steps))
    assert rough.steps == request_.preview_steps
    assert np.array_equal(rough.clip.frames, short.clip.frames)


def test_candidates_come_one_by_one_after_their_steps(counted, request_):
    events = list(search.candidates(counted.begin(request_), request_, brightness))
    kinds = ["step" if isinstance(event, Step) else event.seed for event in events]
    assert kinds == ["step", "step", 7, "step", "step", 8, "step", "step", 9]


def test_the_best_candidate_has_the_highest_rank_and_the_earlier_one_wins_a_tie():
    clip = Clip(np.zeros((1, 2, 2, 3), np.uint8), 8)
    roughs = [Rough(seed, 2, clip, rank=rank) for seed, rank in [(1, 0.2), (2, 0.9), (3, 0.9)]]
    assert search.best(roughs).seed == 2


def test_stopping_between_two_steps_closes_the_run(counted, request_):
    runs = []

    def begin(seed: int, steps: int):
        runs.append(counted.begin(request_)(seed, steps))
        return runs[-1]

    events = search.candidates(begin, request_, brightness)
    next(events)
    events.close()
    with pytest.raises(ValueError, match="closed"):
        runs[0].advance(2)


def test_a_live_look_is_taken_when_it_is_asked_for(counted, request_):
    run = counted.begin(request_)(7, 4)
    events = list(search.finish(run, look=lambda run, since: run.preview()))
    assert [event.step for event in events if isinstance(event, search.Live)] == [1, 2, 3]


def test_no_look_is_taken_where_it_would_cost_too_much(counted, request_):
    events = list(search.finish(counted.begin(request_)(7, 4), look=lambda run, since: None))
    assert not [event for event in events if isinstance(event, search.Live)]


@pytest.mark.parametrize("previews", ["schedule", "prefix"])
def test_candidates_at_once_come_in_groups_and_are_the_same(counted, request_, previews):
    request, begin = request_.model_copy(update={"previews": previews}), counted.begin(request_)
    single = [e for e in search.candidates(begin, request, brightness) if isinstance(e, Rough)]
    counted.evaluations = 0
    events = list(search.candidates(begin, request, brightness, advance=counted.model.advance, at_once=2))
    kinds = ["step" if isinstance(event, Step) else event.seed for event in events]
    assert kinds == [*["step"] * 4, 7, 8, *["step"] * 2, 9]
    together = [event for event in events if isinstance(event, Rough)]
    for one, other in zip(single, together, strict=True):
        assert (one.run is None) == (other.run is None) == (previews == "schedule")
        assert abs(one.clip.frames.astype(int) - other.clip.frames).max() <= 1
        for rough in (one, other):
            if rough.run is not None:
                rough.run.close()


def test_stopping_between_two_of_a_group_closes_those_that_were_not_handed_over(counted, request_):
    runs = []

    def begin(seed: int, steps: int):
        runs.append(counted.begin(request_)(seed, steps))
        return runs[-1]

    request = request_.model_copy(update={"previews": "prefix"})
    events = search.candidates(begin, request, brightness, advance=counted.model.advance, at_once=3)
    rough = next(event for event in events if isinstance(event, Rough))
    events.close()
    rough.run.advance(3)
    rough.run.close()
    for run in runs[1:]:
        with pytest.raises(ValueError, match="closed"):
            run.advance(3)
