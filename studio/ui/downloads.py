"""What a press of the button downloads first, told beforehand."""

import time
from typing import TYPE_CHECKING

from studio.checks import check_first_frames, draws_first_frames
from studio.errors import InputError
from studio.handover import handed_over_film
from studio.timeline import ChunkRequest

if TYPE_CHECKING:
    from models.video_model import ModelCard
    from studio.studio import Studio

ASKED_AGAIN = 600.0
"""Seconds after which the hub is asked again how large a download is."""


class Downloads:
    """Sentences on models whose weights are not here; the hub is asked once for each in a while."""

    def __init__(self, studio: "Studio") -> None:
        self.studio = studio
        self.known: dict[str, tuple[float, str]] = {}

    def words(self, *requests: ChunkRequest, continues: bool) -> str:
        """What has to come before these requests can be made, one a chunk; empty if all is here.

        Args:
            requests: one a chunk; a model of words alone hands over to its partner.
            continues: whether the first one continues a film.
        """
        made = handed_over_film(requests, self.studio.card, continues=continues)
        worker, settings = self.studio.worker, self.studio.settings
        cards = {request.model: self.studio.card(request.model) for request in made}
        if draws_first_frames(worker, made, continues=continues):
            try:
                check_first_frames(worker, settings, made, continues=continues)
            except InputError as problem:
                return str(problem).rstrip(".")
            cards = {worker.image_model().name: worker.image_model(), **cards}
        return ". ".join(
            dict.fromkeys(self.of(card) for name, card in cards.items() if not worker.is_here(name))
        )

    def of(self, card: "ModelCard") -> str:
        """What the download of a model brings, or why nobody knows."""
        model = card.name
        asked, sentence = self.known.get(model, (0.0, ""))
        if not sentence or time.monotonic() - asked > ASKED_AGAIN:
            try:
                plan = self.studio.worker.plan(model)[1].rstrip(".")
                sentence = f"{card.title} first: {plan}"
            except InputError as problem:
                sentence = str(problem).rstrip(".")
            self.known[model] = (time.monotonic(), sentence)
        return sentence
