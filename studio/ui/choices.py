"""What the inputs offer: ranges from a model's card, and the models by their names. No Gradio in here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.video_model import ModelCard


def limits(card: ModelCard) -> dict[str, dict[str, Any]]:
    """Range and default of every slider, from a model's card."""
    side = {"minimum": card.size_multiple, "maximum": card.max_side, "step": card.size_multiple}
    stride, offset = card.frame_stride, card.frame_offset
    return {
        "preview_steps": {"minimum": 1, "maximum": card.max_steps, "step": 1, "value": card.preview_steps},
        "steps": {"minimum": 1, "maximum": card.max_steps, "step": 1, "value": card.num_inference_steps},
        "guidance": {"minimum": 1, "maximum": 15, "step": 0.5, "value": card.guidance_scale},
        "width": {**side, "value": card.width},
        "height": {**side, "value": card.height},
        "frames": {
            "minimum": stride + offset,
            "maximum": card.max_frames,
            "step": stride,
            "value": card.num_frames,
        },
    }


def models(cards: list[ModelCard], here: Callable[[str], bool]) -> list[tuple[str, str]]:
    """What the models are called in their list, and their names."""
    return [(each.title + ("" if here(each.name) else " (download first)"), each.name) for each in cards]
