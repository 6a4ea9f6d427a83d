"""How well a clip keeps to its guide frame."""

from __future__ import annotations

from models.clip import Clip
from models.conditioning import Conditioning
from models.scoring.clip_space import ClipSpace
from models.video_model import Scorer


class GuideScorer(Scorer):
    """The smallest CLIP similarity of any frame to the guide frame (Zhang & Lim, Eq. 4), in `[-1, 1]`.

    `min_j cos(CLIP(guide), CLIP(V[j]))`, over the frames that do not repeat the guide: those are the same in
    every candidate and would only hide what tells candidates apart. A clip made from text alone is compared
    with its own first frame, so the number says how steady it is. A frozen clip scores 1.
    """

    name = "guide"

    def __init__(self, space: ClipSpace) -> None:
        self._space = space

    def score(self, clip: Clip, conditioning: Conditioning) -> float | None:
        """Score a clip."""
        frames = self._space.frames(clip)
        guide = self._space.guide(conditioning)
        if guide is None:
            return float((frames @ frames[0]).min())
        return float((frames[conditioning.num_guide_frames :] @ guide).min())
