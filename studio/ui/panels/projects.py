"""The list of projects, and the title of the open one."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.errors import InputError
from studio.ui.live import panel, sent
from studio.ui.look import elsewhere, interruption
from studio.ui.memory import Memory, recalled

if TYPE_CHECKING:
    from studio.ui.page import Page


def build() -> gr.HTML:
    """Place the list."""
    return panel("projects")


def build_title() -> gr.Textbox:
    """Place the title of the open project."""
    return gr.Textbox(
        label="Project title",
        placeholder="Untitled project",
        show_label=False,
        container=False,
        max_lines=1,
        elem_id="title",
    )


def bind(page: "Page") -> None:
    """Open, begin, delete and rename."""
    uncut = {page.composer.cut: gr.update(value=False, visible=False)}

    def open_(
        where: dict[str, Any], prompt: str, memory: Memory | None, event: gr.EventData
    ) -> dict[Any, Any]:
        project_id = str(event._data.get("id", ""))
        drawn = page.draw(elsewhere(where, project_id), prompt, interruption(page.studio, project_id))
        return {**uncut, **drawn, **recalled(page, memory, drawn[page.where])}

    def fresh(where: dict[str, Any], prompt: str) -> dict[Any, Any]:
        at = elsewhere(where) if where.get("project") else where  # a title that is being typed stays
        return {**uncut, **page.draw(at, prompt)}

    def remove(where: dict[str, Any], prompt: str, event: gr.EventData) -> dict[Any, Any]:
        project_id = str(event._data.get("id", ""))
        try:
            page.delete(where, project_id)
        except InputError as problem:
            return page.draw(where, prompt, str(problem))
        return page.draw(elsewhere(where) if where.get("project") == project_id else where, prompt)

    def rename(where: dict[str, Any], prompt: str, title: str) -> dict[Any, Any]:
        project_id = str(where.get("project") or "")
        kept = page.studio.project(project_id).title if project_id else ""
        if title.strip() in ("", kept):
            # with the place: without it an answer that comes late would name the next project after this one
            return {**page.keep_up(where, prompt), page.title: gr.update(value=kept)}
        if not project_id:  # a film that begins with its name
            return page.after(where, prompt, lambda at: {"project": named(at, title)})
        try:
            page.own(where, project_id, "rename it")
        except InputError as problem:
            return {**page.draw(where, prompt, str(problem)), page.title: gr.update(value=kept)}
        return page.after(where, prompt, lambda at: page.studio.rename_project(at["project"], title))

    def named(where: dict[str, Any], title: str) -> str:
        with page.project(where, title) as project_id:
            return project_id

    # Back asks for the next one while the answer to the one before is drawn
    page.listen(page.projects.open, open_, page.memory, together=True, js=sent(remembered=True))
    page.listen(page.projects.fresh, fresh)
    page.listen(page.projects.remove, remove)
    page.listen(page.title.submit, rename, page.title)
    page.listen(page.title.blur, rename, page.title)
