"""SkyReels-V2 Diffusion Forcing, by Skywork.

Sources: the authors' table of recommended sizes and lengths, their `generate_video_df.py` for steps and
guidance, and diffusers' page on SkyReels-V2. From an image that script keeps guidance at 6, where the table
and diffusers' pipeline name 5, as for checkpoints that were made for images alone; the slider takes both.
"""

from dataclasses import replace

from models.cards.wan import NEGATIVE
from models.video_model import ModelCard

DF_540P = ModelCard(
    name="skyreels-v2-1.3b",
    title="SkyReels-V2 Diffusion Forcing 1.3B, 540p",
    family="skyreels",
    precise=("vae",),
    pipeline_class="SkyReelsV2DiffusionForcingPipeline",
    source="Skywork/SkyReels-V2-DF-1.3B-540P-Diffusers",
    licence="https://huggingface.co/Skywork/SkyReels-V2-DF-1.3B-540P-Diffusers",
    parameters_b=1.3,
    fps=24,
    height=544,
    width=960,
    size_multiple=16,
    frame_stride=4,
    frame_offset=1,
    num_frames=97,
    max_frames=97,
    num_inference_steps=30,
    preview_steps=8,
    guidance_scale=6.0,
    negative_prompt=NEGATIVE,
    shift=8.0,
    takes_last_image=False,
    prefix_frames=17,
    memory_gb=20,
    notes="Every latent frame has a noise level of its own; continues from the last 17 frames.",
)
DF_14B = replace(
    DF_540P,
    name="skyreels-v2-14b",
    title="SkyReels-V2 Diffusion Forcing 14B, 540p",
    source="Skywork/SkyReels-V2-DF-14B-540P-Diffusers",
    licence="https://huggingface.co/Skywork/SkyReels-V2-DF-14B-540P-Diffusers",
    parameters_b=14,
    memory_gb=48,
)
DF_14B_720P = replace(
    DF_14B,
    name="skyreels-v2-14b-720p",
    title="SkyReels-V2 Diffusion Forcing 14B, 720p",
    source="Skywork/SkyReels-V2-DF-14B-720P-Diffusers",
    licence="https://huggingface.co/Skywork/SkyReels-V2-DF-14B-720P-Diffusers",
    height=720,
    width=1280,
    num_frames=121,
    max_frames=121,
    memory_gb=56,
)
CARDS = (DF_540P, DF_14B, DF_14B_720P)
