from __future__ import annotations

import numpy as np
import pytest

from models.pocket.sprites import SPRITE_FRAMES, SPRITE_SIZE
from models.pocket.subjects import NOUNS


@pytest.fixture(scope="session")
def drawn_sprites() -> dict[str, np.ndarray]:
    """A plain opaque square of its own colour for every noun, in the packed format."""
    sprites = {}
    for index, noun in enumerate(NOUNS):
        frames = np.zeros((SPRITE_FRAMES, SPRITE_SIZE, SPRITE_SIZE, 4), np.uint8)
        frames[:, 16:80, 16:80] = (255 - 6 * index, 6 * index, 128, 255)
        sprites[noun] = frames
    return sprites
