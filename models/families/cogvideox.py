"""CogVideoX: text to video, and one image with text to video.

The autoencoder decodes only 8n+1 frames to as many (16n+1 in version 1.5, whose latents are padded to pairs).
"""

from __future__ import annotations

from typing import Any

from PIL import Image

from models.conditioning import Conditioning


def encode(pipeline: Any, conditioning: Conditioning) -> dict[str, Any]:
    """Both prompts, and the guide as the pipeline takes it; each run samples latents of its own."""
    prompt_embeds, negative_embeds = pipeline.encode_prompt(
        conditioning.prompt,
        conditioning.negative_prompt,
        do_classifier_free_guidance=conditioning.guidance_scale > 1,
        max_sequence_length=pipeline.transformer.config.max_text_seq_length,
    )
    encoded = {"prompt_embeds": prompt_embeds, "negative_prompt_embeds": negative_embeds}
    if conditioning.guide is not None:
        encoded["image"] = Image.fromarray(conditioning.guide[-1])
    return encoded


def arguments(conditioning: Conditioning) -> dict[str, Any]:
    """Everything but the image's latents is encoded already."""
    return {
        **conditioning.encoded,
        **conditioning.options,
        "height": conditioning.height,
        "width": conditioning.width,
        "num_frames": conditioning.num_frames,
        "guidance_scale": conditioning.guidance_scale,
    }


def decode(pipeline: Any, predicted: Any, latents: Any, conditioning: Conditioning) -> Any:
    """The pipeline's own end, without the latent frames that fill up a pair (`[B, F, C, h, w]`)."""
    num_latent_frames = (conditioning.num_frames - 1) // pipeline.vae_scale_factor_temporal + 1
    kept = predicted[:, predicted.shape[1] - num_latent_frames :].to(pipeline.vae.dtype)
    return pipeline.video_processor.postprocess_video(pipeline.decode_latents(kept), output_type="np")
