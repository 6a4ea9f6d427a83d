"""What is peculiar to Wan, on tiny random pipelines of its classes."""

import numpy as np
import pytest
import torch
from diffusers import WanPipeline
from PIL import Image

from models.errors import InputError

SIZE = {"height": 32, "width": 32}


@pytest.mark.parametrize("name", ["wan2.1-t2v-1.3b", "wan2.2-t2v-a14b"])
def test_a_finished_run_from_text_is_the_plain_call(load, begin, plain_call, name):
    model = load(name)
    expected = plain_call(
        model._pipeline,
        prompt="a fox",
        negative_prompt="snow",
        num_frames=5,
        guidance_scale=model.card.guidance_scale,
        **model.card.options,
        **SIZE,
    )
    conditioning = model.encode("a fox", negative_prompt="snow")
    np.testing.assert_array_equal(begin(model, conditioning).finish().frames, expected)


@pytest.mark.parametrize(
    "name", ["wan2.1-i2v-14b-480p", "wan2.1-flf2v-14b", "wan2.2-i2v-a14b", "wan2.2-ti2v-5b"]
)
def test_a_finished_run_from_images_is_the_plain_call(load, begin, picture, plain_call, name):
    model = load(name)
    guide = picture(model)
    last = picture(model, seed=1)[0] if model.card.takes_last_image else None
    expected = plain_call(
        model._pipeline,
        image=Image.fromarray(guide[0]),
        last_image=None if last is None else Image.fromarray(last),
        prompt="a fox",
        num_frames=5,
        guidance_scale=model.card.guidance_scale,
        **model.card.options,
        **SIZE,
    )
    conditioning = model.encode("a fox", guide=guide, last_image=last)
    np.testing.assert_array_equal(begin(model, conditioning).finish().frames, expected)


def test_a_prompt_is_as_long_as_in_training(load):
    """`encode_prompt` by itself would stop at 226 tokens."""
    assert load("wan2.1-t2v-1.3b").encode("a fox").encoded["prompt_embeds"].shape[1] == 512


@pytest.mark.parametrize("name", ["wan2.1-t2v-1.3b", "wan2.1-i2v-14b-480p", "wan2.2-t2v-a14b"])
def test_the_flow_is_shifted_as_the_authors_do(load, name):
    model = load(name)
    assert model._pipeline.scheduler.config.flow_shift == model.card.shift


@pytest.mark.parametrize("name", ["wan2.1-vace-1.3b", "wan2.1-flf2v-14b"])
def test_a_flow_that_is_shifted_far_counts_from_its_first_step(load, begin, picture, name):
    """Of many steps the first two are both timestep 999, of which UniPC would look up the second."""
    model = load(name)
    guide, last = picture(model), picture(model, seed=1)[0]
    run = begin(model, model.encode("a fox", guide=guide, last_image=last), steps=64)
    run.advance(1)
    scheduler = run._clone.scheduler
    assert scheduler.timesteps[0] == scheduler.timesteps[1]
    assert scheduler.step_index == 1
    run.advance(64)
    assert run.step == 64


def test_lengths_that_the_pipeline_would_round_are_refused(load, plain_call):
    model = load("wan2.1-t2v-1.3b")
    assert len(plain_call(model._pipeline, prompt="a fox", num_frames=7, **SIZE)) == 5
    with pytest.raises(InputError, match=r"4n\+1 frames.* Try 5 or 9"):
        model.encode("a fox", num_frames=7)


def test_sizes_that_the_5b_pipeline_would_round_are_refused(load, plain_call):
    model = load("wan2.2-ti2v-5b")
    image = Image.new("RGB", (48, 32))
    made = plain_call(model._pipeline, image=image, prompt="a fox", num_frames=5, height=32, width=48)
    assert made.shape[2] == 32
    with pytest.raises(InputError, match="multiples of 32"):
        model.encode("a fox", width=48)


def test_of_two_experts_the_second_has_the_low_noise_and_its_own_guidance(load, begin, watch):
    model = load("wan2.2-t2v-a14b")
    calls = {name: watch(getattr(model._pipeline, name)) for name in ("transformer", "transformer_2")}
    begin(model, model.encode("a fox"), steps=4).finish()
    high, low = ([float(call["timestep"][0]) for call in calls[name]] for name in calls)
    assert len(high) + len(low) == 2 * 4
    assert min(high) >= 900 > max(low)
    assert model.encode("a fox").options["guidance_scale_2"] == 3.0


def test_one_5b_checkpoint_makes_clips_from_text_and_from_an_image(load, begin, picture, plain_call):
    model = load("wan2.2-ti2v-5b")
    pipeline = model._pipeline
    names = ("tokenizer", "text_encoder", "vae", "scheduler", "transformer")
    by_text = WanPipeline(**{name: getattr(pipeline, name) for name in names}, expand_timesteps=True)
    expected = plain_call(by_text, prompt="a fox", num_frames=5, guidance_scale=5, **SIZE)
    np.testing.assert_array_equal(begin(model, model.encode("a fox")).finish().frames, expected)
    guided = begin(model, model.encode("a fox", guide=picture(model))).finish()
    assert (guided.frames != expected).any()


def test_the_5b_model_holds_the_guide_at_time_zero_and_shows_it_in_every_preview(load, begin, picture, watch):
    model = load("wan2.2-ti2v-5b")
    calls = watch(model._pipeline.transformer)
    conditioning = model.encode("a fox", guide=picture(model))
    run = begin(model, conditioning)
    run.advance(1)
    times = calls[0]["timestep"][0]
    assert times[0] == 0 < times[-1]
    np.testing.assert_array_equal(run.preview().frames[0], run.finish().frames[0])


def test_vace_keeps_what_is_masked_black_and_sees_grey_where_nothing_is_known(load, picture):
    model = load("wan2.1-vace-1.3b")
    guide, last = picture(model, 5), picture(model, seed=1)[0]
    encoded = model.encode("a fox", guide=guide, last_image=last).encoded
    video, mask = (np.stack([np.asarray(frame) for frame in encoded[name]]) for name in ("video", "mask"))
    np.testing.assert_array_equal(video[:5], guide)
    np.testing.assert_array_equal(video[-1], last)
    assert (video[5:-1] == 128).all()
    assert [frame.max() for frame in mask] == [0] * 5 + [255] * 3 + [0]


def test_vace_starts_from_words_alone(load, begin, plain_call):
    model = load("wan2.1-vace-1.3b")
    expected = plain_call(model._pipeline, prompt="a fox", num_frames=9, guidance_scale=5, **SIZE)
    np.testing.assert_array_equal(begin(model, model.encode("a fox")).finish().frames, expected)


def test_vace_continues_from_the_legal_prefixes_only(load, picture):
    model = load("wan2.1-vace-1.3b")
    assert model.encode("a fox", guide=picture(model, 5)).num_guide_frames == 5
    with pytest.raises(InputError, match="1 or 5 frames, not 3"):
        model.encode("a fox", guide=picture(model, 3))


def test_an_image_model_says_the_guides_frame_is_known_and_the_others_are_not(load, begin, picture, watch):
    """The first four condition channels are a mask over frames, so a clip begins by repeating the guide."""
    model = load("wan2.1-i2v-14b-480p")
    calls = watch(model._pipeline.transformer)
    begin(model, model.encode("a fox", guide=picture(model))).advance(1)
    mask = calls[0]["hidden_states"][0, 16:20]
    assert torch.all(mask[:, 0] == 1)
    assert torch.all(mask[:, 1:] == 0)
