"""Stable Video Diffusion: one image becomes a clip; words are not read.

Guidance rises over the frames from 1 to the chosen scale. The pipeline takes one off the frame rate before
the network sees it, as in training. The guide is encoded with fresh noise on it, so each run encodes its own.
"""

from __future__ import annotations

from typing import Any

from PIL import Image

from models.conditioning import Conditioning


def encode(pipeline: Any, conditioning: Conditioning) -> dict[str, Any]:
    """The guide as the pipeline takes it."""
    assert conditioning.guide is not None
    return {"image": Image.fromarray(conditioning.guide[-1])}


def arguments(conditioning: Conditioning) -> dict[str, Any]:
    """Guidance is the last frame's; the frame rate is the card's."""
    return {
        **conditioning.encoded,
        **conditioning.options,
        "height": conditioning.height,
        "width": conditioning.width,
        "num_frames": conditioning.num_frames,
        "max_guidance_scale": conditioning.guidance_scale,
        "fps": round(conditioning.fps),
    }


def decode(pipeline: Any, predicted: Any, latents: Any, conditioning: Conditioning) -> Any:
    """As many frames at a time as the pipeline itself decodes: the decoder mixes neighbours."""
    together = conditioning.options.get("decode_chunk_size") or conditioning.num_frames
    predicted = predicted.to(pipeline.vae.dtype)
    pixels = pipeline.decode_latents(predicted, conditioning.num_frames, together)
    return pipeline.video_processor.postprocess_video(pixels, output_type="np")
