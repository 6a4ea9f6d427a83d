"""HunyuanVideo 1.5: from text, or with another checkpoint from an image.

Neither calls back after its steps, so a run waits in the scheduler's step. The guidance scale is a setting of
the pipeline's guider, not an argument; each run has a guider of its own, which also keeps runs that are
carried on in turn apart. The image-to-video pipeline takes its size from the shape of the image, at the
number of pixels that the checkpoint was made for; another size than that is refused.
"""

from __future__ import annotations

import copy
from typing import Any

from PIL import Image

from models.conditioning import Conditioning
from models.errors import InputError


def variant(pipeline: Any, conditioning: Conditioning) -> Any:
    """The pipeline with a guider of its own at the run's guidance scale."""
    own = copy.copy(pipeline)
    own.guider = pipeline.guider.new(guidance_scale=conditioning.guidance_scale)
    return own


def encode(pipeline: Any, conditioning: Conditioning) -> dict[str, Any]:
    """States of both text encoders with their masks, the negative ones only where guidance asks for them.

    Raises:
        InputError: if the image-to-video pipeline would make another size than the one asked for.
    """
    if conditioning.guide is not None:
        check_size(pipeline, conditioning)
    device, dtype = pipeline._execution_device, pipeline.transformer.dtype
    names = ("prompt_embeds", "prompt_embeds_mask", "prompt_embeds_2", "prompt_embeds_mask_2")
    positive = pipeline.encode_prompt(prompt=conditioning.prompt, device=device, dtype=dtype)
    encoded = dict(zip(names, positive, strict=True))
    if conditioning.guidance_scale > 1:
        negative = pipeline.encode_prompt(prompt=conditioning.negative_prompt, device=device, dtype=dtype)
        encoded |= {f"negative_{name}": state for name, state in zip(names, negative, strict=True)}
    return encoded


def check_size(pipeline: Any, conditioning: Conditioning) -> None:
    """Check that the size asked for is the one the image-to-video pipeline makes of an image of that shape.

    Raises:
        InputError: naming the size that it would make.
    """
    asked = conditioning.height, conditioning.width
    made = pipeline.video_processor.calculate_default_height_width(*asked, target_size=pipeline.target_size)
    if tuple(made) != asked:
        height, width = made
        raise InputError(
            f"HunyuanVideo 1.5 animates an image of this shape at {width}x{height} pixels, not at "
            f"{asked[1]}x{asked[0]}. Choose {width}x{height}."
        )


def arguments(conditioning: Conditioning) -> dict[str, Any]:
    """With an image the size is not an argument; guidance is the guider's."""
    if conditioning.guide is None:
        shape: dict[str, Any] = {"height": conditioning.height, "width": conditioning.width}
    else:
        shape = {"image": Image.fromarray(conditioning.guide[-1])}
    return {
        **conditioning.options,
        **conditioning.encoded,
        **shape,
        "num_frames": conditioning.num_frames,
    }


def decode(pipeline: Any, predicted: Any, latents: Any, conditioning: Conditioning) -> Any:
    """The pipeline's own end."""
    vae = pipeline.vae
    pixels = vae.decode(predicted.to(vae.dtype) / vae.config.scaling_factor, return_dict=False)[0]
    return pipeline.video_processor.postprocess_video(pixels, output_type="np")
