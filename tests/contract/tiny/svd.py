"""A tiny random Stable Video Diffusion pipeline; 32 channels are the fewest that its group norms take."""

import dataclasses
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLTemporalDecoder,
    EulerDiscreteScheduler,
    StableVideoDiffusionPipeline,
    UNetSpatioTemporalConditionModel,
)

from models.video_model import ModelCard
from tests.tiny_text import image_encoder, image_processor


def save(folder: Path, card: ModelCard) -> ModelCard:
    torch.manual_seed(0)
    StableVideoDiffusionPipeline(
        vae=_vae(),
        image_encoder=image_encoder(32, projected=True),
        unet=_unet(),
        scheduler=_scheduler(),
        feature_extractor=image_processor(),
    ).save_pretrained(folder)
    return dataclasses.replace(
        card, height=16, width=16, size_multiple=8, num_frames=2, num_inference_steps=3, max_frames=6
    )


def _vae() -> AutoencoderKLTemporalDecoder:
    return AutoencoderKLTemporalDecoder(
        block_out_channels=(32, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        latent_channels=4,
        layers_per_block=1,
    ).eval()


def _unet() -> UNetSpatioTemporalConditionModel:
    return UNetSpatioTemporalConditionModel(
        block_out_channels=(32, 32),
        layers_per_block=1,
        sample_size=8,
        in_channels=8,
        out_channels=4,
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        cross_attention_dim=32,
        num_attention_heads=2,
        projection_class_embeddings_input_dim=96,
        addition_time_embed_dim=32,
    ).eval()


def _scheduler() -> EulerDiscreteScheduler:
    """As the checkpoints ship it."""
    return EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        interpolation_type="linear",
        num_train_timesteps=1000,
        prediction_type="v_prediction",
        sigma_max=700.0,
        sigma_min=0.002,
        steps_offset=1,
        timestep_spacing="leading",
        timestep_type="continuous",
        use_karras_sigmas=True,
    )
