"""CogVideoX: text to video, and one image with text to video.

The autoencoder decodes only 8n+1 frames to as many (16n+1 in version 1.5, whose latents are padded to pairs).
From an image version 1.5 takes many sizes; diffusers counts its positions no further than the one that the
checkpoint names, and fails above it.
"""

from __future__ import annotations

from typing import Any

from PIL import Image

from models.conditioning import Conditioning
from models.video_model import ModelCard


def pipeline_class(card: ModelCard) -> type[Any]:
    """The class of the card's name; from an image, with positions for every size."""
    import diffusers
    from diffusers.models.embeddings import get_3d_rotary_pos_embed

    class AnySize(diffusers.CogVideoXImageToVideoPipeline):
        def _prepare_rotary_positional_embeddings(
            self, height: int, width: int, num_frames: int, device: Any
        ) -> tuple[Any, Any]:
            config = self.transformer.config
            if config.patch_size_t is None:
                return super()._prepare_rotary_positional_embeddings(height, width, num_frames, device)
            patch = self.vae_scale_factor_spatial * config.patch_size
            grid = (height // patch, width // patch)
            return get_3d_rotary_pos_embed(
                embed_dim=config.attention_head_dim,
                crops_coords=None,
                grid_size=grid,
                temporal_size=-(-num_frames // config.patch_size_t),
                grid_type="slice",
                max_size=grid,
                device=device,
            )

    if card.pipeline_class == "CogVideoXImageToVideoPipeline":
        return AnySize
    other: type[Any] = getattr(diffusers, card.pipeline_class)
    return other


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
