"""Projects that begin on a page that stands nowhere. No Gradio in here."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

MOST = 100


@dataclass
class Beginning:
    """What one turn of one page begins.

    Attributes:
        turn: held while its project is made and the first work in it is begun.
        project: the id, once that has gone well.
    """

    turn: Lock = field(default_factory=Lock)
    project: str | None = None


class Beginnings:
    """The newest ones by visit and turn; those that are being made are kept beyond that."""

    def __init__(self) -> None:
        self._known: dict[str, Beginning] = {}
        self._looking = Lock()

    def of(self, visit: str | None, turn: int) -> Beginning:
        """What that turn of that page begins; a page that does not say which one it is shares nothing."""
        if not visit:
            return Beginning()
        with self._looking:
            found = self._known.setdefault(f"{visit} {turn}", Beginning())
            for old in list(self._known)[:-MOST]:
                if not self._known[old].turn.locked():
                    del self._known[old]
        return found
