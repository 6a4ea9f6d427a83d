"""The film so far, to be saved in any format; on an empty project, how to begin."""

import json
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.ui.live import ASSETS, panel
from studio.ui.look import file_url

if TYPE_CHECKING:
    from studio.ui.page import Page


def examples() -> list[dict[str, str]]:
    """Prompts that the embedded model can draw, each with the address of what it made of it."""
    listed = json.loads((ASSETS / "examples.json").read_text(encoding="utf-8"))
    return [
        {
            "prompt": each["prompt"],
            "clip": file_url(ASSETS / "examples" / each["clip"]) if "clip" in each else "",
        }
        for each in listed
    ]


def build() -> gr.HTML:
    """Place the player."""
    return panel("player")


def bind(page: "Page") -> None:
    """Save the film in a format other than mp4."""

    def save(where: dict[str, Any], prompt: str, event: gr.EventData) -> dict[Any, Any]:
        chosen = str(event._data.get("kind", ""))
        return page.after(where, prompt, lambda _: {"save": chosen})

    page.listen(page.player.save, save)
