"""Words that the embedded model was never taught are read as the nearest ones that it was."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest
import torch

from models.catalog import card
from models.diffusers_run import DiffusersModel
from models.pocket.captions import caption
from models.pocket.scenes import draw_scene
from models.pocket.vocabulary import NAMES, Vocabulary, groups
from models.reading import Reading


@pytest.fixture(scope="module")
def pocket() -> Iterator[DiffusersModel]:
    model = DiffusersModel.load(card("pocket"), device="cpu")
    yield model
    model.close()


def test_every_name_is_known() -> None:
    assert [name for name in NAMES if groups(f"a {name} walks to the left on a street at night")] == []


def test_every_caption_is_known() -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    texts = [caption(draw_scene(rng), rng) for _ in range(300)]
    assert [text for text in texts if groups(text)] == []


def test_a_word_before_a_known_name_describes_it() -> None:
    assert groups("a fluffy cat walks left") == []


def test_after_a_preposition_comes_a_place() -> None:
    found = groups("a poodle trots through the dark forest")
    assert [([each.group() for each in group.unknown], group.place) for group in found] == [
        (["poodle", "trots"], False),
        (["forest"], True),
    ]


@pytest.mark.parametrize(
    ("prompt", "read"),
    [
        ("a poodle walks left in a meadow", "a dog walks left in a meadow"),
        ("The taxi drives to the right in the town", "The car drives to the right in the street"),
        ("a camel in the desert", "an elephant in the desert"),
        ("an airplane flies over the lake", "a helicopter flies over the sea"),
        ("a fox runs through snow", "a fox runs through snow"),
        ("a woman dances", "a woman dances"),
        ("", ""),
    ],
)
def test_the_nearest_known_word_takes_the_place(pocket: DiffusersModel, prompt: str, read: str) -> None:
    assert pocket._family.reading(pocket._pipeline, prompt)[0] == read


def test_it_is_told_what_is_read_as_what(pocket: DiffusersModel) -> None:
    told = pocket.reading("a Poodle trots through the forest")
    assert told == Reading({"Poodle": "dog", "forest": "meadow"})
    assert pocket.reading("a dog walks through the meadow") == Reading()


def test_it_is_told_which_words_nothing_is_known_of(pocket: DiffusersModel) -> None:
    told = pocket.reading("a xylophone walks through the meadow\na woman dances on the xylophone")
    assert told == Reading(unknown=("xylophone", "woman", "dances"))


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [("كلب يركض في الثلج", ("كلب", "يركض", "في", "الثلج")), ("一只狗在雪地里奔跑", ("一只狗在雪地里奔跑",))],
)
def test_words_of_other_scripts_are_taken_for_none_of_its_own(
    pocket: DiffusersModel, prompt: str, unknown: tuple[str, ...]
) -> None:
    assert pocket.reading(prompt) == Reading(unknown=unknown)


def test_accents_do_not_matter(pocket: DiffusersModel) -> None:
    assert pocket.reading("a Pöödle walks") == Reading({"Pöödle": "dog"})


def test_it_is_told_which_end_of_a_long_scene_is_not_read(pocket: DiffusersModel) -> None:
    scene = " ".join(["a red car drives to the right"] * 4)
    told = pocket.reading(f"{scene} and a dog in a meadow\n{scene}\na dog walks through the meadow")
    assert told == Reading(left_out=("dog in a meadow",))


def test_the_model_is_given_the_words_that_it_knows(pocket: DiffusersModel) -> None:
    unknown, known = (pocket.encode(f"a {noun} in a meadow") for noun in ("poodle", "dog"))
    assert unknown.prompt == known.prompt == "a dog in a meadow"  # which the scorers read as well
    assert torch.equal(unknown.encoded["prompt_embeds"], known.encoded["prompt_embeds"])


def test_meanings_are_asked_for_when_the_first_unknown_word_comes() -> None:
    asked: list[list[str]] = []

    def embed(texts: list[str]) -> torch.Tensor:
        asked.append(texts)
        return torch.nn.functional.one_hot(torch.tensor([len(text) for text in texts]), 64).float()

    vocabulary = Vocabulary(embed)
    vocabulary.read("a fox runs")
    assert asked == []
    vocabulary.read("a poodle runs")
    assert ["poodle"] in asked


def test_a_closed_model_leaves_no_text_encoder_behind() -> None:
    model = DiffusersModel.load(card("pocket"), device="cpu")
    model.encode("a poodle in a meadow")
    encoder = weakref.ref(model._pipeline.text_encoder)
    model.close()
    del model
    gc.collect()
    assert encoder() is None
