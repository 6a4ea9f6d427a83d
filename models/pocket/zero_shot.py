"""Names what a clip shows by the CLIP text that is nearest to its frames, without any training for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch.nn import functional as F

from models.clip import Clip
from models.pocket.captions import PLACES
from models.pocket.subjects import NOUNS
from models.scoring.clip_space import ClipSpace

SUBJECT_PROMPTS = ("a {}", "a video of a {}", "a {} moves")
SETTING_NOUNS = NOUNS[::5]
"""A setting is asked for with several subjects in it, as captions always name one."""


class Namer:
    """Chooses one of several names for a clip: the one nearest to the mean of the frames' embeddings.

    Args:
        space: of the CLIP model.
        texts: name -> sentences that say it; their embeddings are averaged.
    """

    def __init__(self, space: ClipSpace, texts: Mapping[str, Sequence[str]]) -> None:
        self.names = tuple(texts)
        self._space = space
        means = [torch.stack([space.prompt(text) for text in texts[name]]).mean(0) for name in self.names]
        self._texts = F.normalize(torch.stack(means), dim=1)

    def __call__(self, clip: Clip) -> str:
        """The name."""
        picture = self._space.frames(clip).mean(0)
        return self.names[int((self._texts @ picture).argmax())]


def subject_namer(space: ClipSpace) -> Namer:
    """Chooses among the forty nouns."""
    return Namer(space, {noun: [text.format(noun) for text in SUBJECT_PROMPTS] for noun in NOUNS})


def setting_namer(space: ClipSpace) -> Namer:
    """Chooses among the eight settings."""
    return Namer(
        space,
        {
            setting: [f"a {noun} {place}" for place in places for noun in SETTING_NOUNS]
            for setting, places in PLACES.items()
        },
    )
