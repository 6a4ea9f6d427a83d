"""Suspended runs over pipelines that are not ours, with schedulers that carry state from step to step."""

import threading

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)

from models.diffusers_run import DiffusersRun, shifted, to_frames
from models.errors import CancelledError
from models.tapped import Look, light_clone
from tests.models.tiny_wan import tiny_wan, wan_arguments, wan_decode

FLOW = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 3.0}
SCHEDULERS = {
    "flow matching Euler": lambda: FlowMatchEulerDiscreteScheduler(shift=3.0),
    "stochastic flow matching": lambda: FlowMatchEulerDiscreteScheduler(shift=3.0, stochastic_sampling=True),
    "UniPC": lambda: UniPCMultistepScheduler(**FLOW),
    "DPM++": lambda: DPMSolverMultistepScheduler(**FLOW),
}


@pytest.fixture(scope="module", params=["flow matching Euler", "UniPC", "DPM++"])
def pipeline(request):
    return tiny_wan(SCHEDULERS[request.param]())


@pytest.fixture(scope="module")
def euler():
    return tiny_wan()


@pytest.fixture(autouse=True)
def no_thread_is_left_behind():
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("run-")]


def begin(pipeline, seed=0, steps=6, **arguments):
    return DiffusersRun(
        pipeline, {**wan_arguments(), **arguments}, wan_decode, seed=seed, num_inference_steps=steps, fps=8
    )


def plain_call(pipeline, seed=0, steps=6):
    pipeline.set_progress_bar_config(disable=True)
    video = pipeline(
        **wan_arguments(),
        num_inference_steps=steps,
        generator=torch.Generator("cpu").manual_seed(seed),
        output_type="np",
    )
    return to_frames(video.frames)


def finish(run):
    clip = run.finish()
    run.close()
    return clip.frames


def test_a_run_gives_what_the_plain_call_gives(pipeline):
    np.testing.assert_array_equal(finish(begin(pipeline)), plain_call(pipeline))


def test_a_suspended_run_gives_what_the_plain_call_gives(pipeline):
    run = begin(pipeline)
    for step in (1, 2, 5):
        run.advance(step)
        assert run.step == step
    np.testing.assert_array_equal(finish(run), plain_call(pipeline))


def test_runs_may_be_carried_on_in_turn(pipeline):
    runs = [begin(pipeline, seed) for seed in range(3)]
    for step in (2, 3, 6):
        for run in runs:
            run.advance(step)
            run.preview()
    for seed, run in enumerate(runs):
        np.testing.assert_array_equal(finish(run), plain_call(pipeline, seed))


def test_the_same_seed_gives_the_same_clip_and_another_seed_another(euler):
    first, again, other = (finish(begin(euler, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_preview_at_the_last_step_is_the_finished_clip(pipeline):
    run = begin(pipeline)
    run.advance(6)
    preview = run.preview()
    np.testing.assert_array_equal(preview.frames, finish(run))


def test_previews_come_closer_to_the_finished_clip(euler):
    run = begin(euler)
    previews = []
    for step in (1, 3, 5):
        run.advance(step)
        previews.append(run.preview().frames.astype(float))
    final = finish(run)
    distances = [np.abs(preview - final).mean() for preview in previews]
    assert distances[0] > distances[1] > distances[2]


def test_advancing_to_a_step_that_is_done_does_nothing(euler):
    run = begin(euler)
    run.advance(3)
    run.advance(2)
    assert run.step == 3
    run.close()


def test_a_run_that_was_not_advanced_has_no_thread_and_no_preview(euler):
    run = begin(euler)
    assert run.step == 0
    with pytest.raises(ValueError, match="no step done"):
        run.preview()
    run.close()


def test_advancing_beyond_the_last_step_is_an_error(euler):
    run = begin(euler)
    with pytest.raises(ValueError, match="6 steps, not 7"):
        run.advance(7)


def test_finish_may_be_called_again_even_after_closing(euler):
    run = begin(euler)
    clip = run.finish()
    run.close()
    assert run.finish() is clip
    assert run.step == 6


def test_closing_in_the_middle_ends_the_thread_and_leaves_the_pipeline_clean(pipeline):
    expected = plain_call(pipeline, seed=3)
    run = begin(pipeline)
    run.advance(2)
    run.close()
    run.close()
    with pytest.raises(ValueError, match="closed"):
        run.advance(3)
    with pytest.raises(ValueError, match="closed"):
        run.finish()
    np.testing.assert_array_equal(finish(begin(pipeline, seed=3)), expected)


def test_closing_from_another_thread_cancels_the_one_that_waits(euler, monkeypatch):
    entered, released = threading.Event(), threading.Event()
    forward = euler.transformer.forward

    def slow_forward(*arguments, **named):
        entered.set()
        released.wait()
        return forward(*arguments, **named)

    monkeypatch.setattr(euler.transformer, "forward", slow_forward)
    run = begin(euler)
    closer = threading.Thread(target=lambda: (entered.wait(), run.close()))
    closer.start()
    with pytest.raises(CancelledError):
        run.advance(1)
    released.set()
    closer.join()


def test_an_abandoned_run_ends_its_thread(euler):
    run = begin(euler)
    run.advance(1)
    thread = run._call._thread
    del run
    thread.join(timeout=30)
    assert not thread.is_alive()


def test_an_error_in_the_pipeline_is_raised_where_the_run_is_advanced(euler):
    run = begin(euler, height=33)
    for attempt in (lambda: run.advance(1), lambda: run.advance(2), run.finish):
        with pytest.raises(ValueError, match="divisible by 16"):
            attempt()
    run.close()


def test_an_error_in_the_middle_is_raised_and_the_steps_before_it_stay(euler, monkeypatch):
    run = begin(euler)
    run.advance(2)

    def fail(*_, **__):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(euler.transformer, "forward", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        run.advance(4)
    assert run.step == 2
    run.close()


def test_the_pipeline_keeps_its_own_scheduler(euler):
    before = euler.scheduler
    run = begin(euler)
    run.advance(1)
    assert euler.scheduler is before
    assert not hasattr(before, "look")
    assert euler.config["scheduler"] == ("diffusers", "FlowMatchEulerDiscreteScheduler")
    run.close()


def test_a_run_draws_no_gradients(euler):
    run = begin(euler)
    run.advance(1)
    assert not run._look.latents.requires_grad
    assert not run._look.predicted.requires_grad
    run.close()


@pytest.mark.parametrize(
    "make",
    [
        *SCHEDULERS.values(),
        DDIMScheduler,
        EulerDiscreteScheduler,
        lambda: EulerDiscreteScheduler(prediction_type="v_prediction", use_karras_sigmas=True),
        EulerAncestralDiscreteScheduler,
    ],
)
def test_the_clean_sample_foreseen_at_the_last_step_is_the_sample(make):
    """Checked with an arbitrary network for every kind of scheduler, as it is tapped in a run."""

    class Pipeline:
        scheduler = make()

        def set_progress_bar_config(self, **_):
            pass

    look = Look()
    scheduler = light_clone(Pipeline(), look).scheduler
    scheduler.set_timesteps(5)
    generator = torch.Generator().manual_seed(0)
    sample = torch.randn(1, 4, 8, 8, generator=generator) * getattr(scheduler, "init_noise_sigma", 1)
    for timestep in scheduler.timesteps:
        scaled = (
            scheduler.scale_model_input(sample, timestep)
            if hasattr(scheduler, "scale_model_input")
            else sample
        )
        output = torch.tanh(scaled) * 0.5 + 0.1
        sample = scheduler.step(output, timestep, sample, return_dict=False)[0]
    torch.testing.assert_close(look.predicted, sample, rtol=1e-5, atol=1e-3)


def test_per_token_timesteps_foresee_the_same_as_one_for_all():
    """Conditioned tokens stand at their own time; diffusers then takes the negative velocity."""

    class Pipeline:
        scheduler = FlowMatchEulerDiscreteScheduler()

        def set_progress_bar_config(self, **_):
            pass

    look = Look()
    scheduler = light_clone(Pipeline(), look).scheduler
    scheduler.set_timesteps(5)
    sample, velocity = torch.randn(1, 6, 4), torch.randn(1, 6, 4)
    timestep = scheduler.timesteps[0]
    per_token = timestep * torch.tensor([[0.0, 0.0, 1.0, 1.0, 1.0, 1.0]])
    scheduler.step(-velocity, timestep, sample, per_token_timesteps=per_token)
    torch.testing.assert_close(look.predicted[:, :2], sample[:, :2])
    torch.testing.assert_close(look.predicted[:, 2:], (sample - velocity)[:, 2:])


@pytest.mark.parametrize("name", ["flow matching Euler", "UniPC", "DPM++"])
def test_the_shift_of_a_flow_is_set_whatever_the_scheduler_calls_it(name):
    made = SCHEDULERS[name]()
    more = shifted(made, 12.0)
    for scheduler in (made, more):
        scheduler.set_timesteps(4)
    assert type(more) is type(made)
    assert more.timesteps[2] > made.timesteps[2]
