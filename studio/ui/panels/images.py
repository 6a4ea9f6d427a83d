"""The images that a chunk begins and ends with; a film that was exported opens its project instead."""

from typing import TYPE_CHECKING, Any

from studio.errors import InputError
from studio.ui.look import elsewhere, media_url

if TYPE_CHECKING:
    from studio.ui.page import Page


def bind(page: "Page") -> None:
    """Take an image or a film in, and take an image away again."""
    studio, composer = page.studio, page.composer

    def stayed(where: dict[str, Any], said: str) -> dict[Any, Any]:
        """Draw without taking an image away: the other one may have been given at the same time."""
        drawn = page.draw(where, said)
        return {part: value for part, value in drawn.items() if part not in (composer.guide, composer.ending)}

    def upload(where: dict[str, Any], said: str, path: str) -> dict[Any, Any]:
        try:
            if (restored := studio.restore(path, str(where.get("visitor") or ""))) is not None:
                return page.draw(elsewhere(where, restored.id), said)
            project_id, name = take_in(page, where, path)
        except InputError as problem:
            return page.draw(where, said, str(problem))
        shown = {"name": name, "url": media_url(studio, project_id, name)}
        return {**stayed({**where, "project": project_id}, said), composer.guide: shown}

    def drop(where: dict[str, Any], said: str) -> dict[Any, Any]:
        return {**page.draw(where, said), composer.guide: {}}

    def end(where: dict[str, Any], said: str, path: str) -> dict[Any, Any]:
        try:
            project_id, name = take_in(page, where, path)
        except InputError as problem:
            return page.draw(where, said, str(problem))
        shown = {"name": name, "url": media_url(studio, project_id, name), "last": True}
        return {**stayed({**where, "project": project_id}, said), composer.ending: shown}

    def drop_end(where: dict[str, Any], said: str) -> dict[Any, Any]:
        return {**page.draw(where, said), composer.ending: {}}

    page.listen(composer.upload.upload, upload, composer.upload)
    page.listen(composer.guide.drop, drop)
    page.listen(composer.end_upload.upload, end, composer.end_upload)
    page.listen(composer.ending.drop, drop_end)


def take_in(page: "Page", where: dict[str, Any], path: str) -> tuple[str, str]:
    """Take an image or a video's end into a project, a new one if there is none: its id, the media name.

    Raises:
        InputError: if it is neither; a project made for it is gone again.
    """
    with page.project(where) as project_id:
        return project_id, page.studio.add_guide(project_id, path)
