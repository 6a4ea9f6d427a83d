"""What `studio extend` asks for where its options say nothing."""

import inspect

from studio.cli import extend
from studio.cli_requests import requests_of
from studio.timeline import Project, with_segment
from tests.studio import samples


def choices(**given):
    """The options of `extend`, all left out but those given."""
    return {**dict.fromkeys(inspect.signature(extend).parameters), "prompt": "a fox sleeps", **given}


def test_with_another_model_a_film_keeps_its_way_of_searching_and_its_drift_guard(studio, request_):
    kept = {
        "strategy": "brute-force",
        "candidates": 2,
        "previews": "prefix",
        "match_colours": True,
        "least_likeness": 0.5,
    }
    film = with_segment(Project(), samples.segment(request=request_.model_copy(update=kept)))
    (request,) = requests_of(studio, choices(model="svd"), film)
    assert {name: getattr(request, name) for name in kept} == kept
    assert request.num_inference_steps == studio.card("svd").num_inference_steps
