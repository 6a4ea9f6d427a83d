"""Tiny random HunyuanVideo pipelines, from text and from an image."""

import dataclasses
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLHunyuanVideo,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoImageToVideoPipeline,
    HunyuanVideoPipeline,
    HunyuanVideoTransformer3DModel,
)
from diffusers.pipelines.hunyuan_video import (
    pipeline_hunyuan_video as from_text,
)
from diffusers.pipelines.hunyuan_video import (
    pipeline_hunyuan_video_image2video as from_image,
)
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    LlamaConfig,
    LlamaModel,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from models.video_model import ModelCard
from tests.tiny_language import spelling_tokenizer
from tests.tiny_text import clip_tokenizer

MARKS = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<image>", "\n\n")


def vae() -> AutoencoderKLHunyuanVideo:
    """8x in space, 4x in time, 4 channels."""
    return AutoencoderKLHunyuanVideo(
        latent_channels=4,
        down_block_types=("HunyuanVideoDownBlock3D",) * 4,
        up_block_types=("HunyuanVideoUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
    )


def clip_text() -> CLIPTextModel:
    """One layer of width 8."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(clip_tokenizer()),
            hidden_size=8,
            intermediate_size=16,
            num_attention_heads=2,
            num_hidden_layers=1,
            projection_dim=8,
        )
    )


def llama(vocab_size: int) -> LlamaConfig:
    """Three layers: the pipelines read the third state from the end."""
    return LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=16,
        intermediate_size=32,
        num_attention_heads=2,
        num_hidden_layers=3,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
    )


def transformer(*, image: bool) -> HunyuanVideoTransformer3DModel:
    """One block of each kind."""
    return HunyuanVideoTransformer3DModel(
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
        image_condition_type="token_replace" if image else None,
    )


def save(folder: Path, card: ModelCard) -> ModelCard:
    torch.manual_seed(0)
    image = card.takes_image
    tokenizer = spelling_tokenizer(
        (from_image if image else from_text).DEFAULT_PROMPT_TEMPLATE["template"], MARKS
    )
    parts = {
        "tokenizer": tokenizer,
        "transformer": transformer(image=image),
        "vae": vae(),
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=7.0),
        "text_encoder_2": clip_text(),
        "tokenizer_2": clip_tokenizer(),
    }
    if image:
        text_encoder = llava(len(tokenizer), tokenizer.convert_tokens_to_ids("<image>"))
        pixels = CLIPImageProcessor(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336})
        pipeline = HunyuanVideoImageToVideoPipeline(
            text_encoder=text_encoder.eval(), image_processor=pixels, **parts
        )
    else:
        text_encoder = LlamaModel(llama(len(tokenizer)))
        pipeline = HunyuanVideoPipeline(text_encoder=text_encoder.eval(), **parts)
    pipeline.save_pretrained(folder)
    return dataclasses.replace(card, height=16, width=16, num_frames=5, num_inference_steps=3)


def llava(vocab_size: int, image_token: int) -> LlavaForConditionalGeneration:
    """Sees 576 patches of an image of 336 pixels, as many as the pipeline's template leaves room for."""
    vision = CLIPVisionConfig(
        hidden_size=8,
        intermediate_size=16,
        num_attention_heads=2,
        num_hidden_layers=2,
        image_size=336,
        patch_size=14,
        projection_dim=8,
    )
    return LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=vision,
            text_config=llama(vocab_size),
            pad_token_id=0,
            image_token_index=image_token,
        )
    )
