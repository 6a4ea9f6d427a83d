"""LTX-Video 0.9.5 and later: text, an image, a prefix of 8n+1 frames, a last image.

Quirks that this module settles:

- The pipeline looks at `latents` only below full `denoise_strength`; a run is its seed.
- Guide frames stand before the noise as tokens of their own time; a last image as extra tokens in front of
  all others, which are cut off before decoding.
- The decoder removes the last bit of noise itself, so the pipeline adds some with the run's generator just
  before it decodes. A preview adds the same noise from a copy of that generator.
"""

from __future__ import annotations

from typing import Any

from PIL import Image

from models.conditioning import Conditioning
from models.families import named_text_states, with_decoder_noise


def encode(pipeline: Any, conditioning: Conditioning) -> dict[str, Any]:
    """Text states with their masks, the negative ones only where guidance asks for them."""
    states = pipeline.encode_prompt(
        conditioning.prompt,
        negative_prompt=conditioning.negative_prompt,
        do_classifier_free_guidance=conditioning.guidance_scale > 1,
        max_sequence_length=256,  # as in the pipeline's call
        device=pipeline._execution_device,
    )
    return named_text_states(states)


def arguments(conditioning: Conditioning) -> dict[str, Any]:
    """The guide as a condition at frame 0, the last image as one at the last frame."""
    return {
        **conditioning.options,
        **conditioning.encoded,
        "conditions": conditions(conditioning) or None,
        "height": conditioning.height,
        "width": conditioning.width,
        "num_frames": conditioning.num_frames,
        "frame_rate": conditioning.fps,
        "guidance_scale": conditioning.guidance_scale,
    }


def conditions(conditioning: Conditioning) -> list[Any]:
    """What is known of the chunk: one frame as an image, more as a video."""
    from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition

    known = []
    if conditioning.guide is not None:
        frames = [Image.fromarray(frame) for frame in conditioning.guide]
        known.append(
            LTXVideoCondition(image=frames[0]) if len(frames) == 1 else LTXVideoCondition(video=frames)
        )
    if conditioning.last_image is not None:
        last = Image.fromarray(conditioning.last_image)
        known.append(LTXVideoCondition(image=last, frame_index=conditioning.num_frames - 1))
    return known


def decode(pipeline: Any, predicted: Any, latents: Any, conditioning: Conditioning) -> Any:
    """The pipeline's own end: tokens to a block, its scale, the decoder's share of noise, pixels."""
    vae, states = pipeline.vae, conditioning.encoded["prompt_embeds"]
    patch_t, patch = pipeline.transformer_temporal_patch_size, pipeline.transformer_spatial_patch_size
    frames = (conditioning.num_frames - 1) // pipeline.vae_temporal_compression_ratio + 1
    height = conditioning.height // pipeline.vae_spatial_compression_ratio
    width = conditioning.width // pipeline.vae_spatial_compression_ratio
    tokens = (frames // patch_t) * (height // patch) * (width // patch)
    clean = pipeline._unpack_latents(predicted[:, -tokens:], frames, height, width, patch, patch_t)
    clean = pipeline._denormalize_latents(
        clean, vae.latents_mean, vae.latents_std, vae.config.scaling_factor
    ).to(states.dtype)
    clean, timestep = with_decoder_noise(pipeline, clean, conditioning)
    pixels = vae.decode(clean, timestep, return_dict=False)[0]
    return pipeline.video_processor.postprocess_video(pixels, output_type="np")
