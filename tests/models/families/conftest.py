"""Tiny checkpoints of the catalog's cards, for what is peculiar to a family."""

import numpy as np
import pytest
import torch

from models.catalog import CARDS
from models.diffusers_run import DiffusersModel, to_frames
from tests.contract.cases import tiny


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """`load(name)`: the tiny model of a card."""
    made = {}

    def get(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("tiny") / name
            made[name] = DiffusersModel.load(tiny(CARDS[name], folder), device="cpu", source=folder)
        return made[name]

    yield get
    for model in made.values():
        model.close()


@pytest.fixture
def picture():
    """`picture(model, n=1, seed=0)`: n frames of its size that are not flat."""

    def draw(model, n=1, seed=0):
        shape = (n, model.card.height, model.card.width, 3)
        return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)

    return draw


@pytest.fixture
def begin():
    """`begin(model, conditioning)`; closed at the end of the test."""
    runs = []

    def start(model, conditioning, seed=0, steps=2):
        runs.append(model.begin(conditioning, seed, steps))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


@pytest.fixture
def plain_call():
    """The pipeline called as its documentation says, with nothing of ours."""

    def call(pipeline, seed=0, steps=2, **arguments):
        pipeline.set_progress_bar_config(disable=True)
        output = pipeline(
            **arguments,
            num_inference_steps=steps,
            generator=torch.Generator("cpu").manual_seed(seed),
            output_type="np",
        )
        return to_frames(output.frames)

    return call


@pytest.fixture
def watch():
    """`watch(module)`: the keyword arguments of each of its calls, as they come."""
    hooks = []

    def follow(module):
        calls = []
        hooks.append(
            module.register_forward_pre_hook(
                lambda _, args, named: calls.append({**named, "args": args}), with_kwargs=True
            )
        )
        return calls

    yield follow
    for hook in hooks:
        hook.remove()
