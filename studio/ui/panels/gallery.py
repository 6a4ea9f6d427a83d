"""The candidates of a search, as looping clips: click one, or press its number."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.ui.live import panel

if TYPE_CHECKING:
    from studio.ui.page import Page


def build() -> gr.HTML:
    """Place the gallery."""
    return panel("gallery")


def bind(page: "Page") -> None:
    """Picking a candidate begins its full run."""

    def picked(at: dict[str, Any], chosen: str) -> dict[str, Any]:
        return {"job": page.studio.pick(at["project"], chosen), "picked": chosen}

    def pick(where: dict[str, Any], prompt: str, event: gr.EventData) -> dict[Any, Any]:
        chosen = str(event._data.get("id", ""))
        return page.after(where, prompt, lambda at: picked(at, chosen))

    page.listen(page.gallery.pick, pick)
