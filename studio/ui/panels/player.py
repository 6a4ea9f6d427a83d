"""The film so far, with its download; on an empty project, how to begin."""

import json

import gradio as gr

from studio.ui.live import ASSETS, panel
from studio.ui.look import file_url


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
