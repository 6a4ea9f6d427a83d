"""A tiny random LinGen pipeline."""

import dataclasses
from pathlib import Path

from models.video_model import ModelCard
from tests.tiny import LINGEN_FRAMES, LINGEN_SIZE, tiny_lingen


def save(folder: Path, card: ModelCard) -> ModelCard:
    tiny_lingen(folder)
    return dataclasses.replace(
        card, height=LINGEN_SIZE, width=LINGEN_SIZE, num_frames=LINGEN_FRAMES, num_inference_steps=4
    )
