"""What a browser remembers of the inputs, so that a reload changes nothing.

Gradio reloads a page by itself when the network was away for a moment.
"""

from typing import TYPE_CHECKING, Any

import gradio as gr
from pydantic import ValidationError

from studio.timeline import ChunkRequest
from studio.ui.look import Where, media_url

if TYPE_CHECKING:
    from studio.ui.page import Page

Memory = dict[str, Any]
"""By project, or "" before there is one: the `request` that the inputs spell out, the `seed` as it was typed,
the `head` of the film that it was meant for, the prompt that its guide was `drawn` from, if it was, and the
`seconds` of a whole film."""


def remembered(
    where: Where,
    wanted: ChunkRequest,
    seed: str | None,
    drawn: str | None = None,
    seconds: float | None = None,
) -> Memory:
    """What the inputs hold now, for the project at hand; the browser keeps it beside the others."""
    entry = {
        "request": wanted.model_dump(mode="json", exclude={"prompt", "seed"}),
        "seed": seed or "",
        "head": where.get("head") or "",
        "drawn": drawn if wanted.guide else None,
        "seconds": seconds,
    }
    return {str(where.get("project") or ""): entry}


def recalled(page: "Page", memory: Memory | None, where: Where) -> dict[Any, Any]:
    """Updates of the inputs that put back what was remembered for this place; none if nothing was."""
    project = str(where.get("project") or "")
    entry: dict[str, Any] = (memory or {}).get(project) or {}
    try:
        request = ChunkRequest.model_validate({**entry["request"], "prompt": ""})
    except (KeyError, TypeError, ValidationError):
        return {}
    card = next((each for each in page.studio.cards() if each.name == request.model), None)
    if card is None:
        return {}
    composer = page.composer
    updates = {**composer.filled(card, request), composer.seed: str(entry.get("seed") or "")}
    if isinstance(entry.get("seconds"), (int, float)):
        updates[composer.film_seconds] = gr.update(value=entry["seconds"])
    if entry.get("head") != (where.get("head") or ""):
        return updates  # the images were for a chunk that is made by now, and so was the cut
    updates[composer.cut] = gr.update(value=request.cut, visible=bool(where.get("head")) or request.cut)
    if not project:
        return updates
    first = page.studio.first_frame(project)
    given = None if first is not None and first.name == request.guide else request.guide
    drawn = {"drawn": entry["drawn"]} if entry.get("drawn") else {}
    images: tuple[tuple[Any, str | None, dict[str, Any]], ...] = (
        (composer.guide, given, drawn),
        (composer.ending, request.last_image, {"last": True}),
    )
    if first is None and request.guide is None:
        updates[composer.guide] = {}
    if request.last_image is None:
        updates[composer.ending] = {}
    for part, name, more in images:
        if name and (url := media_url(page.studio, project, name)):
            updates[part] = {"name": name, "url": url, **more}
    return updates
