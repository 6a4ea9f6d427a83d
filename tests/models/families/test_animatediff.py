"""What is peculiar to AnimateDiff, FreeInit and FreeNoise, on tiny random pipelines of its class."""

import diffusers
import numpy as np
import pytest
from diffusers import DDIMScheduler

from models.catalog import CARDS
from models.errors import InputError
from models.families import animatediff


@pytest.fixture(scope="module")
def plain(load):
    return load("animatediff")


def call_arguments(card):
    return {
        "prompt": "a fox",
        "negative_prompt": "snow",
        "height": card.height,
        "width": card.width,
        "num_frames": card.num_frames,
        "guidance_scale": card.guidance_scale,
    }


@pytest.mark.parametrize("name", ["animatediff", "animatediff-freenoise"])
def test_a_finished_run_is_the_plain_call(load, begin, plain_call, name):
    model = load(name)
    expected = plain_call(model._pipeline, **call_arguments(model.card))
    run = begin(model, model.encode("a fox", negative_prompt="snow"))
    np.testing.assert_array_equal(run.finish().frames, expected)


def test_a_finished_run_with_free_init_is_the_plain_call(load, begin, plain_call):
    model = load("animatediff-freeinit")
    run = begin(model, model.encode("a fox", negative_prompt="snow"))
    frames = run.finish().frames
    model._pipeline.enable_free_init(num_iters=2, method="butterworth")
    try:
        expected = plain_call(model._pipeline, **call_arguments(model.card))
    finally:
        model._pipeline.disable_free_init()
    np.testing.assert_array_equal(frames, expected)


def test_a_step_with_free_init_is_a_step_of_every_pass(load, begin, watch):
    model = load("animatediff-freeinit")
    calls = watch(model._pipeline.unet)
    run = begin(model, model.encode("a fox"), steps=3)
    run.advance(1)
    assert (run.step, len(calls)) == (1, 2)
    run.advance(3)
    assert (run.step, len(calls)) == (3, 6)


def test_free_init_costs_what_all_its_passes_cost():
    plain, freed = CARDS["animatediff"], CARDS["animatediff-freeinit"]
    passes = freed.options["free_init"]["num_iters"]
    assert freed.evaluations == tuple(passes * each for each in plain.evaluations)


def test_free_init_leaves_the_shared_pipeline_alone(load, begin):
    model = load("animatediff-freeinit")
    begin(model, model.encode("a fox")).advance(1)
    assert not model._pipeline.free_init_enabled


def test_free_noise_makes_clips_longer_than_its_windows(load, begin):
    model = load("animatediff-freenoise")
    assert model._pipeline.free_noise_enabled
    assert len(begin(model, model.encode("a fox", num_frames=9)).finish()) == 9


def test_the_adapter_runs_on_its_own_betas(plain):
    """The still-image checkpoint was saved with other ones."""
    assert plain._pipeline.scheduler.config.beta_schedule == "linear"


def test_one_step_is_refused(plain, begin):
    """Time spaced evenly from 0 to the end has only its clean end in one step: nothing would be denoised."""
    scheduler = DDIMScheduler(**animatediff.SCHEDULE)
    scheduler.set_timesteps(1)
    assert scheduler.timesteps.tolist() == [0]
    with pytest.raises(InputError, match="in 1 steps"):
        begin(plain, plain.encode("a fox"), steps=1)


def test_from_the_hub_the_adapter_is_fetched_beside_the_checkpoint(monkeypatch):
    asked = []

    class Loaded:
        scheduler = DDIMScheduler()

    monkeypatch.setattr(diffusers.MotionAdapter, "from_pretrained", classmethod(lambda _, where, **__: where))
    monkeypatch.setattr(
        diffusers.AnimateDiffPipeline,
        "from_pretrained",
        classmethod(lambda _, where, **named: asked.append((where, named["motion_adapter"])) or Loaded()),
    )
    card = CARDS["animatediff"]
    animatediff.pipeline_class(card).from_pretrained(card.source, dtype=None)
    assert asked == [(card.source, animatediff.ADAPTER)]
