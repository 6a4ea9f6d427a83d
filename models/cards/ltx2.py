"""LTX-2, by Lightricks: video with sound, of which the studio keeps the video.

Sources: diffusers' page on LTX-2 and the defaults of `LTX2ConditionPipeline`.
"""

from models.video_model import ModelCard

CARDS = (
    ModelCard(
        name="ltx-2",
        title="LTX-2 (19B)",
        family="ltx2",
        pipeline_class="LTX2ConditionPipeline",
        source="Lightricks/LTX-2",
        licence="https://huggingface.co/Lightricks/LTX-2/blob/main/LICENSE",
        parameters_b=19,
        fps=24,
        height=512,
        width=768,
        size_multiple=32,
        frame_stride=8,
        frame_offset=1,
        num_frames=121,
        max_frames=257,
        num_inference_steps=30,
        preview_steps=8,
        guidance_scale=3.0,
        negative_prompt="worst quality, inconsistent motion, blurry, jittery, distorted, static",
        evaluations=(4, 3),  # one each for spatio-temporal and modality guidance
        options={"use_cross_timestep": False, "spatio_temporal_guidance_blocks": [29]},  # as LTX-2.0 had it
        takes_last_image=True,
        prefix_frames=17,
        tiling=True,
        text_encoder_gb=24,
        memory_gb=72,
        notes="Makes sound along with the pictures, which is not kept; continues from the last 17 frames.",
    ),
)
