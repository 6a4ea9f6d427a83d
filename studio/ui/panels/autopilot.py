"""The film that makes itself: a length, what it costs, and one button."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.autopilot import film, scenes
from studio.checks import check_typed
from studio.errors import InputError
from studio.timeline import ChunkRequest
from studio.ui import views
from studio.ui.panels.search import first_frame_words, new_seed, prompt_before, request, started

if TYPE_CHECKING:
    from studio.ui.page import Page


def bind(page: "Page") -> None:
    """Make a film of a length, and tell its cost beforehand."""
    studio, composer = page.studio, page.composer

    def requests(where: dict[str, Any], seconds: float, wanted: ChunkRequest) -> list[ChunkRequest]:
        project_id = where.get("project", "")
        goes_on = bool(project_id) and studio.project(project_id).head is not None
        prompts = scenes(wanted.prompt.strip() or (prompt_before(page, project_id) if goes_on else ""))
        return film(wanted, prompts, studio.card, seconds=seconds or 0, continues=goes_on)

    def make(where: dict[str, Any], said: str, seconds: float, *values: Any) -> dict[Any, Any]:
        def verb(at: dict[str, Any]) -> dict[str, Any]:
            planned = requests(at, seconds, request(values, new_seed()))
            title = planned[0].prompt
            made = started(page, at, title, lambda to: studio.make(to, planned))
            first = planned[0]
            return {**made, "expected": 0 if first.strategy == "naive" else first.candidates}

        return page.after(where, said, verb)

    def price(where: dict[str, Any], seconds: float, *values: Any) -> tuple[Any, dict[str, Any]]:
        goes_on = bool(where.get("head"))
        try:
            wanted = request(values)
            check_typed(studio.card(wanted.model), wanted, scenes(wanted.prompt))
            planned = requests(where, seconds, wanted)
        except InputError as problem:
            unpriced = views.film_words(seconds or 0, goes_on=goes_on)
            return gr.update(value=unpriced), {"sentence": str(problem), "wrong": True}
        cost = studio.cost(*planned, continues=goes_on, guarded=True)
        words = views.film_words(seconds, cost.seconds, goes_on=goes_on)
        fetched = page.downloads.words(*planned, continues=goes_on)
        first = first_frame_words(page, where, planned[0])
        sentence = ". ".join(each for each in (cost.sentence, fetched, first, views.SCENES) if each)
        return gr.update(value=words), {"sentence": sentence}

    # work that has got on has measured what a step takes
    changes = [page.blocks.load, page.gallery.change, page.player.change, composer.guide.change]
    changes += [each.change for each in (*composer.priced(), composer.film_seconds, composer.least_likeness)]
    changes += composer.typed()
    asked = [page.where, composer.film_seconds, *composer.choices()]
    told = [composer.film, composer.film_hint]
    plain: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    plain["preprocess"] = False  # a number under way may be out of its range
    gr.on(changes, price, asked, told, trigger_mode="always_last", **plain)
    page.model_changed.then(price, asked, told, **plain)
    page.listen(composer.film.click, make, composer.film_seconds, *composer.choices(), checked=False)
