"""What every model of the catalog keeps: the contract of `models.video_model`."""

import threading

import numpy as np
import pytest

from models.errors import InputError

STEPS = 4


@pytest.fixture(autouse=True)
def no_thread_is_left_behind():
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("run-")]


@pytest.fixture
def conditioning(model):
    return model.encode("a fox runs through snow")


@pytest.fixture
def begin(model, conditioning):
    """`begin(seed)`; every run is closed at the end of the test."""
    runs = []

    def start(seed=0, steps=STEPS, conditioning=conditioning):
        runs.append(model.begin(conditioning, seed, steps))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


def test_a_clip_has_the_size_length_and_rate_that_were_asked_for(model, begin):
    clip = begin().finish()
    assert clip.frames.shape == (model.card.num_frames, model.card.height, model.card.width, 3)
    assert clip.fps == model.card.fps


def test_a_suspended_run_gives_the_undisturbed_clip(begin):
    undisturbed = begin(seed=7).finish()
    run, other = begin(seed=7), begin(seed=8)
    for step in range(1, STEPS + 1):
        run.advance(step)
        other.advance(step)
        other.preview()
        run.preview()
    np.testing.assert_array_equal(run.finish().frames, undisturbed.frames)


def test_the_seed_determines_the_clip(begin):
    first, again, other = (begin(seed).finish().frames for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_run_of_fewer_steps_is_a_complete_clip(model, begin):
    rough = begin(steps=2)
    clip = rough.finish()
    assert rough.step == rough.num_inference_steps == 2
    assert len(clip) == model.card.num_frames


def test_the_preview_at_the_last_step_is_the_finished_clip(begin):
    run = begin()
    run.advance(STEPS)
    np.testing.assert_array_equal(run.preview().frames, run.finish().frames)


def test_a_preview_looks_like_a_clip_after_the_first_step(model, begin):
    run = begin()
    run.advance(1)
    assert run.preview().frames.shape == (model.card.num_frames, model.card.height, model.card.width, 3)


def test_a_preview_changes_nothing(begin):
    run = begin()
    run.advance(2)
    np.testing.assert_array_equal(run.preview().frames, run.preview().frames)
    assert run.step == 2


def test_a_preview_needs_a_step(begin):
    with pytest.raises(ValueError, match="no step done"):
        begin().preview()


def test_after_cancelling_in_the_middle_the_next_run_is_clean(begin):
    expected = begin(seed=3).finish()
    cancelled = begin(seed=4)
    cancelled.advance(2)
    cancelled.close()
    np.testing.assert_array_equal(begin(seed=3).finish().frames, expected.frames)


def test_text_steers_the_clip(model, begin):
    fox = begin().finish()
    boat = begin(conditioning=model.encode("a boat at sea")).finish()
    assert (fox.frames != boat.frames).any()


def test_guidance_and_negative_prompt_steer_the_clip(model, begin):
    clips = [
        begin(conditioning=model.encode("a fox", **steering)).finish().frames
        for steering in ({}, {"guidance_scale": 1}, {"negative_prompt": "snow"})
    ]
    assert (clips[0] != clips[1]).any()
    assert (clips[0] != clips[2]).any()


def test_the_guide_is_the_same_for_all_candidates_and_steers_the_clip(model, begin, guide):
    guided = model.encode("a fox", guide=guide)
    assert guided.num_guide_frames == 1
    np.testing.assert_array_equal(guided.guide_frame, guide[0])
    clip = begin(conditioning=guided).finish()
    free = begin(conditioning=model.encode("a fox")).finish()
    assert (clip.frames != free.frames).any()


def test_a_guide_of_another_size_is_cut_to_the_run(model):
    picture = np.zeros((1, 333, 77, 3), np.uint8)
    assert model.encode("a fox", guide=picture).guide.shape[1:3] == (model.card.height, model.card.width)


def test_a_guide_alone_is_enough(model, begin, guide):
    assert len(begin(conditioning=model.encode("", guide=guide)).finish()) == model.card.num_frames


def test_a_chunk_continues_from_the_prefix_of_the_card(model, begin):
    first = begin().finish()
    prefix = first.tail(model.card.prefix_frames)
    following = model.encode("a fox", guide=prefix)
    assert following.num_guide_frames == model.card.prefix_frames
    assert len(begin(conditioning=following).finish()) == model.card.num_frames


@pytest.mark.parametrize(
    "asked",
    [
        {"prompt": "   "},
        {"prompt": "x" * 10_000},
        {"guidance_scale": 0},
        {"guidance_scale": float("nan")},
        {"num_frames": 3},
        {"num_frames": 100_001},
        {"height": 33},
        {"width": -32},
        {"width": 100_000},
        {"guide": np.zeros((2, 32, 32, 3), np.uint8)},
        {"guide": np.zeros((32, 32), np.uint8)},
    ],
)
def test_what_is_outside_the_limits_is_refused_in_words(model, asked):
    with pytest.raises(InputError):
        model.encode(**{"prompt": "a fox", **asked})


@pytest.mark.parametrize("steps", [0, -1, 100_000])
def test_steps_outside_the_limits_are_refused(model, conditioning, steps):
    with pytest.raises(InputError, match="steps"):
        model.begin(conditioning, 0, steps)
