"""The embedded model: text, a guide image, a prefix of 4n+1 frames, a last image; `LinGenPipeline`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PIL import Image

from models.conditioning import Conditioning
from models.reading import Reading
from models.video_model import ModelCard

MOST_TOKENS = 32
"""Of a prompt that are read; the model was taught with no longer ones."""


def pipeline_class(card: ModelCard) -> type[Any]:
    """`LinGenPipeline`."""
    from models.lingen.pipeline import LinGenPipeline

    return LinGenPipeline


def reading(pipeline: Any, prompt: str) -> tuple[str, Reading]:
    """The prompt in words that the model was taught, and what was made of the others."""
    from models.lingen.embeds import beyond
    from models.pocket.vocabulary import Vocabulary, sentence_vectors

    if not hasattr(pipeline, "vocabulary"):
        encoder, device = pipeline.text_encoder, pipeline._execution_device
        pipeline.vocabulary = Vocabulary(sentence_vectors(encoder, pipeline.tokenizer, device))
    read, told = pipeline.vocabulary.read(prompt)
    lost = (beyond(pipeline.tokenizer, scene, MOST_TOKENS) for scene in read.splitlines())
    return read, replace(told, left_out=tuple(words for words in lost if words))


def encode(pipeline: Any, conditioning: Conditioning) -> dict[str, Any]:
    """Text states with their masks, the negative ones only where guidance asks for them; guide latents."""
    states, mask = pipeline.encode_prompt(conditioning.prompt, max_sequence_length=MOST_TOKENS)
    encoded = {"prompt_embeds": states, "prompt_attention_mask": mask}
    if conditioning.guidance_scale > 1:
        states, mask = pipeline.encode_prompt(conditioning.negative_prompt, max_sequence_length=MOST_TOKENS)
        encoded |= {"negative_prompt_embeds": states, "negative_prompt_attention_mask": mask}
    if conditioning.last_image is not None:
        encoded["last_image"] = Image.fromarray(conditioning.last_image)
    if conditioning.guide is not None:
        frames = [Image.fromarray(frame) for frame in conditioning.guide]
        pixels = pipeline.video_processor.preprocess_video(frames, conditioning.height, conditioning.width)
        encoded["video_latents"] = pipeline.encode_video(pixels)
    return encoded


def arguments(conditioning: Conditioning) -> dict[str, Any]:
    """Everything is encoded already."""
    return {
        **conditioning.encoded,
        "height": conditioning.height,
        "width": conditioning.width,
        "num_frames": conditioning.num_frames,
        "guidance_scale": conditioning.guidance_scale,
    }


def decode(pipeline: Any, predicted: Any, latents: Any, conditioning: Conditioning) -> Any:
    """The pipeline's own end. Known frames do not move, so `predicted` holds them already."""
    pixels = pipeline.decode_latents(predicted)
    return pipeline.video_processor.postprocess_video(pixels, output_type="np")
