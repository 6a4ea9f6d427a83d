"""What `make` and `extend` ask for: requests from options."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.checks import SEEDS
from studio.errors import InputError

if TYPE_CHECKING:
    from studio.studio import Studio
    from studio.timeline import ChunkRequest, Project


def requests_of(
    studio: "Studio", choices: dict[str, Any], found: "Project | None" = None
) -> "list[ChunkRequest]":
    """One request a segment, from the options of `make`, or of `extend` for the project that it found."""
    from pydantic import ValidationError

    from studio.autopilot import film
    from studio.checks import read_lora
    from studio.timeline import ChunkRequest

    basis = _basis(studio, choices["model"], found)
    width, height = _size(choices["size"]) if choices["size"] else (None, None)
    options = {
        "negative_prompt": choices["negative"],
        "width": width,
        "height": height,
        "num_frames": choices["frames"],
        "num_inference_steps": choices["steps"],
        "guidance_scale": choices["guidance"],
        "strategy": choices["strategy"],
        "previews": choices["previews"],
        "candidates": choices["candidates"],
        "preview_steps": choices["preview_steps"],
        "seed": choices["seed"],
        "cut": choices["cut"] or None,
        "loras": tuple(map(read_lora, choices["lora"])) if choices["lora"] else None,
        "match_colours": choices["match_colours"],
        "least_likeness": choices["least_likeness"],
        **{name: str(path) for name, path in _images(choices) if path is not None},
    }
    given = {name: value for name, value in options.items() if value is not None}
    try:
        first = ChunkRequest.model_validate({**basis.model_dump(), **given})
    except ValidationError as error:
        at = error.errors()[0]
        raise InputError(f"The option {at['loc'][-1]} cannot be {at['input']!r}. {at['msg']}.") from error
    prompts = [choices["prompt"], *(choices["then"] or [])]
    continues = found is not None and found.head is not None
    return film(first, prompts, studio.card, seconds=choices["seconds"], continues=continues)


def _basis(studio: "Studio", model: str | None, found: "Project | None") -> "ChunkRequest":
    """What is asked for where nothing else is said: what the last segment was made with, or the defaults.

    A film goes on with noises of its own: its seeds are counted on from those of the last segment. With
    another model it keeps its way of searching; steps and guidance are that model's.
    """
    if found is None or found.head is None:
        return studio.default_request(model or studio.settings.model)
    last = found.segment(found.head).request
    seed = last.seed + (1 if last.strategy == "naive" else last.candidates)
    kept = {"seed": seed % SEEDS, "cut": False, "guide": None, "guide_prompt": None, "last_image": None}
    if model is None or model == last.model:
        return last.model_copy(update=kept)
    chosen = ("strategy", "previews", "candidates", "match_colours", "least_likeness")
    default = studio.default_request(model).model_copy(
        update={**kept, **{name: getattr(last, name) for name in chosen}}
    )
    try:
        studio.card(model).check_size(last.height, last.width)
    except InputError:  # it joins the film with bars
        return default
    return default.model_copy(update={"height": last.height, "width": last.width})


def take_images(
    studio: "Studio",
    project: "Project",
    requests: "list[ChunkRequest]",
    choices: dict[str, Any],
) -> None:
    """Put the image that the film begins with, and the one that it is led to, into the project."""
    for at, (name, path) in zip((0, -1), _images(choices), strict=True):
        if path is not None:
            requests[at] = requests[at].model_copy(update={name: studio.add_guide(project.id, path)})


def _images(choices: dict[str, Any]) -> tuple[tuple[str, Path | None], tuple[str, Path | None]]:
    return ("guide", choices.get("guide")), ("last_image", choices["end"])


def _size(text: str) -> tuple[int, int]:
    written = re.fullmatch("([0-9]{1,6})x([0-9]{1,6})", text.lower())
    if written is None:
        raise InputError(f"A size is written as WxH, e.g. 256x256, not {text!r}.")
    return int(written[1]), int(written[2])
