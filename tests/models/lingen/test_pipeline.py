from typing import ClassVar

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchLCMScheduler,
    UniPCMultistepScheduler,
)
from diffusers.callbacks import PipelineCallback
from PIL import Image

from models.lingen import LinGenPipeline
from tests.tiny import tiny_lingen

SMALL = {"height": 32, "width": 32, "num_frames": 9, "num_inference_steps": 3, "output_type": "latent"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("lingen")
    tiny_lingen(path, upscaled=False)
    return path


@pytest.fixture(scope="module")
def pipe(folder):
    pipeline = LinGenPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def noise(seed):
    return torch.Generator().manual_seed(seed)


def picture(value=200):
    return Image.fromarray(np.full((40, 40, 3), value, np.uint8))


def test_the_folder_loads_by_either_class_and_gives_the_same_video(folder, pipe):
    general = DiffusionPipeline.from_pretrained(folder)
    general.set_progress_bar_config(disable=True)
    assert type(general) is LinGenPipeline
    same = general("a cat", **SMALL, generator=noise(0)).frames
    torch.testing.assert_close(same, pipe("a cat", **SMALL, generator=noise(0)).frames, rtol=0, atol=0)


@pytest.mark.parametrize("num_frames", [1, 5, 9, 17])
def test_any_length_of_4n_plus_1(pipe, num_frames):
    frames = pipe(
        "a cat", **{**SMALL, "num_frames": num_frames, "output_type": "np"}, generator=noise(0)
    ).frames
    assert frames.shape == (1, num_frames, 32, 32, 3)
    assert 0 <= frames.min() <= frames.max() <= 1


def test_pictures_tensors_and_tuples(pipe):
    call = {**SMALL, "height": 32, "width": 64}
    videos = pipe("a cat", **{**call, "output_type": "pil"}).frames
    assert (len(videos), len(videos[0]), videos[0][0].size) == (1, 9, (64, 32))
    (tensor,) = pipe("a cat", **{**call, "output_type": "pt"}, return_dict=False)
    assert tensor.shape == (1, 9, 3, 32, 64)


def test_a_batched_candidate_is_that_of_its_seed_alone(pipe):
    batch = pipe("a cat", **SMALL, num_videos_per_prompt=3, generator=[noise(5), noise(6), noise(7)]).frames
    alone = pipe("a cat", **SMALL, generator=noise(6)).frames
    torch.testing.assert_close(batch[1:2], alone, atol=1e-4, rtol=1e-4)


def test_two_prompts_are_two_videos(pipe):
    both = pipe(["a cat", "a dog"], **SMALL, generator=[noise(1), noise(2)]).frames
    torch.testing.assert_close(
        both[1:], pipe("a dog", **SMALL, generator=noise(2)).frames, atol=1e-4, rtol=1e-4
    )


def test_an_image_is_held_exactly_and_steers_the_rest(pipe):
    guided = pipe("a cat", image=picture(), **SMALL, generator=noise(0)).frames
    pixels = pipe.video_processor.preprocess(picture(), 32, 32)[:, :, None]
    assert torch.equal(guided[:, :, :1], pipe.encode_video(pixels))
    free = pipe("a cat", **SMALL, generator=noise(0)).frames
    assert not torch.allclose(guided[:, :, 1:], free[:, :, 1:])


@pytest.mark.parametrize("mode", ["RGBA", "L", "LA", "P", "1"])
def test_an_image_of_any_mode_is_taken_as_the_same_in_rgb(pipe, mode):
    image = picture().convert(mode)
    call = {**SMALL, "num_inference_steps": 1}
    given = pipe("a cat", image=image, last_image=image, **call, generator=noise(0)).frames
    plain = image.convert("RGB")
    same = pipe("a cat", image=plain, last_image=plain, **call, generator=noise(0)).frames
    torch.testing.assert_close(given, same, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["array", "tensor", "frames"])
def test_an_image_of_8_bits_is_taken_as_the_same_in_pil(pipe, kind):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    given = {
        "array": {"image": pixels},
        "tensor": {"image": torch.from_numpy(pixels).permute(2, 0, 1)},
        "frames": {"video": pixels[None]},
    }[kind]
    call = {**SMALL, "num_inference_steps": 1}
    made = pipe("a cat", **given, **call, generator=noise(0)).frames
    same = pipe("a cat", image=Image.fromarray(pixels), **call, generator=noise(0)).frames
    torch.testing.assert_close(made, same)


def test_a_video_gives_its_first_4n_plus_1_frames(pipe):
    video = [picture(value) for value in (10, 60, 110, 160, 210, 255, 0)]
    continued = pipe("a cat", video=video, **SMALL, generator=noise(0)).frames
    pixels = pipe.video_processor.preprocess_video(video[:5], 32, 32)
    assert torch.equal(continued[:, :, :2], pipe.encode_video(pixels))


def test_a_last_image_is_the_end(pipe):
    ended = pipe("a cat", image=picture(0), last_image=picture(255), **SMALL, generator=noise(0)).frames
    pixels = pipe.video_processor.preprocess(picture(255), 32, 32)[:, :, None].repeat(1, 1, 9, 1, 1)
    assert torch.equal(ended[:, :, 2:], pipe.encode_video(pixels)[:, :, 2:])


def test_each_prompt_can_have_its_own_image(pipe):
    images = [picture(0), picture(255)]
    both = pipe(["a", "b"], image=images, **SMALL, generator=[noise(1), noise(2)]).frames
    alone = pipe("b", image=images[1], **SMALL, generator=noise(2)).frames
    torch.testing.assert_close(both[1:], alone, atol=1e-4, rtol=1e-4)


def test_given_noise_stands_for_a_generator(pipe):
    latents = torch.randn(1, 8, 3, 2, 2, generator=noise(3))
    given = pipe("a cat", **SMALL, latents=latents).frames
    torch.testing.assert_close(given, pipe("a cat", **SMALL, generator=noise(3)).frames, rtol=0, atol=0)


def test_embeddings_stand_for_text(pipe):
    states, mask = pipe.encode_prompt("a cat")
    given = pipe(prompt_embeds=states, prompt_attention_mask=mask, **SMALL, generator=noise(0)).frames
    torch.testing.assert_close(given, pipe("a cat", **SMALL, generator=noise(0)).frames, rtol=0, atol=0)


def test_embeddings_of_one_prompt_make_several_videos(pipe):
    states, mask = pipe.encode_prompt("a cat")
    given = pipe(
        prompt_embeds=states, prompt_attention_mask=mask, num_videos_per_prompt=2, **SMALL, generator=noise(0)
    ).frames
    same = pipe("a cat", num_videos_per_prompt=2, **SMALL, generator=noise(0)).frames
    torch.testing.assert_close(given, same, rtol=0, atol=0)


def test_embeddings_without_padding_are_guided_from_an_empty_prompt_that_has_some(pipe):
    states, mask = pipe.encode_prompt("a cat")
    call = {**SMALL, "guidance_scale": 2.0}
    padded = pipe(prompt_embeds=states, prompt_attention_mask=mask, **call, generator=noise(0)).frames
    short = int(mask.sum())
    same = pipe(prompt_embeds=states[:, :short], **call, generator=noise(0)).frames
    torch.testing.assert_close(same, padded)


def test_embeddings_in_32_bits_serve_a_network_in_16(folder, pipe):
    half = LinGenPipeline.from_pretrained(folder, torch_dtype=torch.bfloat16)
    half.set_progress_bar_config(disable=True)
    states, mask = pipe.encode_prompt("a cat")
    given = half(prompt_embeds=states.float(), prompt_attention_mask=mask, **SMALL, generator=noise(0)).frames
    rounded = half(
        prompt_embeds=states.bfloat16(), prompt_attention_mask=mask, **SMALL, generator=noise(0)
    ).frames
    torch.testing.assert_close(given, rounded, rtol=0, atol=0)


def test_what_a_long_prompt_loses_is_told(pipe, caplog):
    words = " ".join(["cat"] * 40)
    with caplog.at_level("WARNING"):
        pipe.encode_prompt(words, max_sequence_length=12)
    assert "Only 12 tokens are read" in caplog.text
    caplog.clear()
    pipe.encode_prompt("a cat")
    assert not caplog.records


def test_guidance_and_the_negative_prompt_change_the_video(pipe):
    frames = [
        pipe("a cat", **SMALL, generator=noise(0), **more).frames
        for more in ({}, {"guidance_scale": 4.0}, {"guidance_scale": 4.0, "negative_prompt": "a dog"})
    ]
    assert not torch.allclose(frames[0], frames[1])
    assert not torch.allclose(frames[1], frames[2])


def test_an_interrupt_skips_the_remaining_steps(pipe):
    seen = []

    def stop(pipeline, step, timestep, tensors):
        seen.append(step)
        pipeline._interrupt = True
        return tensors

    frames = pipe("a cat", **SMALL, generator=noise(0), callback_on_step_end=stop).frames
    assert seen == [0]
    assert frames.shape == (1, 8, 3, 2, 2)


def test_a_callback_can_replace_the_latents(pipe):
    def clear(pipeline, step, timestep, tensors):
        return {"latents": torch.zeros_like(tensors["latents"])}

    assert not pipe("a cat", **SMALL, callback_on_step_end=clear).frames.any()


def test_diffusers_own_callbacks_say_what_they_want(pipe):
    class Note(PipelineCallback):
        seen: ClassVar = []

        @property
        def tensor_inputs(self):
            return ["latents", "prompt_embeds"]

        def callback_fn(self, pipeline, step_index, timesteps, callback_kwargs):
            self.seen.append(sorted(callback_kwargs))
            return callback_kwargs

    pipe("a cat", **SMALL, callback_on_step_end=Note(cutoff_step_ratio=1.0))
    assert Note.seen == [["latents", "prompt_embeds"]] * 3


def test_another_scheduler_that_takes_sigmas_serves(folder, pipe):
    other = LinGenPipeline(**{**pipe.components, "scheduler": UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True)})  # fmt: skip
    other.set_progress_bar_config(disable=True)
    assert other("a cat", **SMALL, generator=noise(0)).frames.isfinite().all()
    other.scheduler = DDIMScheduler()
    with pytest.raises(ValueError, match="takes no sigmas"):
        other("a cat", **SMALL)


@pytest.mark.parametrize(
    "scheduler",
    [
        FlowMatchEulerDiscreteScheduler(stochastic_sampling=True),
        FlowMatchLCMScheduler(),
        UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True),
    ],
    ids=["stochastic Euler", "LCM", "UniPC"],
)
def test_whatever_the_scheduler_given_frames_stay_and_the_seed_decides_the_rest(pipe, scheduler):
    other = LinGenPipeline(**{**pipe.components, "scheduler": scheduler})
    other.set_progress_bar_config(disable=True)
    made = [other("a cat", image=picture(), **SMALL, generator=noise(0)).frames for _ in range(2)]
    assert torch.equal(*made)
    pixels = other.video_processor.preprocess(picture(), 32, 32)[:, :, None]
    assert torch.equal(made[0][:, :, :1], other.encode_video(pixels))


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_every_step_has_its_share_of_the_way(pipe, steps):
    levels = []

    def note(pipeline, step, timestep, tensors):
        levels.append(float(timestep))
        return tensors

    pipe("a cat", **{**SMALL, "num_inference_steps": steps}, callback_on_step_end=note)
    assert levels[0] == pytest.approx(1000)
    assert levels[-1] >= 1000 / steps - 1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": 40}, "multiples of 32"),
        ({"width": 0}, "multiples of 32"),
        ({"num_frames": 8}, "4n\\+1"),
        ({"num_frames": 0}, "4n\\+1"),
        ({"num_inference_steps": 0}, "at least 1"),
        ({"output_type": "gif"}, "output_type"),
        ({"prompt": None}, "either `prompt` or"),
        ({"prompt": 3}, "string"),
        ({"image": picture(), "video": [picture()]}, "not several"),
        ({"image": picture(), "video_latents": torch.zeros(1, 8, 1, 2, 2)}, "not several"),
        ({"prompt": []}, "either `prompt` or"),
        ({"video_latents": torch.zeros(1, 8, 1, 4, 4)}, "2x2 for 32x32 pixels"),
        ({"video_latents": torch.zeros(1, 1, 1, 2, 2)}, "8 channels"),
        ({"video": [picture()] * 9}, "nothing left to make"),
        ({"image": picture(), "last_image": picture(), "num_frames": 1}, "last latent frame"),
        ({"generator": [noise(0), noise(1)]}, "2 generators"),
        ({"latents": torch.zeros(1, 8, 3, 4, 4)}, "must have the shape"),
        ({"callback_on_step_end_tensor_inputs": ["noise"]}, "callback can ask"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(pipe, change, message):
    with pytest.raises(ValueError, match=message):
        pipe(**{"prompt": "a cat", **SMALL, **change})
