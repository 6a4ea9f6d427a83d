"""Helios, by Yuan et al.

Sources: diffusers' page on Helios, the authors' repository and the defaults of `HeliosPipeline`.
"""

from models.cards.wan import NEGATIVE
from models.video_model import ModelCard

CARDS = (
    ModelCard(
        name="helios",
        title="Helios Base (14B)",
        family="helios",
        precise=("vae",),
        pipeline_class="HeliosPipeline",
        source="BestWishYsh/Helios-Base",
        licence="https://huggingface.co/BestWishYsh/Helios-Base",
        parameters_b=14,
        fps=24,
        height=384,
        width=640,
        size_multiple=16,
        frame_stride=33,
        frame_offset=0,
        num_frames=33,
        min_frames=33,
        max_frames=33,
        looks_back=32,
        num_inference_steps=50,
        preview_steps=8,
        guidance_scale=5.0,
        negative_prompt=NEGATIVE,
        memory_gb=48,
        notes="One window of 33 frames at a time, from words, an image or the window before.",
    ),
)
