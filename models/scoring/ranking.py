"""One number out of all scores, by which a gallery is ordered."""

from __future__ import annotations

MOTION_FLOOR = 0.005
"""Motion below which a clip counts as still: a mean change of 0.5 % of the range from frame to frame."""

PROMPT_WEIGHT = 0.5
"""How much the prompt weighs against the guide once a guide frame fixes what is seen."""


def rank(scores: dict[str, float], has_guide: bool) -> float:
    """The default ranking; higher is better.

    The smallest similarity to the guide frame rewards stillness, because a frozen clip scores 1. So it
    counts in full only for clips that move: below `MOTION_FLOOR` it shrinks in proportion to the motion, and
    a frozen clip gets nothing for it. With a guide frame the guide leads and the prompt comes second; for
    text alone steadiness and prompt count the same. Scores that are missing count nothing.

    Args:
        scores: by name of the scorer: `guide`, `prompt`, `motion`.
        has_guide: whether `guide` was measured against a guide frame, not the clip's own first frame.
    """
    alive = min(1.0, scores.get("motion", MOTION_FLOOR) / MOTION_FLOOR)
    weight = PROMPT_WEIGHT if has_guide else 1.0
    return alive * scores.get("guide", 0.0) + weight * scores.get("prompt", 0.0)
