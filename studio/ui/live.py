"""Panels drawn in the browser by constant scripts.

A panel's template never changes and its value is plain data. Words from people reach the page through
`textContent` alone: Gradio's own templates would run `${...}` and `<img onerror>` in a prompt.
"""

from pathlib import Path
from typing import Any

import gradio as gr

ASSETS = Path(__file__).resolve().parents[2] / "assets"


def script(name: str) -> str:
    """The text of one constant script in `assets/js`."""
    return (ASSETS / "js" / f"{name}.js").read_text(encoding="utf-8")


def sent(*, remembered: bool = False) -> str:
    """The `js` of an event whose first input is `where`: the browser says who it is.

    Args:
        remembered: whether what it keeps of the inputs is sent in the place of the third input.
    """
    if remembered:
        return "(where, said) => [studioBrowser.named(where), said, studioBrowser.memories()]"
    return "(where, ...others) => [studioBrowser.named(where), ...others]"


def sent_first() -> str:
    """The `js` of the event that loads the page: `where`, what the browser was called before, its memory."""
    named = "browser.known(known);\nreturn [browser.named(where), known, browser.memories()];"
    return f"(where, known) => {{\n{script('browser')}\n{named}\n}}"


def panel(name: str, elem_id: str = "", value: dict[str, Any] | None = None) -> gr.HTML:
    """An element of the page whose value is data, drawn by `assets/js/<name>.js`; called so unless told.

    Names of events that the script triggers become listeners, e.g. `panel.pick(handler)`.
    """
    return gr.HTML(
        value=value or {},
        html_template="",
        css_template="",
        js_on_load="\n".join(map(script, ("dom", "browser", name))),
        apply_default_css=False,
        elem_id=elem_id or name,
    )
