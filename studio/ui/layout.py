"""Where everything stands: the list of projects, the stage with its timeline, and the composer."""

from dataclasses import dataclass

import gradio as gr

from studio.studio import Studio
from studio.ui.live import panel
from studio.ui.panels import gallery, job, player, projects, prompt, timeline


@dataclass
class Parts:
    """Every element of the page that an event can read or change."""

    where: gr.HTML
    known: gr.BrowserState
    memory: gr.HTML
    status: gr.HTML
    notice: gr.HTML
    projects: gr.HTML
    title: gr.Textbox
    gallery: gr.HTML
    player: gr.HTML
    job: gr.HTML
    timeline: gr.HTML
    composer: prompt.Composer
    clock: gr.Timer


def place(studio: Studio) -> Parts:
    """Place all panels; called inside `gr.Blocks`."""
    # what browsers were called before they named themselves; nothing is written there any more
    where, known = panel("where"), gr.BrowserState("", storage_key="studio:visitor", secret="studio")
    memory, settings = panel("memory"), studio.settings
    panel("files", value={"image": settings.max_upload_mb, "video": settings.max_film_mb})
    with gr.Row(elem_id="topbar"):
        panel("brand")
        title = projects.build_title()
        status = panel("status")
    with gr.Row(elem_id="workspace"):
        listed = projects.build()
        with gr.Column(elem_id="main"):
            notice = panel("notice")
            with gr.Column(elem_id="stage"):
                film = player.build()
                takes = gallery.build()
            progress = job.build()
            strip = timeline.build()
        with gr.Column(elem_id="composer"):
            panel("intro")
            composer = prompt.build(
                studio.cards(), studio.settings.model, studio.worker.is_here, studio.worker.loras()
            )
    clock = gr.Timer(IDLE_SECONDS)
    return Parts(
        where, known, memory, status, notice, listed, title, takes, film, progress, strip, composer, clock
    )


IDLE_SECONDS = 3.0
BUSY_SECONDS = 0.5
