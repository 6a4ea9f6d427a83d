"""What is peculiar to Stable Video Diffusion, on a tiny random pipeline of its class."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from models.errors import InputError


@pytest.fixture(scope="module")
def svd(load):
    return load("svd-xt")


def test_a_finished_run_is_the_plain_call(svd, begin, picture, plain_call):
    guide = picture(svd)
    expected = plain_call(
        svd._pipeline,
        image=Image.fromarray(guide[0]),
        height=svd.card.height,
        width=svd.card.width,
        num_frames=svd.card.num_frames,
        max_guidance_scale=svd.card.guidance_scale,
        decode_chunk_size=8,
    )
    np.testing.assert_array_equal(begin(svd, svd.encode("", guide=guide)).finish().frames, expected)


def test_guidance_rises_over_the_frames_from_one_to_the_chosen_scale(svd, begin, picture):
    run = begin(svd, svd.encode("", guide=picture(svd), guidance_scale=5, num_frames=4))
    run.advance(1)
    torch.testing.assert_close(run._clone.guidance_scale.flatten(), torch.linspace(1, 5, 4))


def test_the_network_is_told_one_frame_a_second_less_and_the_authors_motion(svd, begin, picture, watch):
    calls = watch(svd._pipeline.unet)
    begin(svd, svd.encode("", guide=picture(svd))).advance(1)
    torch.testing.assert_close(calls[0]["added_time_ids"][-1], torch.tensor([svd.card.fps - 1, 127, 0.02]))


def test_words_do_not_steer_it(svd, begin, picture):
    clips = [begin(svd, svd.encode(words, guide=picture(svd))).finish() for words in ("", "a boat at sea")]
    np.testing.assert_array_equal(clips[0].frames, clips[1].frames)


def test_any_length_from_two_frames_on_is_made(svd, begin, picture):
    for length in (2, 3, 5):
        assert len(begin(svd, svd.encode("", guide=picture(svd), num_frames=length)).finish()) == length
    with pytest.raises(InputError, match="at least 2"):
        svd.encode("", guide=picture(svd), num_frames=1)


def test_a_preview_is_decoded_in_the_same_portions_as_the_clip(svd, begin, picture):
    """The decoder looks at neighbouring frames, so other portions would give other colours."""
    conditioning = svd.encode("", guide=picture(svd), num_frames=5)
    portioned = dataclasses.replace(conditioning, options={**conditioning.options, "decode_chunk_size": 2})
    run = begin(svd, portioned)
    run.advance(2)
    clip = run.preview()
    np.testing.assert_array_equal(clip.frames, run.finish().frames)
    assert (clip.frames != begin(svd, conditioning).finish().frames).any()


def test_the_guide_gets_other_noise_with_every_seed(svd, begin, picture, watch):
    """So the image's latents belong to a seed and cannot be encoded once for all candidates."""
    conditioning = svd.encode("", guide=picture(svd))
    calls = watch(svd._pipeline.unet)
    for seed in (0, 1):
        begin(svd, conditioning, seed).advance(1)
    first, second = (call["args"][0][-1, :, 4:] for call in calls)
    assert (first != second).any()
