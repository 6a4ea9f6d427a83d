"""A tiny random AnimateDiff pipeline, 8x compression in space."""

import dataclasses
from pathlib import Path

import torch
from diffusers import (
    AnimateDiffPipeline,
    AutoencoderKL,
    DDIMScheduler,
    MotionAdapter,
    UNet2DConditionModel,
)

from models.video_model import ModelCard
from tests.contract.tiny.hunyuan import clip_text
from tests.tiny_text import clip_tokenizer


def parts() -> dict[str, torch.nn.Module]:
    """The still-image network, the adapter, and the autoencoder."""
    unet = UNet2DConditionModel(
        block_out_channels=(8, 8),
        layers_per_block=1,
        sample_size=8,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=8,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    adapter = MotionAdapter(
        block_out_channels=(8, 8),
        motion_layers_per_block=1,
        motion_norm_num_groups=4,
        motion_num_attention_heads=2,
    )
    with torch.no_grad():
        for parameter in adapter.parameters():  # an adapter begins as one that does nothing
            if parameter.ndim > 1 and not parameter.any():
                parameter.normal_(std=0.2)
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=4,
    )
    return {"unet": unet, "motion_adapter": adapter, "vae": vae}


def save(folder: Path, card: ModelCard) -> ModelCard:
    torch.manual_seed(0)
    AnimateDiffPipeline(
        **parts(),
        text_encoder=clip_text().eval(),
        tokenizer=clip_tokenizer(),
        scheduler=DDIMScheduler(beta_schedule="scaled_linear"),
    ).save_pretrained(folder)
    options = dict(card.options)
    if "free_noise" in options:
        options["free_noise"] = {"context_length": 4, "context_stride": 2}
    if "free_init" in options:
        options["free_init"] = {**options["free_init"], "num_iters": 2}
    return dataclasses.replace(
        card, height=16, width=16, min_frames=4, num_frames=6, num_inference_steps=3, options=options
    )
