"""The table of models, and `load_model`, which turns a row of it into frames.

A new checkpoint is one `ModelCard` in `models.cards`, plus one module in `models.families` if its pipeline's
arguments are new.
Importing this module loads no torch. `python -m models.catalog FILE` writes the table as Markdown.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from models import cards
from models.errors import InputError
from models.gguf_networks import Networks
from models.revisions import pinned
from models.video_model import ModelCard

if TYPE_CHECKING:
    from models.diffusers_run import DiffusersModel
    from models.placement import Wishes

ASSETS = Path(__file__).resolve().parent.parent / "assets"


def _collect() -> dict[str, ModelCard]:
    """The cards of every module of `models.cards` by name; the embedded model comes first."""
    names = sorted(
        (info.name for info in pkgutil.iter_modules(cards.__path__)),
        key=lambda name: (name != "pocket", name),
    )
    modules = [importlib.import_module(f"{cards.__name__}.{name}") for name in names]
    return {each.name: pinned(each) for module in modules for each in module.CARDS}


CARDS: dict[str, ModelCard] = _collect()


def card(name: str) -> ModelCard:
    """The card of a model.

    Raises:
        InputError: naming those that are called something like it.
    """
    if name not in CARDS:
        near = difflib.get_close_matches(name, CARDS, n=3, cutoff=0.4) or [next(iter(CARDS))]
        raise InputError(
            f"There is no model called {name!r}. Try {' or '.join(near)}; `studio models` lists them all."
        )
    return CARDS[name]


def load_model(
    name: str,
    *,
    device: Wishes | str | None = None,
    source: Path | str | None = None,
    tell: Callable[[str], None] | None = None,
    threads: int | None = None,
    networks: Networks | None = None,
    tiny_decoder: Path | str | None = None,
) -> DiffusersModel:
    """Load the weights of a model, after downloading them where they are on the hub only.

    Args:
        name: of a card.
        device: `cpu`, `cuda`, ..., or all that was set by hand; `models.placement` chooses the rest.
        source: a folder to load from in place of the card's own.
        tell: is given a sentence on the download now and then.
        threads: CPU threads of the model's runs; None takes those that a new thread gets.
        networks: GGUF files of its denoising networks, see `models.gguf_networks`.
        tiny_decoder: shows what a run is at: folder or hub id of an `AutoencoderTiny`, or safetensors file of
            TAEHV weights.

    Raises:
        InputError: if there is no such model, the hub is out of reach, its weights are missing or damaged,
            or the device is not there.
    """
    from models.diffusers_run import DiffusersModel

    return DiffusersModel.load(
        card(name),
        device=device,
        source=source,
        tell=tell,
        threads=threads,
        networks=networks,
        tiny_decoder=tiny_decoder,
    )


if __name__ == "__main__":
    from models import card_table

    Path(sys.argv[1]).write_text(card_table.page(), encoding="utf-8")
