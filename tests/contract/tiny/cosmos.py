"""A tiny random Cosmos-Predict2.5 pipeline, and what stands in for NVIDIA's safety checker."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import Cosmos2_5_PredictBasePipeline, CosmosTransformer3DModel, UniPCMultistepScheduler
from diffusers.pipelines.cosmos import pipeline_cosmos2_5_predict
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from models.families import cosmos
from models.video_model import ModelCard
from tests.tiny_language import spelling_tokenizer
from tests.tiny_wan_vae import wan_vae

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }} "
    "{% for part in m['content'] %}{{ part['text'] }}{% endfor %}<|im_end|>{% endfor %}"
)
REFUSED = "a forbidden word"
"""A prompt that the checker refuses."""


class SafetyChecker(torch.nn.Module):
    """As NVIDIA's is asked, without its weights: one prompt is refused, a corner of every frame is blurred.

    Like it, it does not know its device.
    """

    dtype = torch.bfloat16

    def to(self, device: object = None, dtype: object = None) -> None:
        """Returns nothing, as NVIDIA's does."""

    def check_text_safety(self, prompt: str) -> bool:
        return prompt != REFUSED

    def check_video_safety(self, frames: np.ndarray) -> np.ndarray:
        looked_over = frames.copy()
        looked_over[:, :4, :4] = 7
        return looked_over


def install_checker(patch: pytest.MonkeyPatch) -> None:
    """Let diffusers find a safety checker; the package's own loads several GB from the hub."""
    patch.setattr(pipeline_cosmos2_5_predict, "CosmosSafetyChecker", SafetyChecker)
    patch.setattr(cosmos, "checker_is_there", lambda: True)


def save(folder: Path, card: ModelCard) -> ModelCard:
    torch.manual_seed(0)
    tokenizer = spelling_tokenizer("user system", ("<|im_start|>", "<|im_end|>"))
    tokenizer.chat_template = CHAT
    transformer = CosmosTransformer3DModel(
        in_channels=17,
        out_channels=16,
        num_attention_heads=2,
        attention_head_dim=16,
        num_layers=2,
        mlp_ratio=2.0,
        text_embed_dim=16,
        adaln_lora_dim=4,
        max_size=(4, 32, 32),
        rope_scale=(1.0, 1.0, 1.0),
        extra_pos_embed_type=None,
        use_crossattn_projection=True,
        crossattn_proj_in_channels=32,
        encoder_hidden_states_channels=16,
    )
    Cosmos2_5_PredictBasePipeline(
        text_encoder=reason(len(tokenizer)),
        tokenizer=tokenizer,
        transformer=transformer.eval(),
        vae=wan_vae(),
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
            use_karras_sigmas=True,
            sigma_max=200.0,
            sigma_min=0.01,
        ),
        safety_checker=SafetyChecker(),
    ).save_pretrained(folder)
    return dataclasses.replace(card, height=32, width=32, num_frames=9, num_inference_steps=3)


def reason(vocab_size: int) -> Qwen2_5_VLForConditionalGeneration:
    """Two layers, whose states the pipeline puts side by side."""
    text = {
        "vocab_size": vocab_size,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
        "pad_token_id": 0,
    }
    vision = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16}
    return Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(text_config=text, vision_config=vision)).eval()
