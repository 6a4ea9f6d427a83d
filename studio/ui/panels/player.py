"""The film so far, with its download; on an empty project, how to begin."""

import json

import gradio as gr

from studio.ui.live import ASSETS, panel


def examples() -> list[str]:
    """Prompts that the embedded model can draw."""
    return [str(each) for each in json.loads((ASSETS / "examples.json").read_text(encoding="utf-8"))]


def build() -> gr.HTML:
    """Place the player."""
    return panel("player")
