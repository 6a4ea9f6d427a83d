"""What is peculiar to SANA-Video, on a tiny random pipeline of its class."""

import numpy as np
import pytest
from diffusers import FlowMatchEulerDiscreteScheduler, SanaImageToVideoPipeline
from PIL import Image


@pytest.fixture(scope="module")
def sana(load):
    return load("sana-video")


def call_arguments(card):
    return {
        "prompt": "a fox motion score: 30.",
        "negative_prompt": "snow",
        "height": card.height,
        "width": card.width,
        "frames": card.num_frames,
        "guidance_scale": card.guidance_scale,
        "use_resolution_binning": False,
    }


def test_a_finished_run_from_text_is_the_plain_call(sana, begin, plain_call):
    """With the authors' instruction before the prompt."""
    expected = plain_call(sana._pipeline, **call_arguments(sana.card))
    run = begin(sana, sana.encode("a fox", negative_prompt="snow"))
    np.testing.assert_array_equal(run.finish().frames, expected)


def test_a_finished_run_from_an_image_is_the_plain_call(sana, begin, picture, plain_call):
    guide = picture(sana)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=8.0)
    pipeline = SanaImageToVideoPipeline(**{**sana._pipeline.components, "scheduler": scheduler})
    expected = plain_call(pipeline, **call_arguments(sana.card), image=Image.fromarray(guide[0]))
    run = begin(sana, sana.encode("a fox", negative_prompt="snow", guide=guide))
    np.testing.assert_array_equal(run.finish().frames, expected)


def test_a_motion_score_that_is_asked_for_is_kept(sana, begin):
    calm, usual = (sana.encode(words) for words in ("a fox motion score: 5.", "a fox"))
    assert not calm.encoded["prompt_embeds"].equal(usual.encoded["prompt_embeds"])
    named = sana.encode("a fox motion score: 30.")
    assert named.encoded["prompt_embeds"].equal(usual.encoded["prompt_embeds"])


def test_an_image_needs_another_scheduler_than_text(sana, begin, picture):
    """The multistep scheduler of the checkpoint knows `flow_shift`; Euler steps call it `shift`."""
    from_text, from_image = (
        begin(sana, sana.encode("a fox")),
        begin(sana, sana.encode("", guide=picture(sana))),
    )
    assert from_text._clone.scheduler.config.flow_shift == 8
    assert from_image._clone.scheduler.config.shift == 8
    assert type(sana._pipeline.scheduler).__name__ == "DPMSolverMultistepScheduler"


def test_the_image_does_not_move(sana, begin, picture):
    run = begin(sana, sana.encode("", guide=picture(sana)))
    run.advance(1)
    first = run._look.latents[:, :, :1].clone()
    run.advance(2)
    assert (run._look.latents[:, :, :1] == first).all()
    assert run._look.predicted.shape[2] == run._look.latents.shape[2] - 1


def test_the_size_is_not_swapped_for_one_of_a_table(sana, begin):
    clip = begin(sana, sana.encode("a fox", height=32, width=64)).finish()
    assert clip.frames.shape[1:3] == (32, 64)


def test_the_same_words_are_encoded_once(sana, watch):
    """Though the authors' instruction before them is a list of lines."""
    calls = watch(sana._pipeline.text_encoder)
    for _ in range(2):
        sana.encode("a fox on a hill", negative_prompt="snow on a hill")
    assert len(calls) == 2
