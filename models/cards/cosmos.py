"""Cosmos-Predict2.5, by NVIDIA: a world model for what is filmed, from words, an image or five frames.

Sources: the docstring and defaults of `Cosmos2_5_PredictBasePipeline`, which name repository and branch, the
files that the package `cosmos_guardrail` loads, and public projects that pin both.
"""

from dataclasses import replace

from models.download import FILES
from models.video_model import ModelCard

GUARDRAIL = {
    "nvidia/Cosmos-1.0-Guardrail": ("blocklist/*", "face_blur_filter/Resnet50_Final.pth"),
    "Qwen/Qwen3Guard-Gen-0.6B": ("*",),
}
"""What NVIDIA's safety checker reads besides."""
NEGATIVE = (
    "The video captures a series of frames showing ugly scenes, static with no motion, motion blur, "
    "over-saturation, shaky footage, low resolution, grainy texture, pixelated images, poorly lit areas, "
    "underexposed and overexposed scenes, poor color balance, washed out colors, choppy sequences, jerky "
    "movements, low frame rate, artifacting, color banding, unnatural transitions, outdated special effects, "
    "fake elements, unconvincing visuals, poorly edited content, jump cuts, visual noise, and flickering. "
    "Overall, the video is of poor quality."
)
"""The authors' own, the default of their pipeline."""

SMALL = ModelCard(
    name="cosmos-2.5-2b",
    title="Cosmos-Predict2.5 2B",
    family="cosmos",
    pipeline_class="Cosmos2_5_PredictBasePipeline",
    source="nvidia/Cosmos-Predict2.5-2B",
    parts={"nvidia/Cosmos-Predict2.5-2B": FILES, **GUARDRAIL},
    revision="diffusers/base/post-trained",
    licence="https://www.nvidia.com/en-us/agreements/enterprise-software/nvidia-open-model-license",
    gated=True,
    parameters_b=2,
    fps=16,
    height=704,
    width=1280,
    size_multiple=16,
    frame_stride=4,
    frame_offset=1,
    num_frames=93,
    max_frames=93,
    num_inference_steps=36,
    preview_steps=8,
    guidance_scale=7.0,
    negative_prompt=NEGATIVE,
    prefix_frames=5,
    text_encoder_gb=16.6,
    memory_gb=34,
    notes="Streets, machines and robots as a camera films them; continues from the last five frames. Its "
    "licence asks for NVIDIA's safety checker, which refuses some prompts and blurs faces: "
    '`pip install -e ".[cosmos]"`.',
)
LARGE = replace(
    SMALL,
    name="cosmos-2.5-14b",
    title="Cosmos-Predict2.5 14B",
    source="nvidia/Cosmos-Predict2.5-14B",
    parts={"nvidia/Cosmos-Predict2.5-14B": FILES, **GUARDRAIL},
    parameters_b=14,
    memory_gb=60,
    notes="The larger one, with the same safety checker.",
)
CARDS = (SMALL, LARGE)
