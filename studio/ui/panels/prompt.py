"""The inputs that decide about the next chunk, with the limits of the chosen model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.timeline import ChunkRequest
from studio.ui.choices import limits, models
from studio.ui.live import panel
from studio.ui.panels import advanced, shot

if TYPE_CHECKING:
    from models.video_model import ModelCard


@dataclass
class Composer:
    """The inputs of one chunk, in the order of `ChunkRequest`'s fields here below."""

    prompt: gr.Textbox
    cut: gr.Checkbox
    upload: gr.UploadButton
    guide: gr.HTML
    end_upload: gr.UploadButton
    ending: gr.HTML
    loras: gr.Dropdown
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
    match_colours: gr.Checkbox
    least_likeness: gr.Slider
    search: gr.Button
    hint: gr.HTML
    film_seconds: gr.Slider
    film: gr.Button
    film_hint: gr.HTML

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
            self.ending,
            self.loras,
            self.match_colours,
            self.least_likeness,
            self.cut,
        ]

    def kept(self) -> dict[str, Any]:
        """The inputs that a film goes on with, by the names of `ChunkRequest`'s fields."""
        return {
            "model": self.model,
            "candidates": self.candidates,
            "preview_steps": self.preview_steps,
            "num_inference_steps": self.steps,
            "strategy": self.strategy,
            "previews": self.previews,
            "guidance_scale": self.guidance,
            "width": self.width,
            "height": self.height,
            "num_frames": self.frames,
            "negative_prompt": self.negative,
            "loras": self.loras,
            "match_colours": self.match_colours,
            "least_likeness": self.least_likeness,
        }

    def filled(self, card: "ModelCard", request: ChunkRequest) -> dict[Any, Any]:
        """Updates that put a request into these inputs, with the limits of its model."""
        of = limits(card)
        ranges = {
            "preview_steps": of["preview_steps"],
            "num_inference_steps": of["steps"],
            "guidance_scale": of["guidance"],
            "width": of["width"],
            "height": of["height"],
            "num_frames": of["frames"],
        }
        loras = [each.name if each.weight == 1 else f"{each.name}:{each.weight:g}" for each in request.loras]
        values = {**request.model_dump(), "loras": loras}
        updates = {
            part: gr.update(**{**ranges.get(name, {}), "value": values[name]})
            for name, part in self.kept().items()
        }
        if loras:  # also where the files are not here, so that they can be left out
            updates[self.loras] = gr.update(value=loras, visible=True)
        return {**updates, self.end_upload: gr.update(visible=card.takes_last_image)}

    def offered(
        self, cards: list["ModelCard"], here: Callable[[str], bool], lora_files: list[str]
    ) -> dict[Any, Any]:
        """Updates that offer what is on this machine by now: models and LoRA files come while it is open."""
        loras = gr.update(choices=lora_files, visible=bool(lora_files))
        return {self.model: gr.update(choices=models(cards, here)), self.loras: loras}

    def typed(self) -> list[Any]:
        """The events after which what was typed may be refused, or not any more."""
        return [self.prompt.blur, self.negative.blur, self.seed.change, self.loras.change]

    def priced(self) -> list[Any]:
        """The inputs that change what a chunk costs; not the model, whose sliders come with it."""
        free = (
            self.prompt,
            self.model,
            self.seed,
            self.negative,
            self.ending,
            self.loras,
            self.match_colours,
            self.least_likeness,
        )
        return [each for each in self.choices() if each not in free]


def build(
    cards: list["ModelCard"], first: str, here: Callable[[str], bool], lora_files: list[str]
) -> Composer:
    """Place the inputs, with the limits of the model that is chosen first."""
    card = next((each for each in cards if each.name == first), cards[0])
    of = limits(card)
    prompt = gr.Textbox(
        label="What happens?",
        placeholder="A fox runs through snow",
        lines=3,
        max_lines=8,
        elem_id="prompt",
    )
    guide = panel("guide")
    ending = panel("guide", "ending")
    cut = shot.build()
    search = gr.Button("Search candidates", variant="primary", elem_id="search")
    hint = panel("hint")
    with gr.Group(elem_classes="fields"):
        model = gr.Dropdown(
            models(cards, here),
            value=card.name,
            label="Model",
            elem_id="model",
        )
        candidates = gr.Slider(1, 8, 4, step=1, label="Candidates", elem_id="candidates")
        preview_steps = gr.Slider(
            label="Steps of a preview (k)", elem_id="preview-steps", **of["preview_steps"]
        )
        steps = gr.Slider(label="Steps of the full run", elem_id="steps", **of["steps"])
    with gr.Group(elem_classes="fields", elem_id="autopilot"):
        film_seconds = gr.Slider(
            2,
            120,
            8,
            step=1,
            label="Or a whole film, in seconds",
            elem_id="film-seconds",
        )
        film = gr.Button("Make the film", elem_id="film")
        film_hint = panel("hint", "film-hint")
    upload = gr.UploadButton(
        "Start from an image or a film",
        file_types=["image", "video"],
        type="filepath",
        size="sm",
        elem_id="upload",
    )
    more = advanced.build(card, of, lora_files)
    return Composer(
        prompt=prompt, cut=cut, upload=upload, guide=guide, ending=ending, model=model, candidates=candidates,
        preview_steps=preview_steps, steps=steps, search=search, hint=hint,
        film_seconds=film_seconds, film=film, film_hint=film_hint, **more,
    )  # fmt: skip
