"""Is this a request that can be made? The page, the command line and the API are all untrusted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from studio.errors import InputError
from studio.timeline import ChunkRequest, LoraChoice, Project

if TYPE_CHECKING:
    from models.video_model import ModelCard
    from studio.jobs import Jobs
    from studio.settings import Settings
    from studio.store import Store
    from studio.workers.contract import Worker

MAX_CANDIDATES = 32
SEEDS = 2**32 - MAX_CANDIDATES
"""How many seeds a chunk can be asked for with; whoever counts past them goes on from 0."""
MAX_TITLE_CHARS = 200
MAX_SEGMENTS = 500
MAX_TURNS = 3


def check_request(card: ModelCard, request: ChunkRequest, *, continues: bool) -> ChunkRequest:
    """Return the request with its prompts trimmed, if the model can make it.

    Args:
        card: of the request's model.
        request: what is asked.
        continues: whether there is a film; the chunk goes on from its end unless it cuts to a new shot.

    Raises:
        InputError: saying which of the choices is outside its limits, and what to choose.
    """
    continues = continues and not request.cut
    if request.guide and continues:
        raise InputError(
            "A guide image begins a film or a new shot; this chunk continues the film. Remove the image, cut "
            "to a new shot, or start a new film with it."
        )
    guided = continues or request.guide is not None
    prompt = card.check_prompt(request.prompt, has_guide=guided)
    negative = card.check_prompt(request.negative_prompt, has_guide=True)
    begins = guided or draws_first_frame(card, request, continues=continues)
    card.check_guides(has_guide=begins, has_last_image=request.last_image is not None)
    card.check_guidance(request.guidance_scale, negative)
    card.check_size(request.height, request.width)
    card.check_num_frames(request.num_frames)
    if continues and request.num_frames <= card.prefix_frames:
        raise InputError(
            f"A chunk that continues the film repeats {card.prefix_frames} frames of it, so "
            f"{request.num_frames} frames would show nothing new. Try {card.num_frames}."
        )
    given = card.prefix_frames if continues else int(begins)
    if request.last_image is not None and request.num_frames - given <= card.frame_stride:
        raise InputError(
            f"{request.num_frames} frames leave none to be made between what is given and the last image. "
            f"Try {card.num_frames}."
        )
    check_text(prompt)
    check_text(negative)
    k_step = request.strategy == "k-step"
    card.check_steps(request.num_inference_steps, request.preview_steps if k_step else None)
    _check_numbers(request)
    return request.model_copy(update={"prompt": prompt, "negative_prompt": negative})


def check_typed(card: ModelCard, request: ChunkRequest, prompts: Iterable[str]) -> None:
    """Check a request that is still being put together; words that are missing may yet come.

    Args:
        card: of the request's model.
        request: what is asked, so far.
        prompts: what each chunk shows.

    Raises:
        InputError: if the model cannot run its steps, or a text is longer than it takes.
    """
    k_step = request.strategy == "k-step"
    card.check_steps(request.num_inference_steps, request.preview_steps if k_step else None)
    for text in (*prompts, request.negative_prompt):
        card.check_prompt(text, has_guide=True)


def check_length(number: int) -> None:
    """Check of how many chunks a film is made.

    Raises:
        InputError: if there are none, or very many.
    """
    if not 1 <= number <= MAX_SEGMENTS:
        raise InputError(f"A film is made of 1 to {MAX_SEGMENTS} chunks, not {number:,}.")


def draws_first_frame(card: ModelCard, request: ChunkRequest, *, continues: bool) -> bool:
    """Whether a text-to-image model draws the guide image from the prompt, as nobody has given one."""
    return not ((continues and not request.cut) or request.guide or card.takes_text)


def draws_first_frames(worker: Worker, requests: Iterable[ChunkRequest], *, continues: bool) -> bool:
    """Whether one is drawn for any chunk of a film; arguments as `check_first_frames`."""
    return any(
        draws_first_frame(worker.card(each.model), each, continues=continues or index > 0)
        for index, each in enumerate(requests)
    )


def check_idle(jobs: Jobs, project_id: str) -> None:
    """Check that nothing runs or waits for a project.

    Raises:
        InputError: if something does.
    """
    if jobs.active(project_id) is not None:
        raise InputError("This project is still at work. Wait until it is done, or cancel it.")


def check_turn(settings: Settings, store: Store, jobs: Jobs, project_id: str) -> None:
    """Check that whoever began a project leaves others their turn, if strangers share the studio's queue.

    Raises:
        InputError: if several films of theirs are at work or wait already.
    """
    theirs = store.of_same_visitor(project_id) if settings.shared else []
    waiting = sum(jobs.active(each.id) is not None for each in theirs)
    if waiting >= MAX_TURNS:
        raise InputError(
            f"{waiting} of your films are at work or waiting, and others wait too. Let one of them end, or "
            "stop it."
        )


def check_pick(project: Project, candidate_id: str) -> None:
    """Check that a candidate can be picked.

    Raises:
        InputError: if it is not in the gallery, or the gallery is of a chunk that is made already.
    """
    if project.gallery is None:
        raise InputError("The gallery is empty. Search for candidates first, then pick one.")
    project.gallery.candidate(candidate_id)
    if project.gallery.parent != project.head:  # a crash in the middle of another attempt leaves such a one
        raise InputError("The film does not end where these candidates go on. Search for new ones.")


def check_images(store: Store, project_id: str, requests: Sequence[ChunkRequest]) -> None:
    """Check that the images which a film begins and ends with are there.

    Raises:
        InputError: if not.
    """
    for name in (requests[0].guide, requests[-1].last_image):
        try:
            if name is not None:
                store.media_path(project_id, name)
        except InputError as error:
            raise InputError("An image is no longer there. Upload it again.") from error


def read_lora(text: str) -> LoraChoice:
    """A LoRA as it is written in one field, `name` or `name:0.8`.

    Raises:
        InputError: if the weight is no number from -4 to 4.
    """
    name, colon, weight = text.strip().rpartition(":")
    try:
        return LoraChoice(name=name, weight=float(weight)) if colon else LoraChoice(name=text.strip())
    except ValueError as error:
        raise InputError(
            f"A LoRA is written as its name, or as name:weight with a weight from -4 to 4, not {text!r}."
        ) from error


def check_loras(choices: Iterable[LoraChoice], here: Sequence[str], folder: Path) -> None:
    """Check that LoRA files are there.

    Args:
        choices: what is asked for.
        here: names of the files that are there.
        folder: where they lie.

    Raises:
        InputError: naming the first that is not.
    """
    for choice in choices:
        if choice.name not in here:
            raise InputError(
                f"There is no LoRA called {choice.name!r} in {folder}. Put the file there, or leave it out."
            )


def offered(worker: Worker, settings: Settings) -> list[ModelCard]:
    """The models that can be chosen.

    Where strangers share the studio, none of them has it fetch tens of gigabytes: only models whose weights
    are here are offered, and the one that it opens with.
    """
    cards = worker.cards()
    if not settings.shared:
        return cards
    return [card for card in cards if card.name == settings.model or worker.is_here(card.name)]


def check_offered(models: Iterable[str], cards: Sequence[ModelCard]) -> None:
    """Check that models can be chosen.

    Raises:
        InputError: naming the first that cannot, and those that can.
    """
    names = [card.name for card in cards]
    for model in models:
        if model not in names:
            raise InputError(f"The model {model} is not offered by this studio. Choose {' or '.join(names)}.")


def check_first_frames(
    worker: Worker, settings: Settings, requests: Iterable[ChunkRequest], *, continues: bool
) -> None:
    """Check that no stranger has a shared studio fetch the model that draws first frames.

    Args:
        worker: draws them.
        settings: say whether the studio is shared.
        requests: one a chunk.
        continues: whether the first one continues a film.

    Raises:
        InputError: if one has to be drawn, and the model is not here.
    """
    drawn = settings.shared and draws_first_frames(worker, requests, continues=continues)
    if drawn and not worker.is_here(worker.image_model().name):
        raise InputError(
            "No image model is here that could draw the first frame. Give an image to begin with, or choose "
            "another model."
        )


def check_title(title: str) -> str:
    """Return a project's title in one line.

    Raises:
        InputError: if it is empty, very long, or no valid Unicode.
    """
    title = plain_title(title)
    if not title:
        raise InputError("The title is empty. Give the project a name of a few words.")
    if len(title) > MAX_TITLE_CHARS:
        raise InputError(f"The title has {len(title)} characters. Shorten it to at most {MAX_TITLE_CHARS}.")
    check_text(title)
    return title


def plain_title(title: str) -> str:
    """A title in one line, without what would steer a terminal that shows it."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", title).split())


def check_text(text: str) -> None:
    """Check that a text can be stored and shown.

    Raises:
        InputError: if a part of it is no valid Unicode.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"The text holds something that is no character ({text[error.start]!a}), after "
            f"{text[max(0, error.start - 20) : error.start]!r}. Type it again there."
        ) from error


def _check_numbers(request: ChunkRequest) -> None:
    """Limits that are the studio's own."""
    if request.strategy != "naive" and not 1 <= request.candidates <= MAX_CANDIDATES:
        raise InputError(f"A search takes 1 to {MAX_CANDIDATES} candidates, not {request.candidates}. Try 4.")
    if not 0 <= request.seed < SEEDS:
        raise InputError(f"A seed is a whole number from 0 to {SEEDS - 1}, not {request.seed}. Try 0.")
