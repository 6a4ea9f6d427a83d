"""AnimateDiff: a still-image network with a motion adapter, from text alone.

Two options of a card: `free_init` (Wu et al. 2023: the whole run several times, each from noise that keeps
the low frequencies of the clip before) and `free_noise` (Qiu et al. 2023: clips longer than the adapter was
trained on, by windows that share their noise). With FreeInit a step of the run is done when all its passes
are, so the preview after it is of the last pass; FreeInit's own fast sampling, which shortens the first
passes, stays off.

The checkpoint is a Stable Diffusion 1.5 model; adapter and scheduler come with this module.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from models.cards.animatediff import ADAPTER
from models.conditioning import Conditioning
from models.video_model import ModelCard

SCHEDULE = {
    "beta_schedule": "linear",
    "clip_sample": False,
    "steps_offset": 1,
    "timestep_spacing": "linspace",
}
"""The authors' schedule: the adapter was trained on linear betas, the still-image network on others."""


def pipeline_class(card: ModelCard) -> type[Any]:
    """`AnimateDiffPipeline`, which fetches the adapter where it is loaded from the hub."""
    from diffusers import AnimateDiffPipeline, DDIMScheduler, MotionAdapter

    class Gathered(AnimateDiffPipeline):
        @classmethod
        def from_pretrained(cls, where: Any, **settings: Any) -> Any:
            if not (Path(where) / "motion_adapter").is_dir():
                settings["motion_adapter"] = MotionAdapter.from_pretrained(
                    ADAPTER, torch_dtype=settings.get("dtype")
                )
            pipeline = AnimateDiffPipeline.from_pretrained(where, **settings)
            pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, **SCHEDULE)
            if "free_noise" in card.options:
                pipeline.enable_free_noise(**card.options["free_noise"])
            return pipeline

    return Gathered


def variant(pipeline: Any, conditioning: Conditioning) -> Any:
    """With FreeInit switched on where the card asks for it; the noise that it keeps is the run's own."""
    own = copy.copy(pipeline)
    if "free_init" in conditioning.options:
        own.enable_free_init(use_fast_sampling=False, **conditioning.options["free_init"])
    return own


def passes(conditioning: Conditioning) -> int:
    """FreeInit goes through the steps `num_iters` times."""
    return int(conditioning.options.get("free_init", {}).get("num_iters", 1))


def encode(pipeline: Any, conditioning: Conditioning) -> dict[str, Any]:
    """Text states; FreeNoise encodes the words itself, in its call."""
    if pipeline.free_noise_enabled:
        return {"prompt": conditioning.prompt, "negative_prompt": conditioning.negative_prompt}
    states, negative = pipeline.encode_prompt(
        conditioning.prompt,
        pipeline._execution_device,
        1,
        conditioning.guidance_scale > 1,
        conditioning.negative_prompt,
    )
    return {"prompt_embeds": states, "negative_prompt_embeds": negative}


def arguments(conditioning: Conditioning) -> dict[str, Any]:
    """Without the two options, which are settings of the pipeline and not arguments."""
    settings = ("free_init", "free_noise")
    return {
        **{name: value for name, value in conditioning.options.items() if name not in settings},
        **conditioning.encoded,
        "height": conditioning.height,
        "width": conditioning.width,
        "num_frames": conditioning.num_frames,
        "guidance_scale": conditioning.guidance_scale,
    }


def decode(pipeline: Any, predicted: Any, latents: Any, conditioning: Conditioning) -> Any:
    """The pipeline's own end, frame by frame."""
    pixels = pipeline.decode_latents(predicted, conditioning.options.get("decode_chunk_size", 16))
    return pipeline.video_processor.postprocess_video(video=pixels, output_type="np")
