"""The table of models, and `load_model`, which turns a row of it into frames.

A new checkpoint is one `ModelCard`, plus one module in `models.families` if its pipeline's arguments are new.
Importing this module loads no torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import InputError
from models.video_model import ModelCard

if TYPE_CHECKING:
    from models.diffusers_run import DiffusersModel

ASSETS = Path(__file__).resolve().parent.parent / "assets"

POCKET = ModelCard(
    name="pocket",
    title="Pocket",
    family="pocket",
    pipeline_class="LinGenPipeline",
    source=str(ASSETS / "pocket"),
    licence="Apache-2.0",
    fps=8,
    height=128,
    width=128,
    size_multiple=32,
    max_side=256,
    frame_stride=4,
    frame_offset=1,
    num_frames=17,
    max_frames=33,
    num_inference_steps=20,
    max_steps=50,
    preview_steps=4,
    guidance_scale=4.0,
    prefix_frames=5,
    memory_gb=1.0,
    max_prompt_chars=500,
    notes="Ships with the studio and runs on a laptop: animated subjects in drawn settings, 128 pixels wide.",
)

CARDS: dict[str, ModelCard] = {POCKET.name: POCKET}


def card(name: str) -> ModelCard:
    """The card of a model.

    Raises:
        InputError: naming the models there are.
    """
    if name not in CARDS:
        raise InputError(f"There is no model called {name!r}. Choose one of: {', '.join(sorted(CARDS))}.")
    return CARDS[name]


def load_model(name: str, *, device: str | None = None, source: Path | str | None = None) -> DiffusersModel:
    """Load the weights of a model.

    Args:
        name: of a card.
        device: `cpu`, `cuda`, ...; None lets `models.placement` choose.
        source: a folder to load from in place of the card's own.

    Raises:
        InputError: if there is no such model, its weights are missing or damaged, or the device is not there.
    """
    from models.diffusers_run import DiffusersModel

    return DiffusersModel.load(card(name), device=device, source=source)
