"""Clips are named by the nearest text; the CLIP model is a stand-in whose vectors are known."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from models.clip import Clip
from models.pocket.scenes import SETTINGS
from models.pocket.subjects import NOUNS
from models.pocket.zero_shot import Namer, setting_namer, subject_namer


class Space:
    """Texts and frames are vectors along the axis of the first word they know."""

    def __init__(self, words):
        self.words = words

    def prompt(self, text):
        return F.one_hot(
            torch.tensor(next(i for i, w in enumerate(self.words) if w in text)), len(self.words)
        ).float()

    def frames(self, clip):
        return torch.stack(
            [F.one_hot(torch.tensor(int(f[0, 0, 0])), len(self.words)).float() for f in clip.frames]
        )


def clip_of(*axes):
    return Clip(np.array(axes, np.uint8)[:, None, None, None].repeat(3, 3), 8)


def test_most_frames_decide():
    namer = Namer(Space(["cat", "dog"]), {"cat": ["a cat"], "dog": ["a dog", "the dog"]})
    assert namer.names == ("cat", "dog")
    assert namer(clip_of(1, 1, 0)) == "dog"
    assert namer(clip_of(0, 1, 0)) == "cat"


@pytest.mark.parametrize(("namer", "names"), [(subject_namer, NOUNS), (setting_namer, SETTINGS)])
def test_every_name_of_the_corpus_can_be_given(namer, names):
    assert namer(Space(["a "])).names == tuple(names)
