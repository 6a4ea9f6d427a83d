"""Wan 2.1 and 2.2, in the diffusers format of their authors.

Sources: `generate.py`, `wan/configs` and the READMEs of github.com/Wan-Video/Wan2.1 and Wan2.2 for steps,
shift, guidance, sizes and frame rates; diffusers' page on Wan for the hub ids; the examples of its pipelines
for what is in 32 bits. In A14B `guidance_scale` is that of the network for high noise and `guidance_scale_2`
that of the one for low noise.
"""

from dataclasses import replace

from models.video_model import ModelCard

NEGATIVE = (
    "Bright tones, overexposed, static, blurred details, subtitles, style, works, paintings, images, static, "
    "overall gray, worst quality, low quality, JPEG compression residue, ugly, incomplete, extra fingers, "
    "poorly drawn hands, poorly drawn faces, deformed, disfigured, misshapen limbs, fused fingers, "
    "still picture, messy background, three legs, many people in the background, walking backwards"
)
"""The authors' `sample_neg_prompt`, in the English of diffusers' examples; Helios and SkyReels-V2 too."""

TEXT_1_3B = ModelCard(
    name="wan2.1-t2v-1.3b",
    title="Wan 2.1 T2V 1.3B",
    family="wan",
    precise=("vae",),
    pipeline_class="WanPipeline",
    source="Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
    licence="Apache-2.0",
    parameters_b=1.3,
    fps=16,
    height=480,
    width=832,
    size_multiple=16,
    max_side=1280,
    frame_stride=4,
    frame_offset=1,
    num_frames=81,
    max_frames=81,
    num_inference_steps=50,
    preview_steps=8,
    guidance_scale=6.0,
    negative_prompt=NEGATIVE,
    shift=8.0,
    takes_image=False,
    prefix_frames=0,
    partner="wan2.1-vace-1.3b",
    memory_gb=20,
    notes="The smallest Wan; its text encoder is larger than itself.",
)
TEXT_14B = replace(
    TEXT_1_3B,
    name="wan2.1-t2v-14b",
    title="Wan 2.1 T2V 14B",
    source="Wan-AI/Wan2.1-T2V-14B-Diffusers",
    parameters_b=14,
    height=720,
    width=1280,
    shift=5.0,
    guidance_scale=5.0,
    partner="wan2.1-i2v-14b-720p",
    memory_gb=60,
    notes="480p and 720p.",
)
IMAGE_14B = replace(
    TEXT_14B,
    name="wan2.1-i2v-14b-720p",
    title="Wan 2.1 I2V 14B 720p",
    precise=("vae", "image_encoder"),
    pipeline_class="WanImageToVideoPipeline",
    source="Wan-AI/Wan2.1-I2V-14B-720P-Diffusers",
    parameters_b=16.4,
    num_inference_steps=40,
    takes_text=False,
    takes_image=True,
    prefix_frames=1,
    partner="",
    memory_gb=66,
    notes="Animates an image by a prompt.",
)
VACE_1_3B = replace(
    TEXT_1_3B,
    name="wan2.1-vace-1.3b",
    title="Wan 2.1 VACE 1.3B",
    pipeline_class="WanVACEPipeline",
    source="Wan-AI/Wan2.1-VACE-1.3B-diffusers",
    parameters_b=2.2,
    guidance_scale=5.0,
    shift=16.0,
    takes_image=True,
    takes_last_image=True,
    prefix_frames=17,
    partner="",
    memory_gb=22,
    notes="Continues from the last second of a clip, fills in towards a last image, or starts from words.",
)
TEXT_A14B = replace(
    TEXT_14B,
    name="wan2.2-t2v-a14b",
    title="Wan 2.2 T2V A14B",
    source="Wan-AI/Wan2.2-T2V-A14B-Diffusers",
    networks=2,
    num_inference_steps=40,
    guidance_scale=4.0,
    options={"guidance_scale_2": 3.0},
    shift=12.0,
    partner="wan2.2-i2v-a14b",
    memory_gb=80,
    notes="Two networks of 14B, one for high and one for low noise.",
)

CARDS = (
    TEXT_1_3B,
    TEXT_14B,
    replace(
        IMAGE_14B,
        name="wan2.1-i2v-14b-480p",
        title="Wan 2.1 I2V 14B 480p",
        source="Wan-AI/Wan2.1-I2V-14B-480P-Diffusers",
        height=480,
        width=832,
        max_side=832,
        shift=3.0,
    ),
    IMAGE_14B,
    replace(
        IMAGE_14B,
        name="wan2.1-flf2v-14b",
        title="Wan 2.1 FLF2V 14B",
        source="Wan-AI/Wan2.1-FLF2V-14B-720P-diffusers",
        num_inference_steps=50,
        shift=16.0,
        takes_last_image=True,
        needs_last_image=True,
        notes="Fills in between a first and a last image; the authors advise prompts in Chinese.",
    ),
    VACE_1_3B,
    replace(
        VACE_1_3B,
        name="wan2.1-vace-14b",
        title="Wan 2.1 VACE 14B",
        source="Wan-AI/Wan2.1-VACE-14B-diffusers",
        parameters_b=17.3,
        height=720,
        width=1280,
        memory_gb=70,
    ),
    TEXT_A14B,
    replace(
        TEXT_A14B,
        name="wan2.2-i2v-a14b",
        title="Wan 2.2 I2V A14B",
        pipeline_class="WanImageToVideoPipeline",
        source="Wan-AI/Wan2.2-I2V-A14B-Diffusers",
        guidance_scale=3.5,
        options={"guidance_scale_2": 3.5},
        shift=5.0,
        takes_text=False,
        takes_image=True,
        prefix_frames=1,
        partner="",
    ),
    replace(
        TEXT_14B,
        name="wan2.2-ti2v-5b",
        title="Wan 2.2 TI2V 5B",
        pipeline_class="WanImageToVideoPipeline",
        source="Wan-AI/Wan2.2-TI2V-5B-Diffusers",
        parameters_b=5,
        fps=24,
        height=704,
        size_multiple=32,
        num_frames=121,
        max_frames=121,
        takes_image=True,
        prefix_frames=1,
        partner="",
        memory_gb=32,
        notes="Words or an image with words, at 24 frames a second; the lightest one at 720p.",
    ),
)
