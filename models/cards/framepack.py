"""FramePack, by Lvmin Zhang and Maneesh Agrawala, on HunyuanVideo.

Sources: diffusers' page on Framepack and the defaults of its pipeline.
"""

from dataclasses import replace

from models.video_model import ModelCard

BASE = "hunyuanvideo-community/HunyuanVideo"
VISION = "lllyasviel/flux_redux_bfl"
NETWORK = ("config.json", "*.safetensors", "*.safetensors.index.json")
SHARED = {
    BASE: ("model_index.json", "vae/*", "text_encoder*/*", "tokenizer*/*", "scheduler/*"),
    VISION: ("feature_extractor/*", "image_encoder/*"),
}

INVERTED = ModelCard(
    name="framepack",
    title="FramePack (13B)",
    family="framepack",
    text_encoder_gb=16,
    pipeline_class="HunyuanVideoFramepackPipeline",
    source="lllyasviel/FramePackI2V_HY",
    parts={"lllyasviel/FramePackI2V_HY": NETWORK, **SHARED},
    licence="https://huggingface.co/lllyasviel/FramePackI2V_HY",
    parameters_b=13,
    fps=30,
    height=512,
    width=512,
    size_multiple=16,
    frame_stride=36,
    frame_offset=1,
    num_frames=37,
    min_frames=37,
    max_frames=37,
    num_inference_steps=30,
    preview_steps=8,
    guidance_scale=9.0,
    options={"sampling_type": "inverted_anti_drifting"},
    takes_negative=False,
    evaluations=(1, 1),  # guidance is one of the network's inputs
    tiling=True,
    takes_text=False,
    takes_last_image=True,
    memory_gb=52,
    notes="One section of FramePack at a time: an image and the 36 frames after it, or between two images.",
)
VANILLA = replace(
    INVERTED,
    name="framepack-f1",
    title="FramePack F1 (13B)",
    source="lllyasviel/FramePack_F1_I2V_HY_20250503",
    parts={"lllyasviel/FramePack_F1_I2V_HY_20250503": NETWORK, **SHARED},
    licence="https://huggingface.co/lllyasviel/FramePack_F1_I2V_HY_20250503",
    options={"sampling_type": "vanilla"},
    takes_last_image=False,
    notes="One section of FramePack at a time: an image and the 36 frames after it.",
)
CARDS = (INVERTED, VANILLA)
