"""Tiny random CogVideoX pipelines: text, image with learned positions, and 1.5 with paired latents."""

import dataclasses
from pathlib import Path

import diffusers
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXTransformer3DModel

from models.video_model import ModelCard
from tests.tiny_text import t5_encoder, t5_tokenizer

SIDE = 16


def save(folder: Path, card: ModelCard) -> ModelCard:
    torch.manual_seed(0)
    from_image, paired = card.takes_image, card.frame_stride == 16
    getattr(diffusers, card.pipeline_class)(
        tokenizer=t5_tokenizer(),
        text_encoder=t5_encoder(),
        vae=_vae(),
        transformer=_transformer(from_image, learned=card.fixed_size and not paired, paired=paired),
        scheduler=CogVideoXDDIMScheduler(
            prediction_type="v_prediction", timestep_spacing="trailing", rescale_betas_zero_snr=True
        ),
    ).save_pretrained(folder)
    return dataclasses.replace(
        card,
        height=SIDE,
        width=SIDE,
        size_multiple=8,
        num_frames=card.frame_stride + 1,
        num_inference_steps=3,
    )


def _vae() -> AutoencoderKLCogVideoX:
    return AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=2,
        temporal_compression_ratio=4,
    ).eval()


def _transformer(from_image: bool, *, learned: bool, paired: bool) -> CogVideoXTransformer3DModel:
    return CogVideoXTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=8 if from_image else 4,
        out_channels=4,
        time_embed_dim=2,
        text_embed_dim=16,
        num_layers=2,
        sample_width=SIDE // 8,
        sample_height=SIDE // 8,
        sample_frames=9,
        patch_size=2,
        patch_size_t=2 if paired else None,
        temporal_compression_ratio=4,
        max_text_seq_length=16,
        use_rotary_positional_embeddings=learned or paired,
        use_learned_positional_embeddings=learned,
        ofs_embed_dim=2 if paired and from_image else None,
    ).eval()
