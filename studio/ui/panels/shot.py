"""Whether the next chunk goes on from the film's end or cuts to a new shot."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.autopilot import scenes

if TYPE_CHECKING:
    from studio.ui.page import Page


def build() -> gr.Checkbox:
    """Place the choice."""
    return gr.Checkbox(
        label="Cut to a new shot",
        info="It begins from its words, not from the picture before. So does every further line.",
        elem_id="cut",
        visible=False,
    )


def bind(page: "Page") -> None:
    """Offer it where there is something to cut from; where a shot begins, an image can be given."""
    composer = page.composer

    def offer(where: dict[str, Any], prompt: str) -> Any:
        return gr.update(visible=bool(where.get("head")) or len(scenes(prompt)) > 1)

    def offer_image(where: dict[str, Any], cut: bool) -> Any:
        return gr.update(visible=cut or not where.get("head"))

    plain: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    composer.prompt.blur(offer, [page.where, composer.prompt], composer.cut, **plain)
    composer.cut.change(offer_image, [page.where, composer.cut], composer.upload, **plain)
