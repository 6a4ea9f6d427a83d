"""For every kind of card a tiny random checkpoint of its own class, saved and loaded as the real one."""

import numpy as np
import pytest

from models.diffusers_run import DiffusersModel
from tests.contract.cases import CARDS, KINDS, tiny
from tests.contract.tiny.cosmos import install_checker


@pytest.fixture(scope="session", autouse=True)
def safety_checker():
    """What NVIDIA's licence asks for, without its weights."""
    with pytest.MonkeyPatch.context() as patch:
        install_checker(patch)
        yield


@pytest.fixture(scope="session")
def loaded(tmp_path_factory):
    """`loaded(name)`: the tiny model of a card, made and loaded at its first use."""
    made = {}

    def load(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("tiny") / name
            small = tiny(CARDS[name], folder)
            made[name] = DiffusersModel.load(small, device="cpu", source=folder)
        return made[name]

    yield load
    for model in made.values():
        model.close()


@pytest.fixture(params=[card.name for card in KINDS.values()])
def model(request, loaded):
    return loaded(request.param)


@pytest.fixture
def picture(model):
    """`picture(n=1, seed=0)`: n frames of the run's size that are not flat."""

    def draw(n=1, seed=0):
        shape = (n, model.card.height, model.card.width, 3)
        return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)

    return draw


@pytest.fixture
def encode(model, picture):
    """`encode(prompt, ...)`: with a guide image and a last image where the model needs them."""

    def condition(prompt="a fox runs through snow", **steering):
        if not model.card.takes_text:
            steering.setdefault("guide", picture())
        if model.card.needs_last_image:
            steering.setdefault("last_image", picture(seed=9)[0])
        return model.encode(prompt, **steering)

    return condition


@pytest.fixture(scope="session")
def plain_conditionings():
    """By name of the model; one serves all tests, as it serves all candidates."""
    return {}


@pytest.fixture
def begin(model, encode, plain_conditionings):
    """`begin(seed)`; every run is closed at the end of the test."""
    runs = []

    def start(seed=0, steps=None, conditioning=None):
        steps = model.card.num_inference_steps if steps is None else steps
        if conditioning is None:
            if model.card.name not in plain_conditionings:
                plain_conditionings[model.card.name] = encode()
            conditioning = plain_conditionings[model.card.name]
        runs.append(model.begin(conditioning, seed, steps))
        return runs[-1]

    yield start
    for run in runs:
        run.close()
