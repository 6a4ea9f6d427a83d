"""What a request costs is told before the button is pressed."""

from __future__ import annotations

import pytest

from models.catalog import card
from models.reading import Reading
from studio import costs
from studio.studio import Studio
from studio.timeline import ChunkRequest
from tests.studio.test_studio import made

REQUEST = ChunkRequest(
    prompt="a fox", candidates=4, preview_steps=4, num_inference_steps=20, guidance_scale=4.0
)
MEASURED = {"evaluation 256x256x17": 0.1, "decode 256x256x17": 0.5, "judge 256x256x17": 0.1}


def measured(model: str, key: str) -> float | None:
    return MEASURED.get(key)


def unknown(model: str, key: str) -> float | None:
    return None


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (
            {},
            "4 previews of 4 steps, then 20 steps: about 10 s in all",
        ),  # 72 evaluations, 5 decodings, 5 scores
        ({"previews": "prefix"}, "4 previews of 4 steps, then the 16 steps that are left: about 9 s in all"),
        ({"strategy": "naive"}, "20 steps: about 5 s"),
        ({"strategy": "brute-force"}, "4 full runs of 20 steps: about 18 s"),
        ({"strategy": "naive", "guidance_scale": 1.0}, "20 steps: about 3 s"),
        ({"candidates": 1, "preview_steps": 1}, "1 preview of 1 step, then 20 steps: about 5 s in all"),
    ],
)
def test_the_sentence_tells_what_is_done_and_how_long_it_takes(choice, sentence):
    assert costs.cost(REQUEST.model_copy(update=choice), measured).sentence == sentence


@pytest.mark.parametrize(("strategy", "seconds"), [("k-step", 5.6), ("naive", 4.6), ("brute-force", 18.5)])
def test_the_press_of_a_k_step_search_costs_its_previews_alone(strategy, seconds):
    request = REQUEST.model_copy(update={"strategy": strategy})
    cost = costs.cost(request, measured)
    assert costs.of_press(cost, request) == pytest.approx(seconds)


def test_before_any_measurement_the_network_evaluations_are_told():
    cost = costs.cost(REQUEST, unknown)
    assert cost.sentence == "4 previews of 4 steps, then 20 steps: about 72 network evaluations"
    assert cost.seconds is None


def test_a_film_costs_what_its_chunks_cost():
    cost = costs.film_cost([REQUEST] * 30, measured, card)
    assert cost.evaluations == 30 * 72
    assert cost.sentence == "30 chunks: about 5 min"


def test_the_timings_of_a_film_are_asked_for_once():
    asked = []
    costs.film_cost([REQUEST] * 500, lambda *what: asked.append(what) or measured(*what), card)
    assert len(asked) == len(set(asked)) == 3


@pytest.mark.parametrize(
    ("model", "guidance", "passes"), [("ltx-2", 3.0, 4), ("ltx-2", 1.0, 3), ("hunyuan", 6.0, 1)]
)
def test_some_models_evaluate_their_network_more_often_or_less_in_a_step(model, guidance, passes):
    request = REQUEST.model_copy(update={"model": model, "strategy": "naive", "guidance_scale": guidance})
    assert costs.film_cost([request], unknown, card).evaluations == 20 * passes


def test_candidates_that_go_on_together_cost_what_they_cost_together_and_the_full_run_what_it_does_alone():
    def timing(model: str, key: str) -> float | None:
        return {**MEASURED, "evaluation together 256x256x17": 0.02}.get(key)

    cost = costs.cost(REQUEST, timing, at_once=4)
    assert cost.preview_seconds == pytest.approx(4 * 4 * 2 * 0.02 + 4 * (0.5 + 0.1))
    assert cost.seconds - cost.preview_seconds == pytest.approx(20 * 2 * 0.1 + 0.5 + 0.1)
    assert costs.cost(REQUEST, timing) == costs.cost(REQUEST, measured)


def test_what_candidates_take_together_is_not_taken_for_what_the_full_run_takes(settings, request_):
    with Studio(settings.model_copy(update={"at_once": 3})) as studio:
        project = studio.create_project()
        studio.wait(studio.search(project.id, request_))
        measured = {what: studio.store.timing("pocket", costs.key(what, request_)) for what in
                    (costs.ALONE, costs.TOGETHER)}  # fmt: skip
        assert measured[costs.ALONE] is None
        assert measured[costs.TOGETHER] is not None
        assert studio.cost(request_).seconds is not None  # the nearest that is known


def test_a_run_leaves_its_timings_for_the_next_cost(studio, request_):
    assert studio.cost(request_).seconds is None
    made(studio, request_)
    cost = studio.cost(request_)
    assert 0 < cost.preview_seconds < cost.seconds
    assert studio.cost(request_.model_copy(update={"width": 128})).seconds is None


def test_what_is_read_as_what_is_said():
    assert costs.reading_words(Reading()) == ""
    said = costs.reading_words(Reading({"poodle": "dog", "forest": "meadow"}))
    assert said == "Reads “poodle” as “dog”, “forest” as “meadow”"


def test_words_that_nothing_is_known_of_are_said():
    said = costs.reading_words(Reading({"forest": "meadow"}, ("xylophone", "一只狗在雪地里奔跑" * 9)))
    assert said.startswith("Reads “forest” as “meadow”. Does not know “xylophone”, “一只狗在雪地里奔跑")
    assert said.endswith("…”") and len(said) < 130


def test_what_is_left_out_of_a_long_prompt_is_said():
    lost = "while " + "snow falls on the old stone bridge " * 9
    said = costs.reading_words(Reading({"poodle": "dog"}, left_out=(lost,)))
    assert said == (
        "Reads “poodle” as “dog”. Too long: “while snow falls on the old stone bridge snow falls on the…” "
        "is left out"
    )
