"""SkyReels-V2 Diffusion Forcing: text, an image, a prefix of 4n+1 frames.

The three pipelines share one checkpoint. They give every latent frame a scheduler of its own, so what is
foreseen is gathered frame by frame. All frames are denoised at once (`ar_step` 0), which makes a step of the
run a step of the schedule.

Quirks that this module settles:

- The pipeline that continues a video returns that video and after it the new one, which repeats the end that
  it was conditioned on; only the new one is kept.
- Noise added to the condition (`addnoise_condition`) is drawn from torch's global generator: a seed would no
  longer determine a run, so it stays off.
"""

from __future__ import annotations

from typing import Any

from PIL import Image

from models.conditioning import Conditioning
from models.families import over

IMAGE_SHIFT = 5.0
"""The authors' timestep shift from an image."""


def variant(pipeline: Any, conditioning: Conditioning) -> Any:
    """The pipeline for text, for an image, or for a video to continue, over the same modules."""
    import diffusers

    if conditioning.guide is None:
        return pipeline
    if conditioning.num_guide_frames > 1:
        return over(pipeline, diffusers.SkyReelsV2DiffusionForcingVideoToVideoPipeline)
    config = pipeline.scheduler.config
    scheduler = diffusers.UniPCMultistepScheduler.from_config(config, flow_shift=IMAGE_SHIFT)
    return over(pipeline, diffusers.SkyReelsV2DiffusionForcingImageToVideoPipeline, scheduler=scheduler)


def encode(pipeline: Any, conditioning: Conditioning) -> dict[str, Any]:
    """Text states, the negative ones only where guidance asks for them."""
    states, negative = pipeline.encode_prompt(
        prompt=conditioning.prompt,
        negative_prompt=conditioning.negative_prompt,
        do_classifier_free_guidance=conditioning.guidance_scale > 1,
        max_sequence_length=512,  # as in the pipelines' call
        device=pipeline._execution_device,
    )
    return {"prompt_embeds": states, "negative_prompt_embeds": negative}


def arguments(conditioning: Conditioning) -> dict[str, Any]:
    """One window over the whole chunk."""
    known: dict[str, Any] = {}
    if conditioning.guide is not None:
        frames = [Image.fromarray(frame) for frame in conditioning.guide]
        known = (
            {"image": frames[0]} if len(frames) == 1 else {"video": frames, "overlap_history": len(frames)}
        )
    if conditioning.last_image is not None:
        known["last_image"] = Image.fromarray(conditioning.last_image)
    return {
        **conditioning.options,
        **conditioning.encoded,
        **known,
        "prompt": None,  # encoded; the text pipeline has no default for it
        "height": conditioning.height,
        "width": conditioning.width,
        "num_frames": conditioning.num_frames,
        "base_num_frames": conditioning.num_frames,
        "guidance_scale": conditioning.guidance_scale,
        "fps": int(conditioning.fps),
        "ar_step": 0,
        "addnoise_condition": 0,
    }


def result(output: Any, conditioning: Conditioning) -> Any:
    """The chunk without the copy of the prefix that is returned before it."""
    return output.frames[:, -conditioning.num_frames :]


def decode(pipeline: Any, predicted: Any, latents: Any, conditioning: Conditioning) -> Any:
    """The pipelines' own end; a latent frame that is known is taken as it is."""
    import torch

    frames = [
        known if part.predicted is None else part.predicted
        for part, known in zip(pipeline.scheduler.look.parts, latents.unbind(2), strict=True)
    ]
    ends = conditioning.last_image is not None
    clean = torch.stack(frames[:-1] if ends else frames, dim=2).to(pipeline.vae.dtype)
    config = pipeline.vae.config
    mean, std = (
        torch.tensor(values).view(1, config.z_dim, 1, 1, 1).to(clean.device, clean.dtype)
        for values in (config.latents_mean, config.latents_std)
    )
    pixels = pipeline.vae.decode(clean / (1.0 / std) + mean, return_dict=False)[0]
    return pipeline.video_processor.postprocess_video(pixels, output_type="np")
