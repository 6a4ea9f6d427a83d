"""What is peculiar to LTX-Video, on tiny random pipelines of its class."""

import dataclasses

import numpy as np
import pytest
import torch
from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition, linear_quadratic_schedule
from diffusers.pipelines.ltx2.utils import DISTILLED_SIGMA_VALUES
from PIL import Image

from models.errors import InputError


@pytest.fixture(scope="module")
def ltx(load):
    return load("ltx-0.9.7")


def images(frames):
    return [Image.fromarray(frame) for frame in frames]


def call_arguments(model):
    card = model.card
    return {
        "prompt": "a fox",
        "negative_prompt": "",
        "height": card.height,
        "width": card.width,
        "num_frames": card.num_frames,
        "frame_rate": card.fps,
        "guidance_scale": card.guidance_scale,
        **card.options,
    }


def test_a_finished_run_is_the_plain_call(ltx, begin, picture, plain_call):
    prefix, last = picture(ltx, 9), picture(ltx, seed=1)[0]
    expected = plain_call(
        ltx._pipeline,
        **call_arguments(ltx),
        conditions=[
            LTXVideoCondition(video=images(prefix), frame_index=0),
            LTXVideoCondition(image=Image.fromarray(last), frame_index=ltx.card.num_frames - 1),
        ],
    )
    run = begin(ltx, ltx.encode("a fox", guide=prefix, last_image=last))
    np.testing.assert_array_equal(run.finish().frames, expected)


def test_the_pipeline_ignores_latents_so_that_a_candidate_is_its_seed(ltx, plain_call):
    noise = torch.randn(1, 8, 3, 1, 2)
    np.testing.assert_array_equal(
        plain_call(ltx._pipeline, **call_arguments(ltx), latents=noise),
        plain_call(ltx._pipeline, **call_arguments(ltx)),
    )


def test_the_tokens_of_the_guide_do_not_move(ltx, begin, picture):
    run = begin(ltx, ltx.encode("a fox", guide=picture(ltx, 9)), steps=3)
    known = 2 * 1 * 2  # latent frames, height and width
    run.advance(1)
    first = run._look.latents.clone()
    run.advance(3)
    torch.testing.assert_close(run._look.latents[:, :known], first[:, :known], rtol=0, atol=0)
    assert (run._look.latents[:, known:] != first[:, known:]).any()


def test_the_tokens_of_a_last_image_are_cut_off_a_preview(ltx, begin, picture):
    conditioning = ltx.encode("a fox", guide=picture(ltx), last_image=picture(ltx, seed=1)[0])
    run = begin(ltx, conditioning)
    run.advance(2)
    assert run._look.predicted.shape[1] > 3 * 1 * 2
    np.testing.assert_array_equal(run.preview().frames, run.finish().frames)


def test_a_preview_draws_its_decoding_noise_from_a_copy(ltx, begin):
    """The decoder is made for a little noise; drawn from the run's own generator it would change the run."""
    assert ltx._pipeline.vae.config.timestep_conditioning
    run = begin(ltx, ltx.encode("a fox"))
    run.advance(1)
    before = run._clone.run_generator.get_state()
    run.preview()
    assert torch.equal(run._clone.run_generator.get_state(), before)


def test_noise_for_the_decoder_is_part_of_the_clip(ltx, begin):
    conditioning = ltx.encode("a fox")
    silent = dataclasses.replace(conditioning, options={**conditioning.options, "decode_noise_scale": 0.0})
    clips = [begin(ltx, each).finish().frames for each in (conditioning, silent)]
    assert (clips[0] != clips[1]).any()


def test_eight_steps_are_the_schedule_of_the_distilled_checkpoints():
    torch.testing.assert_close(linear_quadratic_schedule(8), torch.tensor(DISTILLED_SIGMA_VALUES))


def test_the_distilled_checkpoint_runs_without_guidance(load, begin, watch):
    model = load("ltx-0.9.8-distilled")
    calls = watch(model._pipeline.transformer)
    begin(model, model.encode("a fox")).advance(1)
    assert [len(call["hidden_states"]) for call in calls] == [1]
    with pytest.raises(InputError, match="guidance"):
        model.encode("a fox", guidance_scale=3)


@pytest.mark.parametrize("length", [2, 8, 10])
def test_a_prefix_has_8n_and_1_frames(ltx, picture, length):
    with pytest.raises(InputError, match="1 or 9"):
        ltx.encode("a fox", guide=picture(ltx, length))
