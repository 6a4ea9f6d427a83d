"""Models that make clips from words alone hand over to the partner named on their card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from studio.errors import InputError
from studio.timeline import ChunkRequest

if TYPE_CHECKING:
    from models.video_model import ModelCard


def continuing_card(card: ModelCard, card_of: Callable[[str], ModelCard]) -> ModelCard:
    """The card that makes the chunks after the first: the model's own, or its partner's."""
    return card_of(card.partner) if card.partner and not card.takes_image else card


def handed_over(request: ChunkRequest, card_of: Callable[[str], ModelCard]) -> ChunkRequest:
    """The request for a chunk that continues a film, made by a model that can continue one.

    The film keeps its size where the partner can draw it. What only made sense for the first model (steps,
    guidance, length) becomes the partner's default where it is the first one's default or not legal. What
    the partner cannot take (a negative prompt, LoRA files of another family) is left out.

    Args:
        request: for a chunk that continues a film.
        card_of: the card of a name.
    """
    first = card_of(request.model)
    card = continuing_card(first, card_of)
    if card is first:
        return request
    changes: dict[str, object] = {"model": card.name}
    for name in ("num_inference_steps", "preview_steps", "guidance_scale", "negative_prompt", "num_frames"):
        if getattr(request, name) == getattr(first, name):
            changes[name] = getattr(card, name)
    if not card.takes_negative:
        changes["negative_prompt"] = ""
    if card.family != first.family:
        changes["loras"] = ()
    repeats_all = request.num_frames <= card.prefix_frames
    if repeats_all or not _legal(partial(card.check_num_frames, request.num_frames)):
        changes["num_frames"] = card.num_frames
    if not _legal(partial(card.check_steps, request.num_inference_steps)):
        changes["num_inference_steps"] = card.num_inference_steps
    if not _legal(partial(card.check_guidance, request.guidance_scale)):
        changes["guidance_scale"] = card.guidance_scale
    if not _legal(partial(card.check_size, request.height, request.width)):
        changes |= {"height": card.height, "width": card.width}
    made = request.model_copy(update=changes)
    return made.model_copy(update={"preview_steps": min(made.preview_steps, made.num_inference_steps)})


def handed_over_film(
    requests: Sequence[ChunkRequest], card_of: Callable[[str], ModelCard], *, continues: bool
) -> list[ChunkRequest]:
    """The requests of a film, those that continue it for models that can.

    Args:
        requests: one a chunk.
        card_of: the card of a name.
        continues: whether the first one continues a film.
    """
    return [
        handed_over(request, card_of) if (continues or index > 0) and not request.cut else request
        for index, request in enumerate(requests)
    ]


def _legal(check: Callable[[], object]) -> bool:
    try:
        check()
    except InputError:
        return False
    return True
