"""The film as a strip of chunks: play one, undo the last, carry on from any, switch to another ending."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.autopilot import scenes
from studio.ui.live import panel

if TYPE_CHECKING:
    from studio.timeline import Project
    from studio.ui.page import Page


def build() -> gr.HTML:
    """Place the timeline."""
    return panel("timeline")


def bind(page: "Page") -> None:
    """Undo, carry on from a chunk of this or another ending, and delete an ending."""

    def undo(where: dict[str, Any], prompt: str) -> dict[Any, Any]:
        project = page.studio.project(str(where.get("project") or ""))
        drawn = page.after(where, prompt, lambda at: page.studio.undo(at["project"]))
        if project.head is None or drawn[page.where].get("head") == project.head:
            return drawn
        return {**drawn, **asked_again(page, drawn, project, prompt)}

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


def asked_again(page: "Page", drawn: dict[Any, Any], before: "Project", prompt: str) -> dict[Any, Any]:
    """Updates that put back the cut of the last chunk of a film and its words; other words in the box stay.

    Args:
        page: shows them.
        drawn: what is drawn after the undo.
        before: the film with the chunk that is undone.
        prompt: what stands in the box; what another undo has put there comes after the words.
    """
    composer, undone = page.composer, before.branch()[-1].request
    after = [each.request.prompt for each in before.segments.values() if each.parent == before.head]
    again: dict[Any, Any] = {}
    if undone.cut:
        again[composer.cut] = gr.update(value=True, visible=True)
    if undone.prompt and (not prompt.strip() or scenes(prompt)[0] in after):
        words = f"{undone.prompt}\n{prompt}".strip()
        again[composer.prompt] = {**drawn.get(composer.prompt, gr.update()), "value": words}
        again[page.where] = {**drawn[page.where], "left": words}
    return again
