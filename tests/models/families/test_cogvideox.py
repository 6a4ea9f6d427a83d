"""What is peculiar to CogVideoX, on tiny random pipelines of its classes."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXDPMScheduler, CogVideoXImageToVideoPipeline
from PIL import Image

from models.catalog import card
from models.errors import InputError
from models.families import cogvideox


@pytest.fixture(scope="module")
def text(load):
    return load("cogvideox-2b")


@pytest.fixture(scope="module")
def image(load):
    return load("cogvideox-5b-i2v")


@pytest.fixture(scope="module")
def paired(load):
    return load("cogvideox1.5-5b")


def test_a_finished_run_from_text_is_the_plain_call(text, begin, plain_call):
    expected = plain_call(
        text._pipeline,
        prompt="a fox",
        negative_prompt="snow",
        height=text.card.height,
        width=text.card.width,
        num_frames=9,
        guidance_scale=6,
        max_sequence_length=16,
    )
    conditioning = text.encode("a fox", negative_prompt="snow")
    np.testing.assert_array_equal(begin(text, conditioning).finish().frames, expected)


def test_a_finished_run_from_an_image_is_the_plain_call(image, begin, picture, plain_call):
    guide = picture(image)
    expected = plain_call(
        image._pipeline,
        prompt="a fox",
        image=Image.fromarray(guide[0]),
        height=image.card.height,
        width=image.card.width,
        num_frames=9,
        guidance_scale=6,
        use_dynamic_cfg=True,
        max_sequence_length=16,
    )
    np.testing.assert_array_equal(begin(image, image.encode("a fox", guide=guide)).finish().frames, expected)


def test_the_larger_models_have_their_authors_scheduler_and_the_small_one_its_own(text, image, paired):
    assert isinstance(text._pipeline.scheduler, CogVideoXDDIMScheduler)
    for model in (image, paired):
        assert isinstance(model._pipeline.scheduler, CogVideoXDPMScheduler)
        assert model._pipeline.scheduler.config.timestep_spacing == "trailing"
        assert model.card.options == {"use_dynamic_cfg": True}  # which is for this scheduler only
    assert not text.card.options


def test_lengths_that_the_autoencoder_would_change_are_refused(text, plain_call):
    """It decodes an even number of latent frames to four each: 13 frames asked for come back as 16."""
    made = plain_call(
        text._pipeline, prompt="a fox", height=16, width=16, num_frames=13, max_sequence_length=16
    )
    assert len(made) == 16
    with pytest.raises(InputError, match="Try 9 or 17"):
        text.encode("a fox", num_frames=13)


@pytest.mark.parametrize("scheduler_class", [CogVideoXDPMScheduler, CogVideoXDDIMScheduler])
def test_the_steps_left_out_are_those_that_do_not_end_at_the_clean_clip(scheduler_class):
    of = card("cogvideox-5b")
    scheduler = scheduler_class(prediction_type="v_prediction", timestep_spacing="trailing")
    sample, output = torch.randn(2, 1, 4, generator=torch.Generator().manual_seed(0))
    for steps in range(1, of.max_steps + 1):
        scheduler.set_timesteps(steps)
        last = scheduler.timesteps[-1]
        history = (None, last, None) if scheduler_class is CogVideoXDPMScheduler else (last,)
        end, clean = scheduler.step(output, *history, sample, return_dict=False)[:2]
        assert torch.allclose(end, clean, atol=1e-5) == (steps not in of.steps_left_out), steps


def test_a_number_of_steps_that_ends_in_noise_is_refused_for_the_run_and_for_its_preview(text):
    with pytest.raises(InputError, match=r"clean clip in 7 steps\. Try 5"):
        text.begin(text.encode("a fox"), 0, 7)
    with pytest.raises(InputError, match="6 steps"):
        text.card.check_steps(50, preview_steps=6)


def test_learned_positions_fix_the_size(image, picture):
    with pytest.raises(InputError, match="16x16 pixels only"):
        image.encode("a fox", guide=picture(image), width=24)


@pytest.mark.parametrize(("height", "width"), [(32, 16), (16, 32)])
def test_version_1_5_animates_images_larger_than_its_checkpoint_names(load, begin, picture, height, width):
    model = load("cogvideox1.5-5b-i2v")
    run = begin(model, model.encode("a fox", guide=picture(model), height=height, width=width))
    run.advance(1)
    assert run.preview().frames.shape[1:3] == (height, width)


def test_positions_of_an_upright_picture_go_on_where_those_of_a_wide_one_end():
    """A token is 16 pixels; diffusers' own go to the 96x170 latent pixels that the checkpoint names."""
    config = {"sample_height": 96, "sample_width": 170, "patch_size": 2, "patch_size_t": 2}
    network = SimpleNamespace(config=SimpleNamespace(**config, attention_head_dim=16))
    pipeline = SimpleNamespace(transformer=network, vae_scale_factor_spatial=8)
    own = cogvideox.pipeline_class(card("cogvideox1.5-5b-i2v"))

    def positions(kind, height, width):
        cosines, _ = kind._prepare_rotary_positional_embeddings(pipeline, height, width, 3, "cpu")
        return cosines.view(2, height // 16, width // 16, -1)

    wide, upright = positions(own, 768, 1360), positions(own, 1360, 768)
    torch.testing.assert_close(wide, positions(CogVideoXImageToVideoPipeline, 768, 1360), rtol=0, atol=0)
    torch.testing.assert_close(upright[:, :48], wide[:, :, :48], rtol=0, atol=0)


def test_from_words_version_1_5_draws_one_size_only(paired):
    with pytest.raises(InputError, match="16x16 pixels only"):
        paired.encode("a fox", height=24)


def test_latents_that_fill_up_a_pair_are_not_decoded(paired, begin):
    """Version 1.5 denoises its latent frames in pairs: 17 frames are five of them, and one more."""
    run = begin(paired, paired.encode("a fox", num_frames=17))
    run.advance(1)
    assert run._look.latents.shape[1] == 6
    assert len(run.preview()) == len(run.finish()) == 17


def test_the_prompt_has_the_length_that_the_network_was_trained_with(text):
    assert text.encode("a fox").encoded["prompt_embeds"].shape[1] == 16  # 226, or 224 in version 1.5


def test_without_guidance_the_network_is_asked_once_a_step(text, begin, watch):
    calls = watch(text._pipeline.transformer)
    begin(text, text.encode("a fox", guidance_scale=1)).finish()
    assert [len(call["hidden_states"]) for call in calls] == [1, 1]
