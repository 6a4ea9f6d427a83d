"""A tiny random SkyReels-V2 Diffusion Forcing pipeline."""

import dataclasses
from pathlib import Path

import torch
from diffusers import (
    SkyReelsV2DiffusionForcingPipeline,
    SkyReelsV2Transformer3DModel,
    UniPCMultistepScheduler,
)

from models.video_model import ModelCard
from tests.tiny_text import t5_tokenizer, umt5_encoder
from tests.tiny_wan_vae import wan_vae


def save(folder: Path, card: ModelCard) -> ModelCard:
    torch.manual_seed(0)
    text_encoder = umt5_encoder()
    transformer = SkyReelsV2Transformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=16,
        out_channels=16,
        text_dim=text_encoder.config.d_model,
        freq_dim=32,
        ffn_dim=32,
        num_layers=2,
        rope_max_seq_len=32,
        inject_sample_info=True,
    )
    SkyReelsV2DiffusionForcingPipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=text_encoder,
        vae=wan_vae(),
        transformer=transformer,
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=8.0
        ),
    ).save_pretrained(folder)
    return dataclasses.replace(
        card, height=16, width=16, num_frames=9, prefix_frames=5, num_inference_steps=3
    )
