"""What is peculiar to FramePack, on tiny random pipelines of its class."""

import diffusers
import numpy as np
import pytest
import transformers
from PIL import Image

from models import download
from models.catalog import CARDS
from models.errors import InputError
from models.families import framepack


@pytest.fixture(scope="module", params=["framepack", "framepack-f1"])
def model(request, load):
    return load(request.param)


def call_arguments(model):
    card = model.card
    return {
        "prompt": "a fox",
        "height": card.height,
        "width": card.width,
        "latent_window_size": 2,
        "num_frames": 5,
        "guidance_scale": card.guidance_scale,
        **card.options,
    }


def test_a_finished_run_is_the_plain_call(model, begin, picture, plain_call):
    guide = picture(model)
    expected = plain_call(model._pipeline, **call_arguments(model), image=Image.fromarray(guide[0]))
    np.testing.assert_array_equal(begin(model, model.encode("a fox", guide=guide)).finish().frames, expected)


def test_a_section_is_four_frames_longer_than_asked_of_the_pipeline(model, picture, plain_call):
    frames = plain_call(model._pipeline, **call_arguments(model), image=Image.fromarray(picture(model)[0]))
    assert len(frames) == 5 + 4 == model.card.num_frames


def test_a_chunk_is_one_section(model, picture):
    with pytest.raises(InputError, match="Try 9"):
        model.encode("a fox", guide=picture(model), num_frames=13)
    assert (CARDS["framepack"].min_frames, CARDS["framepack"].max_frames) == (37, 37)


def test_a_run_encodes_its_image_for_the_first_look_only(model, begin, picture, monkeypatch):
    run = begin(model, model.encode("a fox", guide=picture(model)))
    run.advance(1)
    preview = run.preview()

    def driven_out(*_, **__):
        raise RuntimeError("the network would have to leave the device")

    monkeypatch.setattr(model._pipeline.vae, "encode", driven_out)
    assert len(run.glimpse()) == len(preview)
    np.testing.assert_array_equal(run.preview().frames, preview.frames)
    run.close()
    assert not run._look.kept


def test_from_the_hub_its_parts_are_gathered_from_three_places(monkeypatch):
    asked = []

    def record(kind):
        return classmethod(lambda _, where, **named: asked.append((kind, where, named)))

    for module, name in (
        (diffusers, "HunyuanVideoFramepackPipeline"),
        (diffusers, "HunyuanVideoFramepackTransformer3DModel"),
        (transformers, "SiglipImageProcessor"),
        (transformers, "SiglipVisionModel"),
    ):
        monkeypatch.setattr(getattr(module, name), "from_pretrained", record(name))
    card = CARDS["framepack"]
    framepack.pipeline_class(card).from_pretrained(card.source, revision=None, dtype=None)
    assert [where for _, where, _ in asked] == [
        card.source,
        framepack.VISION,
        framepack.VISION,
        framepack.BASE,
    ]
    assert {"transformer", "feature_extractor", "image_encoder"} <= set(asked[-1][2])
    assert asked[-1][2]["revision"] == CARDS["hunyuan"].revision


def test_the_parts_that_it_shares_with_hunyuanvideo_are_fetched_at_its_commit():
    card, base = CARDS["framepack"], CARDS["hunyuan"]
    fetched = {choice["repo_id"]: choice["revision"] for choice in download._choices(card, ())}
    assert (fetched[card.source], fetched[base.source]) == (card.revision, base.revision)
