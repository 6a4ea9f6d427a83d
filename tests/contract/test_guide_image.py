"""A guide image from words, by a tiny random Stable Diffusion pipeline."""

import dataclasses
import weakref
from unittest.mock import Mock

import numpy as np
import pytest
from diffusers import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion import StableDiffusionPipelineOutput
from PIL import Image
from typer.testing import CliRunner

from models import download, guide_image
from models.catalog import card
from models.errors import InputError
from models.guide_image import IMAGE_MODEL, _as_large_as, draw, drawing_size
from models.placement import Machine, Wishes, choose
from studio.cli import app
from tests.tiny_image import tiny_stable_diffusion

WIDE = dataclasses.replace(card("pocket"), height=16, width=24)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return tiny_stable_diffusion(tmp_path_factory.mktemp("sd"))


def picture(source, prompt="a fox", seed=0, for_card=WIDE):
    return draw(prompt, seed, for_card, source=source, device="cpu", num_inference_steps=2)


def test_the_picture_has_the_size_of_the_video_model(source):
    image = picture(source)
    assert image.shape == (16, 24, 3)
    assert image.dtype == np.uint8


def test_prompt_and_seed_determine_the_picture(source):
    first = picture(source)
    np.testing.assert_array_equal(first, picture(source))
    assert (first != picture(source, seed=1)).any()
    assert (first != picture(source, prompt="a boat at sea")).any()


@pytest.mark.parametrize("side", [512, 1024])
@pytest.mark.parametrize(("height", "width"), [(128, 128), (480, 720), (720, 1280), (1280, 720)])
def test_it_is_drawn_in_the_shape_of_the_clip_at_the_image_models_area(height, width, side):
    drawn_height, drawn_width = drawing_size(height, width, side)
    assert drawn_height % 16 == drawn_width % 16 == 0
    assert drawn_height / drawn_width == pytest.approx(height / width, rel=0.05)
    assert drawn_height * drawn_width == pytest.approx(side**2, rel=0.05)


def test_another_image_model_is_asked_for_its_own_size_and_steps(source, monkeypatch):
    asked = {}

    def call(_, prompt, num_inference_steps=20, **others):
        asked.update(others, steps=num_inference_steps)
        return StableDiffusionPipelineOutput(images=np.zeros((1, 16, 16, 3)), nsfw_content_detected=None)

    monkeypatch.setattr(StableDiffusionPipeline, "__call__", call)
    draw("a fox", 0, WIDE, size=(64, 64), source=source, device="cpu")
    assert (asked["height"], asked["width"]) == (16, 16)  # 8 latent pixels of 2, as it was saved
    assert asked["steps"] == 20


def test_a_picture_that_the_safety_checker_blackens_is_no_guide(source, monkeypatch):
    refused = StableDiffusionPipelineOutput(images=np.zeros((1, 16, 16, 3)), nsfw_content_detected=[True])
    monkeypatch.setattr(StableDiffusionPipeline, "__call__", lambda *_, num_inference_steps=50, **__: refused)
    with pytest.raises(InputError, match="safety checker refuses the picture"):
        picture(source)


def test_wishes_for_the_video_models_network_are_not_those_of_the_image_model(source):
    wishes = Wishes(device="cpu", cache=0.1, attention="flash")
    image = draw("a fox", 0, WIDE, source=source, device=wishes, num_inference_steps=2)
    np.testing.assert_array_equal(image, picture(source))


def test_an_image_model_is_drawn_with_on_the_cpu_beside_a_video_model_in_4_bits_that_fills_the_gpu(
    source, monkeypatch
):
    monkeypatch.setattr("models.placement.this_machine", lambda *_: Machine(2.0, bfloat16=True))
    image = draw("a fox", 0, WIDE, source=source, device=Wishes(storage="nf4"), num_inference_steps=2)
    np.testing.assert_array_equal(image, picture(source))


def test_it_can_have_another_size_than_the_models_own(source):
    image = draw("a fox", 0, WIDE, size=(32, 16), source=source, device="cpu", num_inference_steps=2)
    assert image.shape == (32, 16, 3)


def test_every_step_is_told_and_can_be_the_last(source):
    told = []

    def tell(sentence):
        told.append(sentence)
        if len(told) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        draw("a fox", 0, WIDE, source=source, device="cpu", num_inference_steps=5, tell=tell)
    assert told == ["drawing the first frame, step 1 of 5", "drawing the first frame, step 2 of 5"]


def test_a_drawing_that_is_cancelled_hands_its_memory_back_before_anyone_hears_of_it(source, monkeypatch):
    loaded, load = [], guide_image.load

    def remembering(*how):
        pipeline = load(*how)
        loaded.append(weakref.ref(pipeline.unet))
        return pipeline

    def cancel(_):
        raise InterruptedError

    given_back = Mock(side_effect=guide_image.give_freed_memory_back)
    monkeypatch.setattr(guide_image, "load", remembering)
    monkeypatch.setattr(guide_image, "give_freed_memory_back", given_back)
    with pytest.raises(InterruptedError) as caught:
        draw("a fox", 0, WIDE, source=source, device="cpu", num_inference_steps=2, tell=cancel)
    assert caught.tb is not None  # and holds the frames of the calls
    assert [each() for each in loaded] == [None]
    given_back.assert_called_once()


def test_an_empty_prompt_or_too_many_steps_are_refused_before_anything_is_loaded():
    with pytest.raises(InputError, match="prompt is empty"):
        draw(" ", 0, WIDE, source="/nowhere")
    with pytest.raises(InputError, match="steps"):
        draw("a fox", 0, WIDE, source="/nowhere", num_inference_steps=1000)


def test_another_pipeline_is_named_by_its_hub_id(source, monkeypatch):
    asked = []
    monkeypatch.setattr(download, "fetch", lambda card, tell: asked.append(card) or source)
    image = draw("a fox", 0, WIDE, source="someone/painter", device="cpu", num_inference_steps=2)
    np.testing.assert_array_equal(image, picture(source))
    assert (asked[0].source, asked[0].revision) == ("someone/painter", "")


def test_missing_weights_are_told(tmp_path):
    with pytest.raises(InputError, match="missing"):
        draw("a fox", 0, WIDE, source=tmp_path / "none")


def test_the_command_line_draws_one_in_the_size_of_a_video_model(source, tmp_path):
    out = tmp_path / "guide.png"
    words = [
        "draw",
        "a fox",
        "--model",
        "pocket",
        "--image-model",
        str(source),
        "--steps",
        "2",
        "-o",
        str(out),
    ]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    with Image.open(out) as picture:
        assert picture.size == (256, 256)


def test_the_command_line_refuses_what_is_no_picture(source, tmp_path):
    words = ["draw", "a fox", "--image-model", str(source), "-o", str(tmp_path / "guide.mp4")]
    refused = CliRunner().invoke(app, words).exception
    assert isinstance(refused, InputError)
    assert "written as .png" in str(refused)


def weights_of(file, gigabytes):
    """A sparse file of a size."""
    file.parent.mkdir(exist_ok=True)
    with file.open("wb") as opened:
        opened.truncate(int(gigabytes * 2**30))


def test_another_image_model_needs_as_much_memory_as_its_weights(tmp_path):
    weights_of(tmp_path / "unet" / "model.safetensors", 20)
    assert _as_large_as(tmp_path).memory_gb == 26
    (tmp_path / "unet" / "model.safetensors").unlink()
    assert _as_large_as(tmp_path).memory_gb == IMAGE_MODEL.memory_gb


def test_weights_that_are_not_loaded_need_no_memory(tmp_path):
    """A whole repository has them in other number formats, too, and all together in one file."""
    weights_of(tmp_path / "unet" / "model.safetensors", 20)
    weights_of(tmp_path / "unet" / "model.fp16.safetensors", 10)
    weights_of(tmp_path / "everything.safetensors", 20)
    assert _as_large_as(tmp_path).memory_gb == 26


def test_another_image_model_is_placed_by_the_size_of_its_parts(tmp_path):
    """Sizes of FLUX.1: its network alone is more than the device has."""
    parts = {"transformer": 24, "text_encoder": 0.25, "text_encoder_2": 9.5, "vae": 0.25}
    for name, gigabytes in parts.items():
        weights_of(tmp_path / name / "model.safetensors", gigabytes)
    painter = _as_large_as(tmp_path)
    assert painter.parameters_b == pytest.approx(12.9, abs=0.1)
    assert painter.text_encoder_gb == 9.5
    where = choose(painter, Machine(cuda_memory_gb=20, bfloat16=True))
    assert (where.offload, where.storage) == ("model", "float8")


@pytest.mark.parametrize(("bfloat16", "dtype"), [(True, "bfloat16"), (False, "float16")])
def test_the_image_model_is_placed_in_16_bits_and_only_where_it_has_room(bfloat16, dtype):
    where = choose(IMAGE_MODEL, Machine(cuda_memory_gb=5, bfloat16=bfloat16))
    assert (where.device, where.dtype, where.offload) == ("cuda", dtype, "none")
    assert choose(IMAGE_MODEL, Machine(cuda_memory_gb=4.9, bfloat16=bfloat16)).device == "cpu"


@pytest.mark.parametrize(("network", "dtype"), [("unet", "float16"), ("transformer", "float32")])
def test_another_image_model_calculates_in_float16_only_if_it_has_a_u_net(network, dtype, tmp_path):
    (tmp_path / network).mkdir()
    assert choose(_as_large_as(tmp_path), Machine(cuda_memory_gb=24)).dtype == dtype
