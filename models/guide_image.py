"""One picture from a prompt and a seed, to begin a film with: what Stable Diffusion does in the paper.

Any diffusers text-to-image pipeline serves. It is loaded for one picture and let go of, so that it does not
keep its memory from the video model.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models import download, placement, weights
from models.clip import Frames
from models.continuation import cover
from models.errors import InputError
from models.image_model import IMAGE_MODEL, image_model
from models.memory import give_freed_memory_back
from models.placing import place
from models.video_model import ModelCard


def draw(
    prompt: str,
    seed: int,
    card: ModelCard,
    *,
    negative_prompt: str = "",
    size: tuple[int, int] | None = None,
    num_inference_steps: int | None = None,
    source: Path | str | None = None,
    device: placement.Wishes | str | None = None,
    tell: Callable[[str], None] | None = None,
) -> Frames:
    """Draw a guide image for a video model.

    The picture is drawn near the image model's own size in the shape of the wanted size, then scaled to it.

    Args:
        prompt: what is seen.
        seed: of the initial noise.
        card: of the video model.
        negative_prompt: what to keep away from.
        size: height and width in pixels; None for the card's default size.
        num_inference_steps: None for the image model's own.
        source: folder or hub id of another text-to-image pipeline.
        device: `cpu`, `cuda`, ...; None lets `models.placement` choose.
        tell: hears about the download and every step; what it raises ends the drawing.

    Returns:
        `[H, W, 3]` uint8.

    Raises:
        InputError: if the prompt is empty, the steps are outside their limits, weights are missing, or the
            image model's safety checker refuses what it drew.
    """
    if num_inference_steps is not None:
        IMAGE_MODEL.check_steps(num_inference_steps)
    prompt = IMAGE_MODEL.check_prompt(prompt)
    wanted = size or (card.height, card.width)
    words = {"prompt": prompt, "negative_prompt": negative_prompt.strip() or None}
    try:
        drawn = _drawn(words, seed, wanted, num_inference_steps, source, device, tell)
    except BaseException as error:
        _let_go(error)
        raise
    finally:
        give_freed_memory_back()  # before the video model is placed by what is free
    return cover((first_picture(drawn) * 255).round().astype(np.uint8), *wanted)


def _drawn(
    words: dict[str, str | None],
    seed: int,
    size: tuple[int, int],
    num_inference_steps: int | None,
    source: Path | str | None,
    device: placement.Wishes | str | None,
    tell: Callable[[str], None] | None,
) -> Any:
    """What a pipeline gives that is loaded for this call and let go of at its end."""
    pipeline = load(source, device, tell)
    height, width = drawing_size(*size, own_side(pipeline))
    steps = num_inference_steps or own_steps(pipeline)
    with torch.no_grad():
        return pipeline(
            **words,
            height=height,
            width=width,
            num_inference_steps=steps,
            generator=torch.Generator("cpu").manual_seed(seed),
            output_type="np",
            callback_on_step_end=telling(tell, steps),
        )


def _let_go(error: BaseException) -> None:
    """Empty the frames of the calls that an error ended, which hold the pipeline until it is dealt with."""
    traceback.clear_frames(error.__traceback__)
    for frame, _ in traceback.walk_tb(error.__traceback__):
        len(frame.f_locals)  # before Python 3.13 what `locals()` gave stays until the next look at it


def telling(tell: Callable[[str], None] | None, steps: int) -> Callable[..., dict[str, Any]]:
    """What a pipeline calls after each of its steps."""

    def after(_: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        if tell is not None:
            tell(f"drawing the first frame, step {step + 1} of {steps}")
        return tensors

    return after


def first_picture(drawn: Any) -> Any:
    """The picture `[H, W, 3]`, 0..1, in what a text-to-image pipeline gave.

    Raises:
        InputError: if its safety checker refused it, in which case it is black.
    """
    if any(getattr(drawn, "nsfw_content_detected", None) or []):
        raise InputError(
            "The image model's safety checker refuses the picture that it drew. Take another seed, or "
            "other words."
        )
    return drawn.images[0]


def own_side(pipeline: Any) -> int:
    """Side in pixels of the square pictures that a text-to-image pipeline was trained on."""
    cells = getattr(pipeline, "default_sample_size", None)  # where the first Stable Diffusion has none
    if cells is None and hasattr(pipeline, "unet"):
        cells = pipeline.unet.config.sample_size
    return int(cells * pipeline.vae_scale_factor) if isinstance(cells, int) else IMAGE_MODEL.height


def own_steps(pipeline: Any) -> int:
    """The pipeline's default number of steps."""
    default = inspect.signature(pipeline.__call__).parameters["num_inference_steps"].default
    return default if isinstance(default, int) else IMAGE_MODEL.num_inference_steps


def drawing_size(height: int, width: int, side: int = IMAGE_MODEL.height) -> tuple[int, int]:
    """Height and width to draw at: the shape asked for, the image model's area, multiples of 16 pixels.

    Args:
        height, width: of the shape.
        side: of the square pictures that the image model was trained on.
    """
    multiple = IMAGE_MODEL.size_multiple
    scale = side / (height * width) ** 0.5
    rows, columns = (max(multiple, round(each * scale / multiple) * multiple) for each in (height, width))
    return rows, columns


def _as_large_as(folder: Path) -> ModelCard:
    """The card of the default with the memory that the weights in a folder need, in all and by part.

    That float16 is wide enough is known only of the likes of Stable Diffusion, which have a U-Net.
    """
    network = sum(_weights_size(folder / name) for name in weights.NETWORKS)
    text_encoder = max(map(_weights_size, folder.glob("text_encoder*")), default=0)
    return replace(
        IMAGE_MODEL,
        float16=(folder / "unet").is_dir(),
        memory_gb=max(IMAGE_MODEL.memory_gb, round(sum(map(_weights_size, folder.glob("*/"))) * 1.3 / 2**30)),
        parameters_b=network / 2e9 or IMAGE_MODEL.parameters_b,
        text_encoder_gb=text_encoder / 2**30 or IMAGE_MODEL.text_encoder_gb,
    )


def _weights_size(folder: Path) -> int:
    """Bytes of the weights of a part; those of other number formats that lie beside them are not loaded."""
    loaded = (file for file in folder.rglob("*.safetensors") if not any(map(file.match, download.OTHERS)))
    return sum(file.stat().st_size for file in loaded)


def load(
    source: Path | str | None,
    device: placement.Wishes | str | None,
    tell: Callable[[str], None] | None = None,
) -> Any:
    """The text-to-image pipeline, placed."""
    from diffusers import AutoPipelineForText2Image

    wanted = image_model(source)
    folder = download.fetch(wanted, tell) if download.on_hub(wanted) else wanted.source
    if source is not None:
        wanted = _as_large_as(Path(str(folder)))
    wishes = placement.Wishes(device=device) if isinstance(device, str) else device or placement.Wishes()
    wishes = placement.Wishes(wishes.device, wishes.offload)  # the others are for a video model's network
    where = placement.choose(wanted, placement.this_machine(wishes), wishes)
    dtype = getattr(torch, where.dtype)
    pipeline = weights.load_pipeline(AutoPipelineForText2Image, IMAGE_MODEL, folder, dtype)
    pipeline.set_progress_bar_config(disable=True)
    return place(pipeline, where)
