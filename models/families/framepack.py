"""FramePack: an image, and a last image, through `HunyuanVideoFramepackPipeline`.

The pipeline can make a long video of several sections in one call; here a chunk is one section, so that a
preview shows the whole chunk and the studio searches at every seam. One section of w latent frames is the
image and 4w frames after it: the pipeline's own rule, 4(w-1)+1 frames a section, is rounded up and then
outgrown. The repository holds the transformer alone; the other parts come from two more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from PIL import Image

from models.cards.framepack import BASE, VISION
from models.clip import Frames
from models.conditioning import Conditioning
from models.revisions import REVISIONS
from models.video_model import ModelCard


def pipeline_class(card: ModelCard) -> type[Any]:
    """`HunyuanVideoFramepackPipeline`, which gathers its parts where it is loaded from the hub."""
    from diffusers import HunyuanVideoFramepackPipeline, HunyuanVideoFramepackTransformer3DModel
    from transformers import SiglipImageProcessor, SiglipVisionModel

    class Gathered(HunyuanVideoFramepackPipeline):
        @classmethod
        def from_pretrained(cls, where: Any, **settings: Any) -> Any:
            whole = (Path(where) / "model_index.json").is_file()
            if whole:
                return HunyuanVideoFramepackPipeline.from_pretrained(where, **settings)
            dtype, revision = settings.get("dtype"), settings.pop("revision", None)
            rounding = getattr(settings.pop("quantization_config", None), "quant_mapping", {})
            parts = {
                "transformer": HunyuanVideoFramepackTransformer3DModel.from_pretrained(
                    where,
                    revision=revision,
                    torch_dtype=dtype,
                    quantization_config=rounding.get("transformer"),
                ),
                "feature_extractor": SiglipImageProcessor.from_pretrained(
                    VISION, subfolder="feature_extractor"
                ),
                "image_encoder": SiglipVisionModel.from_pretrained(
                    VISION, subfolder="image_encoder", dtype=dtype
                ),
            }
            settings["revision"] = REVISIONS.get(BASE)
            return HunyuanVideoFramepackPipeline.from_pretrained(BASE, **parts, **settings)

    return Gathered


def encode(pipeline: Any, conditioning: Conditioning) -> dict[str, Any]:
    """Text states."""
    states, pooled, mask = pipeline.encode_prompt(
        prompt=conditioning.prompt, device=pipeline._execution_device
    )
    return {"prompt_embeds": states, "pooled_prompt_embeds": pooled, "prompt_attention_mask": mask}


def arguments(conditioning: Conditioning) -> dict[str, Any]:
    """One section that is as long as the chunk without its first frame."""
    images = {}
    if conditioning.guide is not None:
        images["image"] = Image.fromarray(conditioning.guide[-1])
    if conditioning.last_image is not None:
        images["last_image"] = Image.fromarray(conditioning.last_image)
    window = (conditioning.num_frames - 1) // 4
    return {
        **conditioning.options,
        **conditioning.encoded,
        **images,
        "height": conditioning.height,
        "width": conditioning.width,
        "latent_window_size": window,
        "num_frames": 4 * (window - 1) + 1,
        "guidance_scale": conditioning.guidance_scale,
    }


def decode(pipeline: Any, predicted: Any, latents: Any, conditioning: Conditioning) -> Any:
    """The pipeline's own end: the image's latent frame, then the section."""
    import torch

    vae = pipeline.vae
    known = _image_latents(pipeline, predicted, conditioning)
    clean = torch.cat([known, predicted], dim=2).to(vae.dtype) / vae.config.scaling_factor
    pixels = vae.decode(clean, return_dict=False)[0]
    return pipeline.video_processor.postprocess_video(pixels, output_type="np")


def _image_latents(pipeline: Any, like: Any, conditioning: Conditioning) -> Any:
    """The image's latent frame `[1, C, 1, h, w]` as the run drew it, encoded at the first look only.

    Where one part at a time is on the device, the encoder would drive the network out at every look.
    """
    import torch

    kept = pipeline.scheduler.look.kept
    if "image" not in kept:
        guide = Image.fromarray(cast(Frames, conditioning.guide_frame))
        image = pipeline.video_processor.preprocess(guide, conditioning.height, conditioning.width)
        generator = torch.Generator("cpu").manual_seed(pipeline.run_generator.initial_seed())
        kept["image"] = pipeline.prepare_image_latents(image, like.dtype, like.device, generator)
    return kept["image"]
