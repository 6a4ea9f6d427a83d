"""Wan 2.1 and 2.2: text, one image, first and last image, and with VACE any frames that are known.

VACE is told what is known by a mask, black for what is kept and white for what is made, and sees grey where
nothing is known. The 5B model of 2.2 holds its first latent frame fixed by a timestep of its own.
"""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image

from models.clip import Frames
from models.conditioning import Conditioning
from models.families import over

TEXT_TOKENS = 512
"""Length that the networks were trained with; `encode_prompt` by itself would take 226."""

FIRST_LATENTS = "first latents"
"""What only `decode` needs: the latent frame of the guide where it is put in at the end."""


def encode(pipeline: Any, conditioning: Conditioning) -> dict[str, Any]:
    """Both prompts; the guide as the pipeline takes it."""
    prompt_embeds, negative_embeds = pipeline.encode_prompt(
        conditioning.prompt,
        conditioning.negative_prompt,
        do_classifier_free_guidance=conditioning.guidance_scale > 1,
        max_sequence_length=TEXT_TOKENS,
    )
    encoded = {"prompt_embeds": prompt_embeds, "negative_prompt_embeds": negative_embeds}
    if conditioning.guide is None:
        return encoded
    if hasattr(pipeline, "prepare_masks"):
        return encoded | known_frames(conditioning)
    encoded["image"] = Image.fromarray(conditioning.guide[-1])
    if conditioning.last_image is not None:
        encoded["last_image"] = Image.fromarray(conditioning.last_image)
    if pipeline.config.expand_timesteps:
        encoded[FIRST_LATENTS] = first_latents(pipeline, encoded["image"], conditioning)
    return encoded


def variant(pipeline: Any, conditioning: Conditioning) -> Any:
    """Text alone goes through `WanPipeline`, also where the checkpoint was loaded for images."""
    from diffusers import WanImageToVideoPipeline, WanPipeline

    if conditioning.guide is not None or not isinstance(pipeline, WanImageToVideoPipeline):
        return pipeline
    settings = {name: pipeline.config[name] for name in ("boundary_ratio", "expand_timesteps")}
    return over(pipeline, WanPipeline, **settings)


def arguments(conditioning: Conditioning) -> dict[str, Any]:
    """The prompts are encoded already; the pipeline encodes the guide, which draws no noise."""
    return {
        **{name: value for name, value in conditioning.encoded.items() if name != FIRST_LATENTS},
        **conditioning.options,
        "height": conditioning.height,
        "width": conditioning.width,
        "num_frames": conditioning.num_frames,
        "guidance_scale": conditioning.guidance_scale,
    }


def decode(pipeline: Any, predicted: Any, latents: Any, conditioning: Conditioning) -> Any:
    """The pipeline's own end: the guide's latents put in, the latents' own scale taken back."""
    first = conditioning.encoded.get(FIRST_LATENTS)
    if first is not None:
        predicted = torch.cat([first, predicted[:, :, first.shape[2] :]], dim=2)
    predicted = predicted.to(pipeline.vae.dtype)
    mean, scale = latent_statistics(pipeline.vae, predicted)
    video = pipeline.vae.decode(predicted / scale + mean, return_dict=False)[0]
    return pipeline.video_processor.postprocess_video(video, output_type="np")


def known_frames(conditioning: Conditioning) -> dict[str, Any]:
    """`video` and `mask` of VACE: guide frames, unknown ones, and a last image."""
    assert conditioning.guide is not None
    last: list[Frames] = [] if conditioning.last_image is None else [conditioning.last_image]
    size = (conditioning.width, conditioning.height)
    unknown = conditioning.num_frames - len(conditioning.guide) - len(last)
    keep, make, grey = (Image.new("RGB", size, (level,) * 3) for level in (0, 255, 128))
    return {
        "video": [*map(Image.fromarray, conditioning.guide), *[grey] * unknown, *map(Image.fromarray, last)],
        "mask": [*[keep] * len(conditioning.guide), *[make] * unknown, *[keep] * len(last)],
    }


def first_latents(pipeline: Any, image: Image.Image, conditioning: Conditioning) -> torch.Tensor:
    """The guide's latent frame `[1, C, 1, h, w]`, scaled as the network sees it."""
    vae = pipeline.vae
    pixels = pipeline.video_processor.preprocess(image, height=conditioning.height, width=conditioning.width)
    pixels = pixels.unsqueeze(2).to(pipeline._execution_device, vae.dtype)
    latents = vae.encode(pixels).latent_dist.mode().float()
    mean, scale = latent_statistics(vae, latents)
    return (latents - mean) * scale


def latent_statistics(vae: Any, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean, and one over the spread, of each latent channel, `[1, C, 1, 1, 1]`."""
    shape = (1, vae.config.z_dim, 1, 1, 1)
    mean = torch.tensor(vae.config.latents_mean).view(shape).to(like.device, like.dtype)
    scale = 1.0 / torch.tensor(vae.config.latents_std).view(shape).to(like.device, like.dtype)
    return mean, scale
