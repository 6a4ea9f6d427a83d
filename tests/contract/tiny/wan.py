"""Tiny random Wan pipelines: text, CLIP-guided image, first and last image, two experts, 5B, and VACE."""

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
    WanVACEPipeline,
    WanVACETransformer3DModel,
)

from models.video_model import ModelCard
from tests.tiny_text import image_encoder, image_processor, t5_tokenizer, umt5_encoder

T = TypeVar("T", bound=torch.nn.Module)

SIZES = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "text_dim": 16,
    "freq_dim": 32,
    "ffn_dim": 32,
    "num_layers": 2,
    "rope_max_seq_len": 32,
}
IMAGE_TOKENS = (224 // 32) ** 2 + 1


def save(folder: Path, card: ModelCard) -> ModelCard:
    torch.manual_seed(0)
    compressed = card.size_multiple == 32  # the 5B model
    common = {
        "tokenizer": t5_tokenizer(),
        "text_encoder": umt5_encoder(),
        "vae": _compressing_vae() if compressed else _vae(),
        "scheduler": UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
    }
    _pipeline(card, common, compressed).save_pretrained(folder)
    return dataclasses.replace(
        card,
        height=32,
        width=32,
        num_frames=9 if card.prefix_frames > 1 else 5,
        num_inference_steps=3,
        prefix_frames=min(card.prefix_frames, 5),
    )


def _pipeline(card: ModelCard, common: dict[str, Any], compressed: bool) -> Any:
    if card.pipeline_class == "WanVACEPipeline":
        return WanVACEPipeline(**common, transformer=_vace_transformer())
    if card.options:
        make = WanPipeline if card.takes_text else WanImageToVideoPipeline
        experts = {name: _transformer(card) for name in ("transformer", "transformer_2")}
        return make(**common, **experts, boundary_ratio=0.9)
    if card.pipeline_class == "WanPipeline":
        return WanPipeline(**common, transformer=_transformer(card))
    if compressed:
        return WanImageToVideoPipeline(
            **common, transformer=_transformer(card, in_channels=48, out_channels=48), expand_timesteps=True
        )
    looks = {"image_dim": 16, "added_kv_proj_dim": 24}
    if card.needs_last_image:
        looks["pos_embed_seq_len"] = 2 * IMAGE_TOKENS
    return WanImageToVideoPipeline(
        **common,
        transformer=_transformer(card, **looks),
        image_encoder=image_encoder(),
        image_processor=image_processor(),
    )


def _vae() -> AutoencoderKLWan:
    return _loud(
        AutoencoderKLWan(
            base_dim=3,
            z_dim=16,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
        )
    )


def _compressing_vae() -> AutoencoderKLWan:
    """16x in space by patches of 2x2 pixels, 48 channels."""
    return _loud(
        AutoencoderKLWan(
            base_dim=4,
            decoder_base_dim=4,
            z_dim=48,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
            latents_mean=[0.1] * 48,
            latents_std=[0.9] * 48,
            is_residual=True,
            in_channels=12,
            out_channels=12,
            patch_size=2,
            scale_factor_spatial=16,
        )
    )


def _transformer(card: ModelCard, **settings: Any) -> WanTransformer3DModel:
    channels = {"in_channels": 16 if card.takes_text else 36, "out_channels": 16}
    return _loud(WanTransformer3DModel(**{**SIZES, **channels, **settings}))


def _vace_transformer() -> WanVACETransformer3DModel:
    return _loud(
        WanVACETransformer3DModel(
            **SIZES, in_channels=16, out_channels=16, vace_layers=[0], vace_in_channels=96
        )
    )


def _loud(network: T) -> T:
    """Twice the weights of a fresh network, so that what steers it is seen in 8 bits."""
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim > 1:
                weight.mul_(2)
    return network.eval()
