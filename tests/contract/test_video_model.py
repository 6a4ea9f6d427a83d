"""What every model of the catalog keeps: the contract of `models.video_model`."""

import threading

import numpy as np
import pytest
import torch
from diffusers import FirstBlockCacheConfig

from models.errors import CancelledError, InputError
from tests.contract.cases import caches, models


@pytest.fixture(autouse=True)
def no_thread_is_left_behind():
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("run-")]


def network(model):
    """The denoising network that makes the first step."""
    pipeline = model._pipeline
    return getattr(pipeline, "transformer", None) or pipeline.unet


def differ(first, second):
    return (first.frames != second.frames).any()


def test_a_clip_has_the_size_length_and_rate_that_were_asked_for(model, begin):
    clip = begin().finish()
    assert clip.frames.shape == (model.card.num_frames, model.card.height, model.card.width, 3)
    assert clip.fps == model.card.fps


@models(lambda card: card.min_frames != card.max_frames)
def test_a_chunk_of_another_length_has_that_length(model, begin, encode):
    length = model.card.num_frames + model.card.frame_stride
    assert len(begin(steps=2, conditioning=encode(num_frames=length)).finish()) == length


def test_a_suspended_run_gives_the_undisturbed_clip(begin):
    undisturbed = begin(seed=7).finish()
    run, other = begin(seed=7), begin(seed=8)
    for step in range(1, run.num_inference_steps + 1):
        run.advance(step)
        assert run.step == step
        other.advance(step)
        other.preview()
        run.preview()
    np.testing.assert_array_equal(run.finish().frames, undisturbed.frames)


def test_candidates_that_go_on_together_are_those_that_go_on_alone(model, begin, monkeypatch):
    """Compared before they are decoded: a random decoder blows a rounding error up at some pixel."""
    batches, forward = [], network(model).forward

    def counted(*arguments, **named):
        latents = next(each for each in (*arguments, *named.values()) if getattr(each, "ndim", 0) >= 3)
        batches.append(len(latents))
        return forward(*arguments, **named)

    monkeypatch.setattr(network(model), "forward", counted)
    single, steps = begin(6, steps=2), 2
    single.advance(steps)
    alone, batches[:] = list(batches), []
    runs = [begin(seed, steps=2) for seed in (5, 6, 7)]
    for step in range(1, steps + 1):
        model.advance(runs, step)
        assert [run.step for run in runs] == [step] * 3
    assert batches == [3 * size for size in alone]
    torch.testing.assert_close(runs[1]._look.latents, single._look.latents, rtol=1e-3, atol=1e-3)


def test_the_seed_determines_the_clip(begin):
    first, again, other = (begin(seed).finish() for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.frames, again.frames)
    assert differ(first, other)


def test_a_run_of_fewer_steps_is_a_complete_clip(model, begin):
    rough = begin(steps=2)
    clip = rough.finish()
    assert rough.step == rough.num_inference_steps == 2
    assert len(clip) == model.card.num_frames


def test_the_preview_at_the_last_step_is_the_finished_clip(begin):
    run = begin()
    run.advance(run.num_inference_steps)
    np.testing.assert_array_equal(run.preview().frames, run.finish().frames)


def test_a_preview_is_a_clip_after_the_first_step_and_changes_nothing(model, begin):
    run = begin()
    run.advance(1)
    preview = run.preview()
    assert preview.frames.shape == (model.card.num_frames, model.card.height, model.card.width, 3)
    np.testing.assert_array_equal(run.preview().frames, preview.frames)
    assert run.step == 1


def test_a_glimpse_needs_no_decoder_once_anything_was_decoded_and_changes_nothing(model, begin, monkeypatch):
    undisturbed = begin(seed=7).finish()
    run = begin(seed=7)
    run.advance(1)
    with monkeypatch.context() as patched:
        patched.setattr(model._pipeline.vae, "decode", None)
        glimpse = run.glimpse()
    preview = run.preview()
    assert len(glimpse) == len(preview)
    assert glimpse.frames.shape[1:] <= preview.frames.shape[1:]
    assert glimpse.frames.std() > 0
    np.testing.assert_array_equal(run.finish().frames, undisturbed.frames)


def test_a_preview_needs_a_step(begin):
    with pytest.raises(ValueError, match="no step done"):
        begin().preview()


def test_after_cancelling_in_the_middle_the_next_run_is_clean(begin):
    expected = begin(seed=3).finish()
    cancelled = begin(seed=4)
    cancelled.advance(2)
    cancelled.close()
    np.testing.assert_array_equal(begin(seed=3).finish().frames, expected.frames)


@models(caches)
def test_after_cancelling_the_next_run_is_clean_even_with_a_cache(model, begin):
    """A cache keeps the residuals of the step before; those of a run that was broken off must be gone."""
    network(model).enable_cache(FirstBlockCacheConfig(threshold=0.5))
    try:
        expected = begin(seed=3).finish()
        cancelled = begin(seed=4)
        cancelled.advance(2)
        cancelled.close()
        following = begin(seed=3).finish()
    finally:
        network(model).disable_cache()
    np.testing.assert_array_equal(following.frames, expected.frames)


@models(caches)
def test_with_a_cache_candidates_go_on_by_themselves(model, begin):
    network(model).enable_cache(FirstBlockCacheConfig(threshold=0.0))
    try:
        expected = begin(seed=3).finish()
        runs = [begin(seed) for seed in (3, 4)]
        for step in range(1, runs[0].num_inference_steps + 1):
            model.advance(runs, step)
        np.testing.assert_array_equal(runs[0].finish().frames, expected.frames)
    finally:
        network(model).disable_cache()


def test_cancelling_ends_a_run_within_the_step_it_is_in(model, begin, monkeypatch):
    entered, released = threading.Event(), threading.Event()
    forward = network(model).forward

    def slow_forward(*arguments, **named):
        entered.set()
        released.wait()
        return forward(*arguments, **named)

    run = begin()
    closer = threading.Thread(target=lambda: (entered.wait(), run.close()), daemon=True)
    with monkeypatch.context() as patched:
        patched.setattr(network(model), "forward", slow_forward)
        closer.start()
        with pytest.raises(CancelledError):
            run.finish()
        released.set()
        closer.join()
    assert run.step <= 1


@models(lambda card: card.reads_prompt)
def test_text_steers_the_clip(begin, encode):
    fox, boat = (
        begin(conditioning=encode(prompt)).finish() for prompt in ("a fox runs through snow", "a boat at sea")
    )
    assert differ(fox, boat)


@models(lambda card: card.takes_guidance)
def test_guidance_steers_the_clip(model, begin, encode):
    scale = max(model.card.guidance_scale, 2)
    guided = begin(conditioning=encode(guidance_scale=scale)).finish()
    assert differ(guided, begin(conditioning=encode(guidance_scale=1)).finish())


@models(lambda card: not card.takes_guidance)
def test_guidance_that_the_model_was_not_made_for_is_refused(model, encode):
    with pytest.raises(InputError, match="guidance"):
        encode(guidance_scale=model.card.guidance_scale + 1)


@models(lambda card: card.takes_negative)
def test_a_negative_prompt_steers_the_clip(model, begin, encode):
    scale = max(model.card.guidance_scale, 2)
    without = begin(conditioning=encode(guidance_scale=scale)).finish()
    steered = encode(guidance_scale=scale, negative_prompt="blurred snow, grey sky, low quality")
    assert differ(without, begin(conditioning=steered).finish())


@models(lambda card: card.takes_negative)
def test_a_negative_prompt_without_guidance_is_refused(encode):
    with pytest.raises(InputError, match="Raise the guidance scale"):
        encode(guidance_scale=1, negative_prompt="snow")


@models(lambda card: not card.takes_negative)
def test_a_negative_prompt_that_nothing_reads_is_refused(encode):
    with pytest.raises(InputError, match="negative prompt"):
        encode(negative_prompt="snow")


@models(lambda card: card.takes_image)
def test_the_guide_is_the_same_for_all_candidates_and_steers_the_clip(begin, encode, picture):
    guided = encode(guide=picture())
    assert guided.num_guide_frames == 1
    np.testing.assert_array_equal(guided.guide_frame, picture()[0])
    other = encode(guide=picture(seed=1))
    assert differ(begin(conditioning=guided).finish(), begin(conditioning=other).finish())


@models(lambda card: card.takes_image and card.takes_text)
def test_a_clip_from_text_differs_from_one_that_is_guided(begin, encode, picture):
    assert differ(begin().finish(), begin(conditioning=encode(guide=picture())).finish())


@models(lambda card: card.takes_image)
def test_a_guide_of_another_size_is_cut_to_the_run(model, encode):
    guide = np.zeros((1, 333, 77, 3), np.uint8)
    assert encode(guide=guide).guide.shape[1:3] == (model.card.height, model.card.width)


@models(lambda card: card.takes_image and not card.needs_last_image)
def test_a_guide_alone_is_enough(model, begin, picture):
    alone = model.encode("", guide=picture())
    assert len(begin(steps=2, conditioning=alone).finish()) == model.card.num_frames


@models(lambda card: card.prefix_frames > 1)
def test_a_chunk_continues_from_the_prefix_of_the_card(model, begin, encode, picture):
    """All of the frames steer the clip, not only the last one."""
    prefix = picture(model.card.prefix_frames)
    following = encode(guide=prefix)
    assert following.num_guide_frames == len(prefix)
    clip = begin(conditioning=following).finish()
    assert len(clip) == model.card.num_frames
    turned = np.concatenate([255 - prefix[:-1], prefix[-1:]])
    assert differ(clip, begin(conditioning=encode(guide=turned)).finish())


@models(lambda card: card.looks_back > 0)
def test_frames_before_the_guide_steer_the_clip_and_are_not_repeated(model, begin, encode, picture):
    card = model.card
    seen = picture(card.prefix_frames + card.looks_back)
    following = encode(guide=seen)
    assert following.num_guide_frames == card.prefix_frames
    np.testing.assert_array_equal(np.concatenate([following.before, following.guide]), seen)
    clip = begin(conditioning=following).finish()
    assert len(clip) == card.num_frames
    turned = np.concatenate([255 - seen[: card.looks_back], seen[card.looks_back :]])
    assert differ(clip, begin(conditioning=encode(guide=turned)).finish())


@models(lambda card: card.takes_last_image)
def test_the_last_image_steers_the_clip(begin, encode, picture):
    clips = [
        begin(conditioning=encode(guide=picture(), last_image=last)).finish()
        for last in (picture(seed=1)[0], picture(seed=2)[0])
    ]
    assert differ(*clips)


@models(lambda card: card.takes_last_image)
def test_a_last_image_needs_a_first_one(model, picture):
    with pytest.raises(InputError, match="guide image"):
        model.encode("a fox", last_image=picture()[0])


@models(lambda card: card.needs_last_image)
def test_a_model_between_two_images_asks_for_both(model, picture):
    with pytest.raises(InputError, match="last image"):
        model.encode("a fox", guide=picture())


@models(lambda card: not card.takes_last_image)
def test_a_last_image_is_refused_by_a_model_that_takes_none(encode, picture):
    with pytest.raises(InputError):
        encode(last_image=picture()[0])


@models(lambda card: not card.takes_image)
def test_a_guide_is_refused_by_a_model_of_words_alone(model, picture):
    with pytest.raises(InputError, match="words alone"):
        model.encode("a fox", guide=picture())


@models(lambda card: not card.takes_text)
def test_a_model_that_animates_an_image_asks_for_one(model):
    with pytest.raises(InputError, match="guide image"):
        model.encode("a fox")


@pytest.mark.parametrize(
    "asked",
    [
        {"prompt": "   ", "guide": None},
        {"prompt": "x" * 10_000},
        {"guidance_scale": 0},
        {"guidance_scale": float("nan")},
        {"num_frames": -3},
        {"num_frames": 100_001},
        {"height": 33},
        {"width": -64},
        {"width": 100_000},
        {"guide": np.zeros((0, 32, 32, 3), np.uint8)},
        {"guide": np.zeros((32, 32), np.uint8)},
        {"guide": np.zeros((1, 32, 32, 3), np.float32)},
    ],
    ids=str,
)
def test_what_is_outside_the_limits_is_refused_in_words(encode, asked):
    with pytest.raises(InputError):
        encode(**asked)


@models(lambda card: card.frame_stride > 1)
def test_a_length_between_two_legal_ones_is_refused(model, encode):
    with pytest.raises(InputError, match="Try"):
        encode(num_frames=model.card.num_frames + 1)


@pytest.mark.parametrize("steps", [0, -1, 100_000])
def test_steps_outside_the_limits_are_refused(begin, steps):
    with pytest.raises(InputError, match="steps"):
        begin(steps=steps)
