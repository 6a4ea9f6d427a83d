"""What a model makes of the words of a prompt, which is told before the press."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reading:
    """Words that do not come to the model as they were written; none if it reads them all.

    Attributes:
        as_others: words that are read as others, and as which.
        unknown: words that the model was not taught, and none that it was comes near.
        left_out: ends of scenes, beyond the length that it reads.
    """

    as_others: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
