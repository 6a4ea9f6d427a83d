"""For every card a tiny random checkpoint of its own pipeline class, saved and loaded as the real one."""

import dataclasses

import numpy as np
import pytest

from models.catalog import CARDS
from models.diffusers_run import DiffusersModel
from tests.tiny import LINGEN_FRAMES, LINGEN_SIZE, tiny_lingen

TINY = {"pocket": (tiny_lingen, LINGEN_SIZE, LINGEN_FRAMES)}
"""For each family: what saves a tiny checkpoint, its side in pixels and its length in frames."""


@pytest.fixture(scope="session", params=list(CARDS))
def model(request, tmp_path_factory):
    card = CARDS[request.param]
    save, side, num_frames = TINY[card.family]
    folder = tmp_path_factory.mktemp("tiny") / card.name
    save(folder)
    small = dataclasses.replace(card, height=side, width=side, num_frames=num_frames, num_inference_steps=4)
    with_weights = DiffusersModel.load(small, device="cpu", source=folder)
    yield with_weights
    with_weights.close()


@pytest.fixture
def guide(model):
    """A picture of the run's size that is not flat."""
    side = model.card.height
    return np.random.default_rng(0).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
