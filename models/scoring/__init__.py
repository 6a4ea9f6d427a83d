"""How good is a candidate: one module a scorer. Importing this package loads no torch.

`default_scorers` gives the three the studio uses, on one CLIP model; `rank` makes one number of their scores.
"""

from __future__ import annotations

from pathlib import Path

from models.catalog import ASSETS
from models.scoring.ranking import rank
from models.video_model import Scorer

__all__ = ["default_scorers", "rank"]


def default_scorers(device: str = "cpu", clip: Path | str | None = None) -> list[Scorer]:
    """Guide, prompt and motion, sharing one CLIP model.

    Args:
        device: of the CLIP model, as torch names it.
        clip: folder or open_clip name of the CLIP model; None takes the embedded one.

    Raises:
        InputError: if the CLIP model cannot be loaded.
    """
    from models.scoring.clip_space import ClipSpace
    from models.scoring.guide import GuideScorer
    from models.scoring.motion import MotionScorer
    from models.scoring.prompt import PromptScorer

    space = ClipSpace.load(clip or ASSETS / "pocket" / "clip", device)
    return [GuideScorer(space), PromptScorer(space), MotionScorer()]
