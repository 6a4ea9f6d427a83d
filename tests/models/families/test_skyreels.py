"""What is peculiar to SkyReels-V2 Diffusion Forcing, on a tiny random pipeline of its class."""

import diffusers
import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def skyreels(load):
    return load("skyreels-v2-1.3b")


def kind(model, name):
    pipeline = getattr(diffusers, f"SkyReelsV2DiffusionForcing{name}Pipeline")
    return pipeline(**model._pipeline.components)


def call_arguments(card, **others):
    return {
        "prompt": "a fox",
        "negative_prompt": "",
        "height": card.height,
        "width": card.width,
        "num_frames": card.num_frames,
        "base_num_frames": card.num_frames,
        "guidance_scale": card.guidance_scale,
        **others,
    }


def images(frames):
    return [Image.fromarray(frame) for frame in frames]


def test_a_finished_run_from_text_is_the_plain_call(skyreels, begin, plain_call):
    expected = plain_call(kind(skyreels, ""), **call_arguments(skyreels.card))
    np.testing.assert_array_equal(begin(skyreels, skyreels.encode("a fox")).finish().frames, expected)


def test_a_finished_run_from_an_image_is_the_plain_call(skyreels, begin, picture, plain_call):
    """With the authors' shift from an image."""
    guide, pipeline = picture(skyreels), kind(skyreels, "ImageToVideo")
    pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config, flow_shift=5.0)
    expected = plain_call(pipeline, **call_arguments(skyreels.card), image=images(guide)[0])
    run = begin(skyreels, skyreels.encode("a fox", guide=guide))
    np.testing.assert_array_equal(run.finish().frames, expected)


def test_a_chunk_that_continues_a_video_comes_without_the_copy_of_it(skyreels, begin, picture, plain_call):
    prefix = picture(skyreels, 5)
    continued = plain_call(
        kind(skyreels, "VideoToVideo"),
        **call_arguments(skyreels.card, video=images(prefix), overlap_history=5),
    )
    assert len(continued) == 5 + skyreels.card.num_frames
    run = begin(skyreels, skyreels.encode("a fox", guide=prefix))
    np.testing.assert_array_equal(run.finish().frames, continued[5:])


@pytest.mark.parametrize("length", [1, 5])
def test_a_preview_of_a_continued_chunk_keeps_what_is_known(skyreels, begin, picture, length):
    """The scheduler of a latent frame that is known is never asked."""
    run = begin(skyreels, skyreels.encode("a fox", guide=picture(skyreels, length)))
    run.advance(2)
    known = [part.predicted is None for part in run._look.parts]
    assert known == [True] * (1 + length // 4) + [False] * (len(known) - 1 - length // 4)
    np.testing.assert_array_equal(run.preview().frames, run.finish().frames)


def test_noise_on_the_condition_would_make_a_seed_worthless(skyreels, picture, plain_call):
    """It comes from torch's global generator; so it stays off."""
    asked = call_arguments(skyreels.card, image=images(picture(skyreels))[0], addnoise_condition=50)
    first, again = (plain_call(kind(skyreels, "ImageToVideo"), **asked) for _ in range(2))
    assert (first != again).any()


def test_the_pipelines_of_its_kinds_share_modules_and_offloading(skyreels, picture, monkeypatch):
    shared = skyreels._pipeline
    guided = skyreels.encode("a fox", guide=picture(skyreels))
    monkeypatch.setattr(shared, "_all_hooks", ["a hook"], raising=False)
    own = skyreels._family.variant(shared, guided)
    assert own is not shared
    assert own._all_hooks == ["a hook"]
    assert own.transformer is shared.transformer
