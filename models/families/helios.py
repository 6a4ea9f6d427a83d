"""Helios: from text or an image through `HeliosPipeline`, one window of 33 frames at a time.

The pipeline can make a long video of several windows in one call; here a chunk is one window, so that a
preview shows the whole chunk and the studio searches at every seam. The pipeline takes a length for at least
the next multiple of 33.

A film goes on from its last window, as the pipeline's own windows do, or from an image where there is less of
it. What is made comes after that and repeats nothing. A chunk begins with its guide everywhere else in the
studio, so the last known frame is put before the window and the window's last frame is left out.
A given `latents` would be ignored: a run is its seed. The pipeline for the distilled checkpoint goes through
stages of different resolution, whose previews would not be clips of the chunk's size, and is not offered.
"""

from __future__ import annotations

from typing import Any

from PIL import Image

from models.conditioning import Conditioning


def encode(pipeline: Any, conditioning: Conditioning) -> dict[str, Any]:
    """Text states, the negative ones only where guidance asks for them."""
    states, negative = pipeline.encode_prompt(
        prompt=conditioning.prompt,
        negative_prompt=conditioning.negative_prompt,
        do_classifier_free_guidance=conditioning.guidance_scale > 1,
        max_sequence_length=512,  # as in the pipeline's call
        device=pipeline._execution_device,
    )
    return {"prompt_embeds": states, "negative_prompt_embeds": negative}


def arguments(conditioning: Conditioning) -> dict[str, Any]:
    """One window."""
    return {
        **conditioning.options,
        **conditioning.encoded,
        **_known(conditioning),
        "height": conditioning.height,
        "width": conditioning.width,
        "num_frames": conditioning.num_frames,
        "guidance_scale": conditioning.guidance_scale,
    }


def _known(conditioning: Conditioning) -> dict[str, Any]:
    """The end of a film as long as a window, or one image."""
    if conditioning.guide is None:
        return {}
    frames = [Image.fromarray(frame) for frame in conditioning.guide]
    if conditioning.before is None:
        return {"image": frames[-1]}
    return {"video": [*map(Image.fromarray, conditioning.before), *frames]}


def generator_device(pipeline: Any) -> Any:
    """Where the network is: the noise on an image is drawn there by torch itself."""
    return pipeline._execution_device


def result(output: Any, conditioning: Conditioning) -> Any:
    """The window after its guide."""
    return after_guide(output.frames, conditioning)


def after_guide(frames: Any, conditioning: Conditioning) -> Any:
    """Put the guide before a window `[1, T, H, W, 3]`, and keep its length."""
    import numpy as np

    if conditioning.guide is None:
        return frames
    guide = conditioning.guide[None].astype(np.float32) / 255
    return np.concatenate([guide, frames], axis=1)[:, : conditioning.num_frames]


def decode(pipeline: Any, predicted: Any, latents: Any, conditioning: Conditioning) -> Any:
    """The pipeline's own end for one window."""
    import torch

    vae = pipeline.vae
    mean, std = (
        torch.tensor(values).view(1, -1, 1, 1, 1).to(predicted.device, vae.dtype)
        for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    pixels = vae.decode(predicted.to(vae.dtype) / (1.0 / std) + mean, return_dict=False)[0]
    frames = pipeline.video_processor.postprocess_video(pixels, output_type="np")
    return after_guide(frames, conditioning)
