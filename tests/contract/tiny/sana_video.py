"""A tiny random SANA-Video pipeline."""

import dataclasses
import inspect
from pathlib import Path

import torch
from diffusers import DPMSolverMultistepScheduler, SanaVideoPipeline, SanaVideoTransformer3DModel
from transformers import Gemma2Config, Gemma2Model

from models.video_model import ModelCard
from tests.tiny_language import spelling_tokenizer
from tests.tiny_wan_vae import wan_vae


def save(folder: Path, card: ModelCard) -> ModelCard:
    torch.manual_seed(0)
    call = inspect.signature(SanaVideoPipeline.__call__).parameters
    tokenizer = spelling_tokenizer("\n".join(call["complex_human_instruction"].default))
    text_encoder = Gemma2Model(
        Gemma2Config(
            vocab_size=len(tokenizer),
            hidden_size=8,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=8,
            pad_token_id=0,
        )
    )
    transformer = SanaVideoTransformer3DModel(
        in_channels=16,
        out_channels=16,
        num_attention_heads=2,
        attention_head_dim=12,
        num_layers=2,
        num_cross_attention_heads=2,
        cross_attention_head_dim=12,
        cross_attention_dim=24,
        caption_channels=8,
        sample_size=30,
        qk_norm="rms_norm_across_heads",
        rope_max_seq_len=32,
    )
    SanaVideoPipeline(
        tokenizer=tokenizer,
        text_encoder=text_encoder.eval(),
        vae=wan_vae(),
        transformer=transformer,
        scheduler=DPMSolverMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=8.0
        ),
    ).save_pretrained(folder)
    return dataclasses.replace(card, height=32, width=32, num_frames=5, num_inference_steps=3)
