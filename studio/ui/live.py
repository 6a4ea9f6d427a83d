"""Panels drawn in the browser by constant scripts.

A panel's template never changes and its value is plain data. Words from people reach the page through
`textContent` alone: Gradio's own templates would run `${...}` and `<img onerror>` in a prompt.
"""

from pathlib import Path

import gradio as gr

ASSETS = Path(__file__).resolve().parents[2] / "assets"


def script(name: str) -> str:
    """The text of one constant script in `assets/js`."""
    return (ASSETS / "js" / f"{name}.js").read_text(encoding="utf-8")


def sent(inputs: str, instead: str) -> str:
    """A script for the `js` of an event, which sends other values than those of its inputs.

    Args:
        inputs: names of the inputs in the script.
        instead: what is sent, in JavaScript that knows them and `assets/js/browser.js`.
    """
    return f"({inputs}) => {{\n{script('browser')}\nreturn [{instead}];\n}}"


def panel(name: str, elem_id: str = "") -> gr.HTML:
    """An element of the page whose value is data, drawn by `assets/js/<name>.js`; called so unless told.

    Names of events that the script triggers become listeners, e.g. `panel.pick(handler)`.
    """
    return gr.HTML(
        value={},
        html_template="",
        css_template="",
        js_on_load="\n".join(map(script, ("dom", "browser", name))),
        apply_default_css=False,
        elem_id=elem_id or name,
    )
