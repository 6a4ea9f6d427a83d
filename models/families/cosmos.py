"""Cosmos-Predict2.5: from words, an image, or the last five frames, which it takes as two latent frames.

NVIDIA's licence asks for its safety checker, and the pipeline does not run without: the package
`cosmos_guardrail` reads the prompt and blurs the faces of what was made. The pipeline has a prompt read only
where it encodes it in the call itself, so `encode` asks the checker; previews are looked over as clips are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from models.conditioning import Conditioning
from models.errors import InputError
from models.video_model import ModelCard


def checker_is_there() -> bool:
    """Whether diffusers finds NVIDIA's package."""
    from diffusers.utils import is_cosmos_guardrail_available

    return bool(is_cosmos_guardrail_available())


def check_installed(card: ModelCard) -> None:
    """The safety checker is a package of its own.

    Raises:
        InputError: if it is not there.
    """
    if not checker_is_there():
        raise InputError(
            f"The licence of {card.title} asks for NVIDIA's safety checker, which is not installed: "
            '.venv/bin/pip install -e ".[cosmos]".'
        )


def pipeline_class(card: ModelCard) -> type[Any]:
    """The pipeline asks its parts in turn where it is, and the safety checker (0.3.2) fails to say."""
    import diffusers

    class Placed(diffusers.Cosmos2_5_PredictBasePipeline):
        @property
        def device(self) -> Any:
            return self.transformer.device

    Placed.__name__ = card.pipeline_class
    return Placed


def encode(pipeline: Any, conditioning: Conditioning) -> dict[str, Any]:
    """Text states, the negative ones only where guidance asks for them.

    Raises:
        InputError: if the safety checker refuses the prompt.
    """
    device = pipeline._execution_device
    pipeline.safety_checker.to(device)
    if not pipeline.safety_checker.check_text_safety(conditioning.prompt):
        raise InputError(
            "NVIDIA's safety checker, which the licence of this model asks for, refuses the prompt. Write "
            "another one, or choose another model."
        )
    states, negative = pipeline.encode_prompt(
        prompt=conditioning.prompt,
        negative_prompt=conditioning.negative_prompt,
        do_classifier_free_guidance=conditioning.guidance_scale > 1,
        device=device,
    )
    return {"prompt_embeds": states, "negative_prompt_embeds": negative}


def arguments(conditioning: Conditioning) -> dict[str, Any]:
    """An image is one frame that is known; a prefix, as the pipeline counts, two latent frames."""
    known: dict[str, Any] = {}
    if conditioning.guide is not None:
        frames = [Image.fromarray(frame) for frame in conditioning.guide]
        known = {"image": frames[0]} if len(frames) == 1 else {"video": frames}
    return {
        **conditioning.options,
        **conditioning.encoded,
        **known,
        "height": conditioning.height,
        "width": conditioning.width,
        "num_frames": conditioning.num_frames,
        "guidance_scale": conditioning.guidance_scale,
    }


def decode(pipeline: Any, predicted: Any, latents: Any, conditioning: Conditioning) -> Any:
    """The pipeline's own end, faces blurred as there."""
    mean, spread = (
        each.to(predicted.device, predicted.dtype) for each in (pipeline.latents_mean, pipeline.latents_std)
    )
    clean = predicted / spread + mean
    pixels = pipeline.vae.decode(clean.to(pipeline.vae.dtype), return_dict=False)[0]
    pixels = pipeline._match_num_frames(pixels, conditioning.num_frames)
    frames = pipeline.video_processor.postprocess_video(pixels, output_type="np")
    checked = pipeline.safety_checker.check_video_safety((frames[0] * 255).astype(np.uint8))
    return np.asarray(checked, np.float32)[None] / 255
