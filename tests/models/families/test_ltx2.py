"""What is peculiar to LTX-2, on a tiny random pipeline of its class."""

import numpy as np
import pytest
from diffusers.pipelines.ltx2.pipeline_ltx2_condition import LTX2VideoCondition
from PIL import Image


@pytest.fixture(scope="module")
def ltx2(load):
    return load("ltx-2")


def test_a_finished_run_is_the_plain_call(ltx2, begin, picture, plain_call):
    prefix, last, card = picture(ltx2, 9), picture(ltx2, seed=1)[0], ltx2.card
    expected = plain_call(
        ltx2._pipeline,
        prompt="a fox",
        negative_prompt="",
        conditions=[
            LTX2VideoCondition(frames=[Image.fromarray(frame) for frame in prefix], index=0),
            LTX2VideoCondition(frames=Image.fromarray(last), index=-1),
        ],
        height=card.height,
        width=card.width,
        num_frames=card.num_frames,
        frame_rate=card.fps,
        guidance_scale=card.guidance_scale,
        **card.options,
    )
    run = begin(ltx2, ltx2.encode("a fox", guide=prefix, last_image=last))
    np.testing.assert_array_equal(run.finish().frames, expected)


def test_sound_is_denoised_beside_the_pictures_and_left_out(ltx2, begin, watch):
    calls = watch(ltx2._pipeline.transformer)
    run = begin(ltx2, ltx2.encode("a fox"))
    run.advance(2)
    assert calls[0]["audio_hidden_states"].shape != calls[0]["hidden_states"].shape
    assert len(run._look.parts) == 1  # the sound's scheduler is a copy with a look of its own
    assert run._look.parts[0].predicted.shape == calls[-1]["audio_hidden_states"].shape
    assert run._look.predicted.shape == run._look.latents.shape
    assert run.finish().frames.shape[0] == ltx2.card.num_frames


def test_the_tokens_of_a_last_image_are_cut_off_a_preview(ltx2, begin, picture):
    run = begin(ltx2, ltx2.encode("a fox", guide=picture(ltx2), last_image=picture(ltx2, seed=1)[0]))
    run.advance(2)
    assert run._look.predicted.shape[1] > 3
    np.testing.assert_array_equal(run.preview().frames, run.finish().frames)


@pytest.mark.parametrize("guidance", [3.0, 1.0])
def test_a_step_evaluates_the_network_as_often_as_the_card_says(ltx2, begin, watch, guidance):
    """Spatio-temporal and modality guidance come on top; without guidance the sound has none either."""
    calls = watch(ltx2._pipeline.transformer)
    begin(ltx2, ltx2.encode("a fox", guidance_scale=guidance)).advance(1)
    guided, plain = ltx2.card.evaluations
    assert sum(len(call["hidden_states"]) for call in calls) == (guided if guidance > 1 else plain)
