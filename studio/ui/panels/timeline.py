"""The film as a strip of chunks: play one, undo the last, carry on from any, switch to another ending."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.ui.live import panel

if TYPE_CHECKING:
    from studio.ui.page import Page


def build() -> gr.HTML:
    """Place the timeline."""
    return panel("timeline")


def bind(page: "Page") -> None:
    """Undo, carry on from a chunk of this or another ending, and delete an ending."""

    def undo(where: dict[str, Any], prompt: str) -> dict[Any, Any]:
        return page.after(where, prompt, lambda at: page.studio.undo(at["project"]))

    def restart(where: dict[str, Any], prompt: str, event: gr.EventData) -> dict[Any, Any]:
        chosen = str(event._data.get("id", ""))
        return page.after(where, prompt, lambda at: page.studio.restart_from(at["project"], chosen))

    def discard(where: dict[str, Any], prompt: str, event: gr.EventData) -> dict[Any, Any]:
        chosen = str(event._data.get("id", ""))

        def verb(at: dict[str, Any]) -> None:
            page.own(at, at["project"], "delete its endings")
            page.studio.delete_ending(at["project"], chosen)

        return page.after(where, prompt, verb)

    page.listen(page.timeline.discard, discard)
    page.listen(page.timeline.undo, undo)
    page.listen(page.timeline.restart, restart)
