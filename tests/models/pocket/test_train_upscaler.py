import dataclasses
import json

import numpy as np
import pytest

from models.lingen import LinGenPipeline
from models.pocket import train_upscaler as training
from models.pocket.scenes import draw_scene
from models.pocket.sprites import FINE_SIZE, SPRITE_SIZE
from tests.tiny import tiny_lingen

SETTINGS = training.UpscalerSettings(crops=2, crop_frames=3, crop_size=16, pool=2, warmup=1)


@pytest.fixture
def assets(tmp_path, drawn_sprites, monkeypatch):
    """A pipeline folder, with plain squares for sprites of either size."""
    tiny_lingen(tmp_path / "assets")
    times = FINE_SIZE // SPRITE_SIZE
    fine = {noun: frames.repeat(times, 1).repeat(times, 2) for noun, frames in drawn_sprites.items()}
    monkeypatch.setattr(training, "cast", lambda path=None: fine if path else drawn_sprites)
    monkeypatch.setattr(training, "held_out_psnr", lambda *_: (20.0, 21.0))
    return tmp_path / "assets"


@pytest.mark.parametrize("caption", [None, "a cat"])
def test_a_pair_shows_one_scene_in_two_sizes(assets, caption):
    maker = training.PairMaker(assets, scale=2)
    small, large = maker.make(draw_scene(np.random.default_rng(0)), caption)
    assert (small.shape, large.shape) == ((17, 128, 128, 3), (17, 256, 256, 3))


def test_the_crops_of_a_pair_lie_over_each_other(assets, monkeypatch):
    maker, settings = training.PairMaker(assets, scale=2), SETTINGS
    height, width = np.mgrid[:32, :32]
    small = np.stack([np.stack([height + t, width, 0 * width], -1) for t in range(17)]).astype(np.uint8)
    monkeypatch.setattr(maker, "make", lambda *_: (small, small.repeat(2, 1).repeat(2, 2)))
    low, high = training.PairPool(maker, settings, seed=0).draw()
    assert low.shape == (2, 3, 3, 16, 16)
    np.testing.assert_array_equal(low.numpy(), high.numpy()[..., ::2, ::2])


def test_it_is_published_as_a_part_of_the_pipeline_and_can_be_carried_on(assets, tmp_path):
    for steps in (2, 4):
        training.train_upscaler(assets, tmp_path, 1, SETTINGS, max_steps=steps, channels=8, num_blocks=1)
    record = json.loads((assets / "upscaler" / "training.json").read_text())
    assert record["steps"] == 4
    pipeline = LinGenPipeline.from_pretrained(assets)
    assert pipeline.upscaler is not None and pipeline.enlarged == 2


def test_a_published_one_is_carried_on_beside_a_critic(assets, tmp_path):
    training.train_upscaler(assets, tmp_path / "first", 1, SETTINGS, max_steps=1, channels=8, num_blocks=1)
    settings = dataclasses.replace(training.carried_on(SETTINGS), warmup=1)
    training.train_upscaler(assets, tmp_path / "second", 1, settings, max_steps=2, start_from=assets)
    record = json.loads((assets / "upscaler" / "training.json").read_text())
    assert record["settings"]["critic"] > 0
    assert record["before"]["steps"] == 1
    training.train_upscaler(assets, tmp_path / "second", 1, settings, max_steps=3, start_from=assets)
    record = json.loads((assets / "upscaler" / "training.json").read_text())
    assert record["before"]["steps"] == 1  # not of its own first part, which lies there by now
    assert LinGenPipeline.from_pretrained(assets).upscaler.config.channels == 8
