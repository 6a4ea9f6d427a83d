"""Whether the next chunk goes on from the film's end or cuts to a new shot."""

from typing import TYPE_CHECKING, Any

import gradio as gr

if TYPE_CHECKING:
    from studio.ui.page import Page


def build() -> gr.Checkbox:
    """Place the choice."""
    return gr.Checkbox(
        label="Cut to a new shot",
        info="It begins from its words, not from the picture before. So does every further line.",
        elem_id="cut",
    )


def bind(page: "Page") -> None:
    """Where a shot begins, an image can be given."""

    def offer(where: dict[str, Any], cut: bool) -> Any:
        return gr.update(visible=cut or not where.get("head"))

    page.composer.cut.change(
        offer,
        [page.where, page.composer.cut],
        page.composer.upload,
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
