"""SANA-Video: from text through `SanaVideoPipeline`, from an image through `SanaImageToVideoPipeline`.

Both pipelines share one checkpoint, which ships the multistep scheduler for text; from an image the authors
take flow matching by Euler steps with the same shift. The image is the first latent frame and does not move:
the scheduler sees only the frames after it. Left alone, the pipelines swap the size for the nearest of a
table and stretch the result back; here the size is the one asked for.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any

from PIL import Image

from models.conditioning import Conditioning
from models.families import named_text_states, over

IMAGE_SHIFT = 8.0
"""The authors' timestep shift from an image."""
MOTION = "motion score: 30."
"""What the authors write after every prompt; how much moves."""


def variant(pipeline: Any, conditioning: Conditioning) -> Any:
    """The pipeline for text or, with flow matching by Euler steps, for an image, over the same modules."""
    from diffusers import FlowMatchEulerDiscreteScheduler, SanaImageToVideoPipeline

    if conditioning.guide is None:
        return copy.copy(pipeline)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=IMAGE_SHIFT)
    return over(pipeline, SanaImageToVideoPipeline, scheduler=scheduler)


def encode(pipeline: Any, conditioning: Conditioning) -> dict[str, Any]:
    """Text states with their masks; what the authors put before a prompt is the pipeline's own.

    A prompt that names another motion score keeps it.
    """
    call = inspect.signature(type(pipeline).__call__).parameters
    prompt = conditioning.prompt
    states = pipeline.encode_prompt(
        prompt if "motion score" in prompt.lower() else f"{prompt} {MOTION}",
        conditioning.guidance_scale > 1,
        negative_prompt=conditioning.negative_prompt,
        max_sequence_length=call["max_sequence_length"].default,
        complex_human_instruction=call["complex_human_instruction"].default,
        device=pipeline._execution_device,
    )
    return named_text_states(states)


def arguments(conditioning: Conditioning) -> dict[str, Any]:
    """The number of frames is called `frames` here."""
    image = {} if conditioning.guide is None else {"image": Image.fromarray(conditioning.guide[-1])}
    return {
        **conditioning.options,
        **conditioning.encoded,
        **image,
        "negative_prompt": None,  # its default would be a second one beside the encoded
        "height": conditioning.height,
        "width": conditioning.width,
        "frames": conditioning.num_frames,
        "guidance_scale": conditioning.guidance_scale,
        "use_resolution_binning": False,
    }


def decode(pipeline: Any, predicted: Any, latents: Any, conditioning: Conditioning) -> Any:
    """The pipelines' own end, with the image's latent frame put before the predicted ones."""
    import torch

    known = latents.shape[2] - predicted.shape[2]
    vae = pipeline.vae
    clean = torch.cat([latents[:, :, :known], predicted], dim=2).to(vae.dtype)
    mean, std = (
        torch.as_tensor(values).view(1, -1, 1, 1, 1).to(clean.device, clean.dtype) for values in scale(vae)
    )
    pixels = vae.decode(clean / (1.0 / std) + mean, return_dict=False)[0]
    return pipeline.video_processor.postprocess_video(pixels, output_type="np")


def scale(vae: Any) -> tuple[Any, Any]:
    """Mean and spread of the latents by channel: 480p has Wan's autoencoder, 720p has LTX-2's."""
    source = vae if hasattr(vae, "latents_mean") else vae.config
    return source.latents_mean, source.latents_std
