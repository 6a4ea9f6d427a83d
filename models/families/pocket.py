"""The embedded model: text, a guide image or a prefix of 4n+1 frames, through `LinGenPipeline`."""

from __future__ import annotations

from typing import Any

from models.video_model import Conditioning, ModelCard


def pipeline_class(card: ModelCard) -> type[Any]:
    """`LinGenPipeline`."""
    from models.lingen.pipeline import LinGenPipeline

    return LinGenPipeline


def encode(pipeline: Any, conditioning: Conditioning) -> dict[str, Any]:
    """Text states with their masks; the negative ones only where guidance asks for them."""
    states, mask = pipeline.encode_prompt(conditioning.prompt)
    encoded = {"prompt_embeds": states, "prompt_attention_mask": mask}
    if conditioning.guidance_scale > 1:
        states, mask = pipeline.encode_prompt(conditioning.negative_prompt)
        encoded |= {"negative_prompt_embeds": states, "negative_prompt_attention_mask": mask}
    return encoded


def arguments(conditioning: Conditioning) -> dict[str, Any]:
    """One guide frame goes in as an image, several as the beginning of the video."""
    call = {
        **conditioning.encoded,
        "height": conditioning.height,
        "width": conditioning.width,
        "num_frames": conditioning.num_frames,
        "guidance_scale": conditioning.guidance_scale,
    }
    if conditioning.guide is not None:
        from PIL import Image

        frames = [Image.fromarray(frame) for frame in conditioning.guide]
        call |= {"image": frames[0]} if len(frames) == 1 else {"video": frames}
    return call


def decode(pipeline: Any, predicted: Any, latents: Any, conditioning: Conditioning) -> Any:
    """The pipeline's own end. Known frames do not move, so `predicted` holds them already."""
    pixels = pipeline.decode_latents(predicted)
    return pipeline.video_processor.postprocess_video(pixels, output_type="np")
