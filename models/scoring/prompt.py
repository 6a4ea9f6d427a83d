"""How well a clip shows what its prompt says."""

from __future__ import annotations

from models.clip import Clip
from models.conditioning import Conditioning
from models.scoring.clip_space import ClipSpace
from models.video_model import Scorer


class PromptScorer(Scorer):
    """The mean CLIP similarity of the frames to the prompt, in `[-1, 1]`; None without a prompt."""

    name = "prompt"

    def __init__(self, space: ClipSpace) -> None:
        self._space = space

    def score(self, clip: Clip, conditioning: Conditioning) -> float | None:
        """Score a clip."""
        if not conditioning.prompt:
            return None
        frames = self._space.frames(clip)[conditioning.num_guide_frames :]
        return float((frames @ self._space.prompt(conditioning.prompt)).mean())
