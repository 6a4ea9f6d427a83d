"""Progress of the work under way, and the way to stop it."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.ui.live import panel

if TYPE_CHECKING:
    from studio.ui.page import Page


def build() -> gr.HTML:
    """Place the progress bar."""
    return panel("job")


def bind(page: "Page") -> None:
    """Stop the work after the step it is in."""

    def halt(where: dict[str, Any], prompt: str, event: gr.EventData) -> dict[Any, Any]:
        job_id = str(event._data.get("id", ""))
        return page.after(where, prompt, lambda at: page.studio.cancel(job_id))

    page.listen(page.job.halt, halt)
