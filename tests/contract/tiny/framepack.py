"""A tiny random FramePack pipeline."""

import dataclasses
from pathlib import Path

import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoFramepackPipeline,
    HunyuanVideoFramepackTransformer3DModel,
)
from diffusers.pipelines.hunyuan_video.pipeline_hunyuan_video_framepack import DEFAULT_PROMPT_TEMPLATE
from transformers import LlamaModel, SiglipImageProcessor, SiglipVisionConfig, SiglipVisionModel

from models.video_model import ModelCard
from tests.contract.tiny.hunyuan import MARKS, clip_text, llama, vae
from tests.tiny_language import spelling_tokenizer
from tests.tiny_text import clip_tokenizer


def save(folder: Path, card: ModelCard) -> ModelCard:
    torch.manual_seed(0)
    tokenizer = spelling_tokenizer(DEFAULT_PROMPT_TEMPLATE["template"], MARKS)
    transformer = HunyuanVideoFramepackTransformer3DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=10,
        num_layers=1,
        num_single_layers=1,
        num_refiner_layers=1,
        patch_size=2,
        guidance_embeds=True,
        text_embed_dim=16,
        pooled_projection_dim=8,
        rope_axes_dim=(2, 4, 4),
        has_image_proj=True,
        image_proj_dim=16,
        has_clean_x_embedder=True,
    )
    vision = SiglipVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
    )
    HunyuanVideoFramepackPipeline(
        text_encoder=LlamaModel(llama(len(tokenizer))).eval(),
        tokenizer=tokenizer,
        transformer=transformer,
        vae=vae(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
        text_encoder_2=clip_text().eval(),
        tokenizer_2=clip_tokenizer(),
        image_encoder=SiglipVisionModel(vision).eval(),
        feature_extractor=SiglipImageProcessor(size={"height": 32, "width": 32}),
    ).save_pretrained(folder)
    short = {"frame_stride": 4, "num_frames": 9, "min_frames": 9, "max_frames": 9}
    return dataclasses.replace(card, height=16, width=16, num_inference_steps=3, **short)
