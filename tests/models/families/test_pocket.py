"""The embedded model's arguments, on a tiny random pipeline of its class."""

import numpy as np
import pytest
import torch
from accelerate import cpu_offload
from PIL import Image

from models.catalog import load_model
from tests.tiny import LINGEN_SIZE, tiny_lingen


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lingen")
    tiny_lingen(folder)
    return load_model("pocket", device="cpu", source=folder)


def encode(model, **asked):
    return model.encode("a fox", **{"height": LINGEN_SIZE, "width": LINGEN_SIZE, "num_frames": 9, **asked})


def guide_frames(num_frames):
    shape = (num_frames, LINGEN_SIZE, LINGEN_SIZE, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(("num_frames", "num_latent_frames"), [(1, 1), (5, 2)])
def test_the_chunk_begins_with_the_latents_of_its_guide(model, num_frames, num_latent_frames):
    guide = guide_frames(num_frames)
    pixels = torch.from_numpy(guide).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
    with torch.no_grad():
        expected = model._pipeline.encode_video(pixels)
    run = model.begin(encode(model, guide=guide), 0, 3)
    for step in (1, 2, 3):
        run.advance(step)
        for latents in (run._look.latents, run._look.predicted):
            torch.testing.assert_close(latents[:, :, :num_latent_frames], expected)
    run.close()


def test_frames_after_the_guide_differ_from_seed_to_seed(model):
    conditioning = encode(model, guide=guide_frames(5))
    runs = [model.begin(conditioning, seed, 2) for seed in (0, 1)]
    for run in runs:
        run.advance(2)
    assert (runs[0]._look.latents[:, :, 2] != runs[1]._look.latents[:, :, 2]).any()
    for run in runs:
        run.close()


def test_a_glimpse_is_not_drawn_larger(model, monkeypatch):
    model.begin(encode(model), 0, 2).finish()
    run = model.begin(encode(model), 1, 2)
    run.advance(1)
    monkeypatch.setattr(model._pipeline.upscaler, "forward", None)
    assert run.glimpse().frames.shape[1] < LINGEN_SIZE
    run.close()


def test_unknown_words_are_read_where_the_encoder_computes_while_its_weights_wait_elsewhere(tmp_path):
    tiny_lingen(tmp_path)
    model = load_model("pocket", device="cpu", source=tmp_path)
    words = model.reading("a poodle")
    waiting = load_model("pocket", device="cpu", source=tmp_path)
    for part in waiting._pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            cpu_offload(part, execution_device="cpu")
    assert waiting._pipeline.text_encoder.device.type == "meta"
    assert waiting.reading("a poodle") == words


def test_prompt_and_guide_are_encoded_once_for_all_candidates(model, monkeypatch):
    conditioning = encode(model, guide=guide_frames(5))

    def fail(*_, **__):
        raise AssertionError("something was encoded again")

    monkeypatch.setattr(model._pipeline.text_encoder, "forward", fail)
    monkeypatch.setattr(model._pipeline.vae, "encode", fail)
    for seed in range(3):
        run = model.begin(conditioning, seed, 2)
        run.finish()
        run.close()


def test_without_guidance_no_negative_prompt_is_encoded_and_each_step_asks_once(model):
    sizes = []
    hook = model._pipeline.transformer.register_forward_pre_hook(
        lambda _, inputs: sizes.append(len(inputs[0]))
    )
    for scale, size in ((1, 1), (4, 2)):
        conditioning = encode(model, guidance_scale=scale)
        assert ("negative_prompt_embeds" in conditioning.encoded) == (scale > 1)
        run = model.begin(conditioning, 0, 3)
        run.finish()
        run.close()
        assert sizes == [size] * 3
        sizes.clear()
    hook.remove()


@pytest.mark.parametrize("num_guide_frames", [0, 1, 5])
def test_a_finished_run_is_the_plain_call_of_the_pipeline(model, num_guide_frames):
    guide = guide_frames(num_guide_frames) if num_guide_frames else None
    run = model.begin(encode(model, guide=guide), 3, 4)
    model._pipeline.set_progress_bar_config(disable=True)
    video = model._pipeline(
        "a fox",
        video=None if guide is None else [Image.fromarray(frame) for frame in guide],
        height=LINGEN_SIZE,
        width=LINGEN_SIZE,
        num_frames=9,
        num_inference_steps=4,
        guidance_scale=model.card.guidance_scale,
        generator=torch.Generator().manual_seed(3),
        output_type="np",
    ).frames[0]
    np.testing.assert_array_equal(run.finish().frames, (video * 255).round().astype(np.uint8))
    run.close()
