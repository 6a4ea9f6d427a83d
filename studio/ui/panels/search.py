"""What the composer does: search, tell the cost beforehand, change the model, roll a seed."""

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr
from pydantic import ValidationError

from studio.autopilot import scenes
from studio.checks import check_typed, draws_first_frame, read_lora
from studio.costs import of_press, reading_words
from studio.errors import InputError
from studio.timeline import ChunkRequest, Project
from studio.ui import views
from studio.ui.choices import limits
from studio.ui.memory import remembered

if TYPE_CHECKING:
    from studio.ui.page import Page

UNNAMED = Project().title


def request(values: tuple[Any, ...], seed: int = 0) -> ChunkRequest:
    """The request that the inputs spell out; an empty seed becomes `seed`.

    Raises:
        InputError: if a number is missing or is none.
    """
    (prompt, guide, model, candidates, preview_steps, steps, strategy, previews) = values[:8]
    (guidance, chosen, width, height, frames, negative, ending, loras) = values[8:16]
    (match_colours, least_likeness, cut) = values[16:]
    given = (chosen or "").strip()
    if given and not given.isdecimal():
        raise InputError(f"“{given[:20]}” is no seed. Write a whole number, or leave the field empty.")
    try:
        return ChunkRequest(
            prompt=prompt or "",
            cut=bool(cut),
            guide=guide_of(guide or {}, prompt or ""),
            last_image=(ending or {}).get("name") or None,
            model=model,
            candidates=candidates,
            preview_steps=preview_steps,
            num_inference_steps=steps,
            strategy=strategy,
            previews=previews,
            guidance_scale=guidance,
            seed=int(given) if given else seed,
            width=width,
            height=height,
            num_frames=frames,
            negative_prompt=negative or "",
            loras=tuple(read_lora(text) for text in loras or ()),
            match_colours=bool(match_colours),
            least_likeness=least_likeness or 0,
        )
    except ValidationError as problem:
        field = str(problem.errors()[0]["loc"][0]).replace("_", " ")
        raise InputError(
            f"The field “{field}” is empty or not a whole number. Fill it in again."
        ) from problem


def guide_of(image: dict[str, Any], prompt: str) -> str | None:
    """The media name of the image that is shown; one that was drawn from another prompt is none.

    A film of several scenes begins with the first.
    """
    fits = image.get("drawn") in (None, prompt.strip(), scenes(prompt)[0])
    return image.get("name") or None if fits else None


def new_seed() -> int:
    """A seed that nobody has seen yet."""
    return secrets.randbelow(1_000_000)


def bind(page: "Page") -> None:
    """Search, tell the cost beforehand, change the model, roll a seed."""
    studio, composer = page.studio, page.composer

    def search(where: dict[str, Any], said: str, *values: Any) -> dict[Any, Any]:
        def verb(at: dict[str, Any]) -> dict[str, Any]:
            wanted = request(values, new_seed())
            first = {"prompt": scenes(wanted.prompt)[0], "cut": wanted.cut and bool(at.get("head"))}
            return begin(page, at, wanted.model_copy(update=first))

        return page.after(where, said, verb)

    def price(where: dict[str, Any], *values: Any) -> tuple[Any, dict[str, Any]]:
        try:
            wanted = request(values)
            check_typed(studio.card(wanted.model), wanted, scenes(wanted.prompt)[:1])
        except InputError as problem:
            unpriced = views.button_words(values[6], int(values[3] or 1))
            return gr.update(value=unpriced), {"sentence": str(problem), "wrong": True}
        goes_on = bool(where.get("head"))
        cost = studio.cost(wanted, continues=goes_on)
        fetched = page.downloads.words(wanted, continues=goes_on)
        first = first_frame_words(page, where, wanted)
        words = reading_words(studio.worker.reading(wanted.model, wanted.prompt))
        scene = views.FIRST_SCENE if len(scenes(wanted.prompt)) > 1 else ""
        sentence = ". ".join(each for each in (cost.sentence, fetched, first, words, scene) if each)
        button = views.button_words(wanted.strategy, wanted.candidates, of_press(cost, wanted))
        return gr.update(value=button), {"sentence": sentence}

    def change_model(name: str, negative: str) -> list[Any]:
        card = studio.card(name)
        authors = {each.negative_prompt for each in studio.worker.cards()}
        of_card = gr.update(value=card.negative_prompt) if negative.strip() in {"", *authors} else gr.update()
        of = limits(card)
        names = ("preview_steps", "steps", "guidance", "width", "height", "frames")
        ending = gr.update(visible=card.takes_last_image)
        return [*(gr.update(**of[each]) for each in names), ending, of_card]

    def change_strategy(strategy: str) -> list[Any]:
        k_step, many = strategy == "k-step", strategy != "naive"
        return [gr.update(visible=shown) for shown in (many, k_step, k_step)]

    plain: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    sliders: list[Any] = [composer.preview_steps, composer.steps, composer.guidance]
    sliders += [composer.width, composer.height, composer.frames, composer.end_upload, composer.negative]
    # work that has got on has measured what a step takes
    changes = [page.blocks.load, page.gallery.change, page.player.change, composer.guide.change]
    changes += [*composer.typed(), *(each.change for each in composer.priced())]
    told = [composer.search, composer.hint]
    unchecked: dict[str, Any] = {**plain, "preprocess": False}  # a number under way may be out of its range
    asked = [page.where, *composer.choices()]
    gr.on(changes, price, asked, told, trigger_mode="always_last", **unchecked)
    shown = [composer.candidates, composer.preview_steps, composer.previews]
    composer.strategy.change(change_strategy, composer.strategy, shown, **plain)
    chosen = [composer.model, composer.negative]
    page.model_changed = composer.model.input(change_model, chosen, sliders, **plain)
    page.model_changed.then(price, asked, told, **unchecked)
    composer.dice.click(lambda: str(new_seed()), None, composer.seed, **plain)
    page.listen(composer.search.click, search, *composer.choices(), checked=False)
    remember_inputs(page, unchecked)


def remember_inputs(page: "Page", how: dict[str, Any]) -> None:
    """Keep in the browser what the inputs hold, whenever one of them changes or a film begins with them."""

    def remember(where: dict[str, Any], seconds: float | None, *values: Any) -> Any:
        try:
            now = remembered(where, request(values), values[9], (values[1] or {}).get("drawn"), seconds)
        except InputError:
            return gr.skip()
        return now if where.get("visit") else gr.skip()

    held = [page.composer.film_seconds, *page.composer.choices()]
    changes = [each.change for each in held if each is not page.composer.prompt]
    kept: tuple[Any, ...] = (remember, [page.where, *held], page.memory)
    gr.on(changes, *kept, trigger_mode="always_last", **how)
    page.where.begun(*kept, **how)


def first_frame_words(page: "Page", where: dict[str, Any], wanted: ChunkRequest) -> str:
    """What comes before the first chunk of a model that animates images, if no image is given."""
    drawn = draws_first_frame(page.studio.card(wanted.model), wanted, continues=bool(where.get("head")))
    return views.FIRST_FRAME if drawn else ""


def begin(page: "Page", where: dict[str, Any], wanted: ChunkRequest) -> dict[str, Any]:
    """Start a search where the page stands, in a new project if it stands nowhere yet.

    Raises:
        InputError: if the request cannot be made; a project made for it is gone again.
    """
    studio, project_id = page.studio, where.get("project", "")
    if project_id and not wanted.prompt.strip():
        wanted = wanted.model_copy(update={"prompt": prompt_before(page, project_id)})
    made = started(page, where, wanted.prompt, lambda at: studio.search(at, wanted))
    expected = 0 if wanted.strategy == "naive" else wanted.candidates
    return {**made, "expected": expected}


def started(page: "Page", where: dict[str, Any], title: str, start: Callable[[str], str]) -> dict[str, Any]:
    """Start a job with `start(project_id)`, in a new project if there is none yet.

    Raises:
        InputError: if it cannot be started; a project made for it is gone again.
    """
    title = title.strip()[:60]
    with page.project(where, title) as project_id:
        begun = {"project": project_id, "job": start(project_id), "settled": project_id}
    if title and page.studio.project(project_id).title == UNNAMED:  # it began with an image
        page.studio.rename_project(project_id, title)
    return begun


def prompt_before(page: "Page", project_id: str) -> str:
    """The prompt of the last chunk, which goes on where nothing else is said."""
    project = page.studio.project(project_id)
    return project.segment(project.head).request.prompt if project.head else ""
