"""A film without a person in between: what is asked of every chunk, from one request and a length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from studio.extend import plan
from studio.handover import handed_over
from studio.timeline import ChunkRequest

if TYPE_CHECKING:
    from models.video_model import ModelCard


def scenes(text: str) -> list[str]:
    """What happens one after another: a line of the text each; one empty prompt if there is none."""
    return [line.strip() for line in text.splitlines() if line.strip()] or [""]


def film(
    first: ChunkRequest,
    prompts: Sequence[str],
    card_of: Callable[[str], ModelCard],
    *,
    seconds: float | None = None,
    continues: bool = False,
) -> list[ChunkRequest]:
    """One request a chunk; see `studio.extend.plan`.

    Args:
        first: all but the prompt is taken from it.
        prompts: in playing order.
        card_of: the card of a model's name.
        seconds: length of what is to be made; None makes one chunk a prompt.
        continues: whether the first of these chunks continues a film.

    Raises:
        InputError: if the length is no positive number, too short for that many prompts, or too long.
    """
    later = handed_over(first, card_of)
    after = card_of(later.model), later.num_frames
    return plan(first, prompts, card_of(first.model), seconds=seconds, continues=continues, after=after)
