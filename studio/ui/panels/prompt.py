"""The prompt box and everything that decides about the next chunk, with what it will cost."""

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
from pydantic import ValidationError

from studio.errors import InputError
from studio.timeline import ChunkRequest
from studio.ui import views
from studio.ui.live import panel
from studio.ui.look import media_url

if TYPE_CHECKING:
    from models.video_model import ModelCard
    from studio.ui.page import Page

STRATEGIES = [("k-step search", "k-step"), ("One take", "naive"), ("Brute force", "brute-force")]
PREVIEWS = [("Rough but complete", "schedule"), ("First steps of the full run", "prefix")]


@dataclass
class Composer:
    """The inputs of one chunk, in the order of `ChunkRequest`'s fields here below."""

    prompt: gr.Textbox
    upload: gr.UploadButton
    guide: gr.HTML
    model: gr.Dropdown
    candidates: gr.Slider
    preview_steps: gr.Slider
    steps: gr.Slider
    strategy: gr.Radio
    previews: gr.Radio
    guidance: gr.Slider
    seed: gr.Textbox
    dice: gr.Button
    width: gr.Slider
    height: gr.Slider
    frames: gr.Slider
    negative: gr.Textbox
    search: gr.Button
    hint: gr.HTML

    def choices(self) -> list[Any]:
        """The inputs that make a request, in the order that `request` takes their values."""
        return [
            self.prompt,
            self.guide,
            self.model,
            self.candidates,
            self.preview_steps,
            self.steps,
            self.strategy,
            self.previews,
            self.guidance,
            self.seed,
            self.width,
            self.height,
            self.frames,
            self.negative,
        ]

    def priced(self) -> list[Any]:
        """The inputs that change what a chunk costs."""
        free = (self.prompt, self.guide, self.seed, self.negative)
        return [each for each in self.choices() if each not in free]


def request(values: tuple[Any, ...], seed: int = 0) -> ChunkRequest:
    """The request that the inputs spell out; an empty seed becomes `seed`.

    Raises:
        InputError: if a number is missing or is none.
    """
    (prompt, guide, model, candidates, preview_steps, steps, strategy, previews) = values[:8]
    (guidance, chosen, width, height, frames, negative) = values[8:]
    given = (chosen or "").strip()
    if given and not given.isdecimal():
        raise InputError(f"“{given[:20]}” is no seed. Write a whole number, or leave the field empty.")
    try:
        return ChunkRequest(
            prompt=prompt or "",
            guide=(guide or {}).get("name") or None,
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
        )
    except ValidationError as problem:
        field = str(problem.errors()[0]["loc"][0]).replace("_", " ")
        raise InputError(
            f"The field “{field}” is empty or not a whole number. Fill it in again."
        ) from problem


def new_seed() -> int:
    """A seed that nobody has seen yet."""
    return secrets.randbelow(1_000_000)


def limits(card: "ModelCard") -> dict[str, dict[str, Any]]:
    """Range and default of every slider, from a model's card."""
    side = {"minimum": card.size_multiple, "maximum": card.max_side, "step": card.size_multiple}
    stride, offset = card.frame_stride, card.frame_offset
    return {
        "preview_steps": {"minimum": 1, "maximum": card.max_steps, "step": 1, "value": card.preview_steps},
        "steps": {"minimum": 1, "maximum": card.max_steps, "step": 1, "value": card.num_inference_steps},
        "guidance": {"minimum": 1, "maximum": 15, "step": 0.5, "value": card.guidance_scale},
        "width": {**side, "value": card.width},
        "height": {**side, "value": card.height},
        "frames": {
            "minimum": stride + offset,
            "maximum": card.max_frames,
            "step": stride,
            "value": card.num_frames,
        },
    }


def build(cards: list["ModelCard"], first: str) -> Composer:
    """Place the inputs, with the limits of the model that is chosen first."""
    card = next((each for each in cards if each.name == first), cards[0])
    of = limits(card)
    prompt = gr.Textbox(
        label="What happens?",
        placeholder="A fox runs through snow",
        lines=3,
        max_lines=8,
        elem_id="prompt",
        max_length=card.max_prompt_chars,
    )
    guide = panel("guide")
    search = gr.Button("Search candidates", variant="primary", elem_id="search")
    hint = panel("hint")
    with gr.Group(elem_classes="fields"):
        model = gr.Dropdown([(each.title, each.name) for each in cards], value=card.name, label="Model")
        candidates = gr.Slider(1, 8, 4, step=1, label="Candidates", elem_id="candidates")
        preview_steps = gr.Slider(
            label="Steps of a preview (k)", elem_id="preview-steps", **of["preview_steps"]
        )
        steps = gr.Slider(label="Steps of the full run", elem_id="steps", **of["steps"])
    upload = gr.UploadButton(
        "Start from an image", file_types=["image"], type="filepath", size="sm", elem_id="upload"
    )
    with gr.Accordion("Advanced", open=False, elem_id="advanced"):
        strategy = gr.Radio(STRATEGIES, value="k-step", label="How to choose", elem_id="strategy")
        previews = gr.Radio(PREVIEWS, value="schedule", label="Kind of preview", elem_id="previews")
        guidance = gr.Slider(label="Guidance", elem_id="guidance", **of["guidance"])
        with gr.Row(elem_classes="pair"):
            seed = gr.Textbox(label="Seed", placeholder="New each time", max_lines=1, elem_id="seed")
            dice = gr.Button("Roll", size="sm", elem_id="dice")
        with gr.Row(elem_classes="pair"):
            width = gr.Slider(label="Width", elem_id="width", **of["width"])
            height = gr.Slider(label="Height", elem_id="height", **of["height"])
        frames = gr.Slider(label="Frames", elem_id="frames", **of["frames"])
        negative = gr.Textbox(
            label="Keep away from", placeholder="What should not be seen", elem_id="negative"
        )
    return Composer(
        prompt, upload, guide, model, candidates, preview_steps, steps, strategy, previews, guidance, seed,
        dice, width, height, frames, negative, search, hint,
    )  # fmt: skip


def bind(page: "Page") -> None:
    """Search, tell the cost beforehand, change the model, roll a seed, take an image."""
    studio, composer = page.studio, page.composer

    def search(where: dict[str, Any], said: str, *values: Any) -> dict[Any, Any]:
        return page.after(where, said, lambda at: begin(page, at, request(values, new_seed())))

    def price(*values: Any) -> tuple[Any, dict[str, Any]]:
        try:
            wanted = request(values)
            studio.card(wanted.model).check_steps(wanted.num_inference_steps, wanted.preview_steps)
        except InputError as problem:
            return gr.update(), {"sentence": str(problem), "wrong": True}
        cost = studio.cost(wanted)
        return gr.update(value=views.button_words(wanted, cost.seconds)), {"sentence": cost.sentence}

    def change_model(name: str) -> list[Any]:
        of = limits(studio.card(name))
        names = ("preview_steps", "steps", "guidance", "width", "height", "frames")
        return [gr.update(**of[each]) for each in names]

    def upload(where: dict[str, Any], said: str, path: str) -> dict[Any, Any]:
        try:
            project_id = where.get("project") or studio.create_project().id
            name = studio.add_guide(project_id, path)
        except InputError as problem:
            return page.draw(where, said, str(problem))
        shown = {"name": name, "url": media_url(studio, project_id, name)}
        return {**page.draw({**where, "project": project_id}, said), composer.guide: shown}

    def drop(where: dict[str, Any], said: str) -> dict[Any, Any]:
        return {**page.draw(where, said), composer.guide: {}}

    plain: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    sliders = [composer.preview_steps, composer.steps, composer.guidance]
    sliders += [composer.width, composer.height, composer.frames]
    changes = [page.blocks.load, *(each.change for each in composer.priced())]
    told = [composer.search, composer.hint]
    gr.on(changes, price, composer.choices(), told, trigger_mode="always_last", **plain)
    composer.model.input(change_model, composer.model, sliders, **plain)
    composer.dice.click(lambda: str(new_seed()), None, composer.seed, **plain)
    page.listen(composer.search.click, search, *composer.choices())
    page.listen(composer.upload.upload, upload, composer.upload)
    page.listen(composer.guide.drop, drop)


def begin(page: "Page", where: dict[str, Any], wanted: ChunkRequest) -> dict[str, Any]:
    """Start a search where the page stands, in a new project if it stands nowhere yet.

    Raises:
        InputError: if the request cannot be made; a project made for it is gone again.
    """
    studio, project_id = page.studio, where.get("project", "")
    if project_id and not wanted.prompt.strip():
        wanted = wanted.model_copy(update={"prompt": prompt_before(page, project_id)})
    made = project_id or studio.create_project(wanted.prompt.strip()[:60]).id
    try:
        job = studio.search(made, wanted)
    except InputError:
        if not project_id:
            studio.delete_project(made)
        raise
    expected = 0 if wanted.strategy == "naive" else wanted.candidates
    return {"project": made, "job": job, "expected": expected}


def prompt_before(page: "Page", project_id: str) -> str:
    """The prompt of the last chunk, which goes on where nothing else is said."""
    project = page.studio.project(project_id)
    return project.segment(project.head).request.prompt if project.head else ""
