"""The embedded model."""

from pathlib import Path

from models.video_model import ModelCard

CARDS = (
    ModelCard(
        name="pocket",
        title="Pocket",
        family="pocket",
        pipeline_class="LinGenPipeline",
        source=str(Path(__file__).resolve().parents[2] / "assets" / "pocket"),
        licence="Apache-2.0",
        fps=8,
        height=256,
        width=256,
        size_multiple=64,
        max_side=512,
        frame_stride=4,
        frame_offset=1,
        num_frames=17,
        max_frames=33,
        num_inference_steps=8,
        max_steps=50,
        preview_steps=4,
        guidance_scale=1.0,
        takes_last_image=True,
        prefix_frames=5,
        memory_gb=1.0,
        max_prompt_chars=500,
        notes="Ships with the studio and runs on a laptop: animated subjects in drawn settings.",
    ),
)
