"""LTX-2: text, an image, a prefix of 8n+1 frames and a last image, through `LTX2ConditionPipeline`.

The network makes a sound track along with the pictures, and each steers the other, so both are denoised; the
clip keeps the pictures only. The sound's scheduler is a copy of the pictures' one and does not disturb what
is foreseen. A guide image would be compressed by H.264 first, as in training; `crf` 0 would leave that out.
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
        max_sequence_length=conditioning.options.get(
            "max_sequence_length", 1024
        ),  # as in the pipeline's call
        device=pipeline._execution_device,
    )
    return named_text_states(states)


def arguments(conditioning: Conditioning) -> dict[str, Any]:
    """The guide as a condition at latent frame 0, the last image as one at the last latent frame."""
    off = {} if conditioning.guidance_scale > 1 else {"audio_guidance_scale": 1.0}  # it would guide alone
    return {
        **off,
        **conditioning.options,
        **conditioning.encoded,
        "conditions": conditions(conditioning),
        "height": conditioning.height,
        "width": conditioning.width,
        "num_frames": conditioning.num_frames,
        "frame_rate": conditioning.fps,
        "guidance_scale": conditioning.guidance_scale,
    }


def conditions(conditioning: Conditioning) -> list[Any]:
    """What is known of the chunk."""
    from diffusers.pipelines.ltx2.pipeline_ltx2_condition import LTX2VideoCondition

    known = []
    if conditioning.guide is not None:
        known.append(LTX2VideoCondition(frames=[Image.fromarray(frame) for frame in conditioning.guide]))
    if conditioning.last_image is not None:
        known.append(LTX2VideoCondition(frames=Image.fromarray(conditioning.last_image), index=-1))
    return known


def decode(pipeline: Any, predicted: Any, latents: Any, conditioning: Conditioning) -> Any:
    """The pipeline's own end for the pictures, with the decoder's share of noise."""
    vae, states = pipeline.vae, conditioning.encoded["prompt_embeds"]
    patch_t, patch = pipeline.transformer_temporal_patch_size, pipeline.transformer_spatial_patch_size
    frames = (conditioning.num_frames - 1) // pipeline.vae_temporal_compression_ratio + 1
    height = conditioning.height // pipeline.vae_spatial_compression_ratio
    width = conditioning.width // pipeline.vae_spatial_compression_ratio
    tokens = frames * height * width
    clean = pipeline._unpack_latents(predicted[:, :tokens], frames, height, width, patch, patch_t)
    clean, timestep = with_decoder_noise(pipeline, clean.to(states.dtype), conditioning)
    clean = pipeline._denormalize_latents(
        clean, vae.latents_mean, vae.latents_std, vae.config.scaling_factor
    ).to(vae.dtype)
    pixels = vae.decode(clean, timestep, return_dict=False)[0]
    return pipeline.video_processor.postprocess_video(pixels, output_type="np")
