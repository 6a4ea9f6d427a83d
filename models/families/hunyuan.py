"""HunyuanVideo: from text, or with another checkpoint from an image.

Guidance is distilled into the network, which reads its scale as an input; a negative prompt would need true
classifier-free guidance at twice the cost and is not offered. The image is kept as the first latent frame
("token replace"): the scheduler sees only the frames after it. The 33-channel image checkpoint is not
offered, because its pipeline cuts off the first four frames, the one that repeats the image among them.
"""

from __future__ import annotations

from typing import Any

from PIL import Image

from models.conditioning import Conditioning


def encode(pipeline: Any, conditioning: Conditioning) -> dict[str, Any]:
    """Text states; the image-to-video checkpoint reads the image along with the text."""
    seen = {}
    if conditioning.guide is not None:
        seen = {
            "image": Image.fromarray(conditioning.guide[-1]),
            "image_embed_interleave": 4,  # as the pipeline's call has it for "token replace"
        }
    states, pooled, mask = pipeline.encode_prompt(
        prompt=conditioning.prompt, device=pipeline._execution_device, **seen
    )
    return {"prompt_embeds": states, "pooled_prompt_embeds": pooled, "prompt_attention_mask": mask}


def arguments(conditioning: Conditioning) -> dict[str, Any]:
    """Text states, the image where there is one, and the scale that the network reads."""
    image = {} if conditioning.guide is None else {"image": Image.fromarray(conditioning.guide[-1])}
    return {
        **conditioning.options,
        **conditioning.encoded,
        **image,
        "height": conditioning.height,
        "width": conditioning.width,
        "num_frames": conditioning.num_frames,
        "guidance_scale": conditioning.guidance_scale,
    }


def decode(pipeline: Any, predicted: Any, latents: Any, conditioning: Conditioning) -> Any:
    """The pipeline's own end, with the image's latent frame put before the predicted ones."""
    import torch

    known = latents.shape[2] - predicted.shape[2]
    clean = torch.cat([latents[:, :, :known], predicted], dim=2)
    vae = pipeline.vae
    pixels = vae.decode(clean.to(vae.dtype) / vae.config.scaling_factor, return_dict=False)[0]
    return pipeline.video_processor.postprocess_video(pixels, output_type="np")
