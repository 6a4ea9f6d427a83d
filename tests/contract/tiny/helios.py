"""A tiny random Helios pipeline; its window has 33 frames like the real one's."""

import dataclasses
from pathlib import Path

import torch
from diffusers import HeliosPipeline, HeliosScheduler, HeliosTransformer3DModel

from models.video_model import ModelCard
from tests.tiny_text import t5_tokenizer, umt5_encoder
from tests.tiny_wan_vae import wan_vae


def save(folder: Path, card: ModelCard) -> ModelCard:
    torch.manual_seed(0)
    transformer = HeliosTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=16,
        out_channels=16,
        text_dim=16,
        freq_dim=32,
        ffn_dim=32,
        num_layers=2,
        rope_dim=(4, 4, 4),
        has_multi_term_memory_patch=True,
        guidance_cross_attn=True,
        zero_history_timestep=True,
        is_amplify_history=False,
    )
    HeliosPipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=umt5_encoder(),
        vae=wan_vae(),
        scheduler=HeliosScheduler(stage_range=[0, 1], stages=1, use_dynamic_shifting=True),
        transformer=transformer,
    ).save_pretrained(folder)
    window = {"frame_stride": 5, "num_frames": 5, "min_frames": 5, "max_frames": 5, "looks_back": 4}
    options = {**card.options, "num_latent_frames_per_chunk": 2}
    return dataclasses.replace(card, height=16, width=16, num_inference_steps=3, options=options, **window)
