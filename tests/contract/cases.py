"""Which cards the contract is kept by: one of every kind of pipeline, not every size of it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import pytest

from models.catalog import CARDS
from models.families import family
from models.step_cache import takes_cache
from models.video_model import ModelCard


def kind(card: ModelCard) -> tuple[object, ...]:
    """What two cards share if testing one of them tests the other."""
    takes = (
        card.takes_text,
        card.takes_image,
        card.takes_last_image,
        card.takes_guidance,
        card.takes_negative,
    )
    shape = (card.frame_stride, card.size_multiple, card.fixed_size, card.needs_last_image)
    return card.family, card.pipeline_class, takes, shape, card.prefix_frames > 1, tuple(sorted(card.options))


KINDS: dict[tuple[object, ...], ModelCard] = {}
for _card in CARDS.values():
    KINDS.setdefault(kind(_card), _card)


def models(which: Callable[[ModelCard], bool] = lambda _: True) -> pytest.MarkDecorator:
    """Run a test over every kind of model that `which` holds of."""
    names = [card.name for card in KINDS.values() if which(card)]
    return pytest.mark.parametrize("model", names, indirect=True)


def caches(card: ModelCard) -> bool:
    """Whether diffusers' first-block cache knows the network, and the pipeline works with caches."""
    return takes_cache(family(card.family).pipeline_class(card))


def tiny(card: ModelCard, folder: object) -> ModelCard:
    """Save a tiny random checkpoint of the card's own pipeline class, and return the card with its limits."""
    return import_module(f"tests.contract.tiny.{card.family}").save(folder, card)
