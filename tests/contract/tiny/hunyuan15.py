"""Tiny random HunyuanVideo 1.5 pipelines, from text and from an image."""

import dataclasses
import inspect
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLHunyuanVideo15,
    ClassifierFreeGuidance,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideo15ImageToVideoPipeline,
    HunyuanVideo15Pipeline,
    HunyuanVideo15Transformer3DModel,
)
from transformers import (
    ByT5Tokenizer,
    Qwen2_5_VLTextConfig,
    Qwen2_5_VLTextModel,
    SiglipImageProcessor,
    SiglipVisionConfig,
    SiglipVisionModel,
    T5Config,
    T5EncoderModel,
)

from models.video_model import ModelCard
from tests.tiny_language import spelling_tokenizer

MARKS = ("<|im_start|>", "<|im_end|>")
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }} {{ m['content'] }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{% endif %}"
)


def transformer(*, image: bool) -> HunyuanVideo15Transformer3DModel:
    return HunyuanVideo15Transformer3DModel(
        in_channels=9,
        out_channels=4,
        num_attention_heads=1,
        attention_head_dim=8,
        num_layers=1,
        num_refiner_layers=1,
        mlp_ratio=2.0,
        text_embed_dim=16,
        text_embed_2_dim=16,
        image_embed_dim=16,
        rope_axes_dim=(2, 2, 4),
        target_size=16,
        task_type="i2v" if image else "t2v",
    )


def vae() -> AutoencoderKLHunyuanVideo15:
    """16x in space and 4x in time, as the real one."""
    return AutoencoderKLHunyuanVideo15(
        latent_channels=4,
        block_out_channels=(8, 8, 8, 8, 8),
        layers_per_block=1,
        spatial_compression_ratio=16,
        temporal_compression_ratio=4,
        downsample_match_channel=False,
        upsample_match_channel=False,
    )


def qwen(vocab_size: int) -> Qwen2_5_VLTextModel:
    """Two layers: the pipeline reads the third state from the end, here that of the words themselves."""
    return Qwen2_5_VLTextModel(
        Qwen2_5_VLTextConfig(
            vocab_size=vocab_size,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=2,
            num_attention_heads=1,
            num_key_value_heads=1,
            rope_scaling={"mrope_section": [2, 3, 3], "rope_type": "default", "type": "default"},
            pad_token_id=0,
        )
    )


def save(folder: Path, card: ModelCard) -> ModelCard:
    torch.manual_seed(0)
    image = card.takes_image
    tokenizer = spelling_tokenizer(_system_message(), MARKS)
    tokenizer.chat_template = CHAT
    glyphs = T5Config(vocab_size=384, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    parts = {
        "text_encoder": qwen(len(tokenizer)).eval(),
        "tokenizer": tokenizer,
        "transformer": transformer(image=image),
        "vae": vae(),
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=7.0),
        "text_encoder_2": T5EncoderModel(glyphs).eval(),
        "tokenizer_2": ByT5Tokenizer(),
        "guider": ClassifierFreeGuidance(guidance_scale=6.0),
    }
    if image:
        vision = SiglipVisionConfig(
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=32,
            patch_size=16,
        )
        parts |= {
            "image_encoder": SiglipVisionModel(vision).eval(),
            "feature_extractor": SiglipImageProcessor(size={"height": 32, "width": 32}),
        }
    pipeline_class = HunyuanVideo15ImageToVideoPipeline if image else HunyuanVideo15Pipeline
    pipeline_class(**parts).save_pretrained(folder)
    return dataclasses.replace(card, height=16, width=16, num_frames=5, num_inference_steps=3)


def _system_message() -> str:
    """The words that the pipeline puts before every prompt."""
    encoder = inspect.signature(HunyuanVideo15Pipeline._get_mllm_prompt_embeds)
    return encoder.parameters["system_message"].default
