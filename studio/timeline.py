"""Projects, segments, galleries and candidates: pure data, no input or output.

A project is a tree of segments; a branch is a path from a root to a segment; the film is the branch that ends
at the project's head. Every function returns a new project, so that a caller who fails keeps the old one.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from studio.errors import InputError

Strategy = Literal["naive", "k-step", "brute-force"]
PreviewKind = Literal["schedule", "prefix"]


def new_id() -> str:
    """A name that cannot be guessed, so that a link to a media file is a capability."""
    return uuid.uuid4().hex


def now() -> datetime:
    """The present in UTC."""
    return datetime.now(timezone.utc)


class Frozen(BaseModel):
    """A record that is never changed, only replaced."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")


class LoraChoice(Frozen):
    """A LoRA file of the studio's folder, by name without its suffix, and how strongly it counts."""

    name: str = Field(min_length=1, max_length=200)
    weight: float = Field(default=1.0, ge=-4, le=4)


class ChunkRequest(Frozen):
    """All that a person decides about one chunk.

    Attributes:
        prompt, negative_prompt: what is seen, what is kept away from.
        model: name of a card.
        height, width: pixels; num_frames: frames of the chunk, repeated guide frames included.
        num_inference_steps: s, the steps of a full run.
        guidance_scale: classifier-free guidance, 1 turns it off.
        strategy: `naive` finishes one initial noise; `k-step` previews m of them and finishes one;
            `brute-force` finishes all m and keeps one (Zhang & Lim, section 3.4).
        previews: `schedule` previews are complete runs of k steps (Algorithm 1); `prefix` previews are
            the first k of the s steps, and the chosen run goes on from there.
        candidates: m, how many initial noises are drawn.
        preview_steps: k.
        seed: candidate j has seed `seed + j`.
        cut: whether the chunk begins a new shot, from its words or its guide image, where a film goes on.
        guide: media name of a guide image, or None. Only where a film or a shot begins.
        guide_prompt: what that image was drawn from, or None if somebody gave it.
        last_image: media name of an uploaded image that the chunk is led to, or None.
        loras: LoRA files that change the model for this chunk.
        match_colours: whether the clip gets the colours of the guide frame that it repeats, against drift.
        least_likeness: a chunk that the autopilot makes is made again with other noises, if its `guide` score
            falls below this; 0 takes every chunk as it is.
    """

    prompt: str
    negative_prompt: str = ""
    model: str = "pocket"
    height: int = 256
    width: int = 256
    num_frames: int = 17
    num_inference_steps: int = 8
    guidance_scale: float = 1.0
    strategy: Strategy = "k-step"
    previews: PreviewKind = "schedule"
    candidates: int = 4
    preview_steps: int = 4
    seed: int = 0
    cut: bool = False
    guide: str | None = None
    guide_prompt: str | None = None
    last_image: str | None = None
    loras: tuple[LoraChoice, ...] = Field(default=(), max_length=8)
    match_colours: bool = False
    least_likeness: float = Field(default=0.0, ge=0, le=1)


class Candidate(Frozen):
    """One initial noise with its rough clip.

    Attributes:
        seed: determines the run exactly on one device.
        steps: how many denoising steps the preview had.
        preview: media name of the looping preview clip.
        scores: one number a scorer, higher is better; e.g. `guide`, `prompt`, `motion`.
        rank: the number by which the gallery is ordered, best first.
        picked: whether its full run became a segment.
        problem: why it could not be scored; empty if it was.
    """

    id: str = Field(default_factory=new_id)
    seed: int
    steps: int
    preview: str
    scores: dict[str, float] = Field(default_factory=dict)
    rank: float = 0.0
    picked: bool = False
    problem: str = ""


class Gallery(Frozen):
    """The candidates of one search, waiting for a pick.

    Attributes:
        request: what was asked.
        parent: the segment that the chunk continues, or None for a first one.
        candidates: in the order they were made; `ranked` sorts them.
    """

    id: str = Field(default_factory=new_id)
    request: ChunkRequest
    parent: str | None = None
    candidates: tuple[Candidate, ...] = ()
    created: datetime = Field(default_factory=now)

    def ranked(self) -> tuple[Candidate, ...]:
        """Candidates, best first."""
        return tuple(sorted(self.candidates, key=lambda candidate: -candidate.rank))

    def candidate(self, candidate_id: str) -> Candidate:
        """The candidate of that id.

        Raises:
            InputError: if the gallery does not hold it.
        """
        for candidate in self.candidates:
            if candidate.id == candidate_id:
                return candidate
        raise InputError("That candidate is no longer in the gallery. Search again.")


class Segment(Frozen):
    """A finished chunk with all that is needed to make it again.

    Attributes:
        request: what was asked; with `seed` and `revision` it determines the clip.
        seed: of the initial noise that was finished.
        revision: of the weights.
        parent: the segment it continues, or None.
        clip: media name of the mp4. The repeated guide frames are already dropped from it.
        tail: media name of the lossless last frames that condition the next chunk (a png a frame, stacked).
        poster: media name of a still from its middle, as it begins like the chunk before ends.
        num_frames: frames in the clip; fps: frames per second; height, width: pixels.
        scores: of the finished clip.
        candidates: what it was chosen from.
        seconds_taken: how long it took to make, search included.
    """

    id: str = Field(default_factory=new_id)
    request: ChunkRequest
    seed: int
    revision: str = ""
    parent: str | None = None
    clip: str
    tail: str
    poster: str
    num_frames: int
    fps: float
    height: int
    width: int
    scores: dict[str, float] = Field(default_factory=dict)
    candidates: tuple[Candidate, ...] = ()
    seconds_taken: float = 0.0
    created: datetime = Field(default_factory=now)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.num_frames / self.fps


class Project(Frozen):
    """A tree of segments and the branch that is its film.

    Attributes:
        title: what people call it.
        segments: by id.
        head: last segment of the film, or None while there is none.
        gallery: candidates that wait for a pick, or None.
    """

    id: str = Field(default_factory=new_id)
    title: str = "Untitled"
    segments: dict[str, Segment] = Field(default_factory=dict)
    head: str | None = None
    gallery: Gallery | None = None
    created: datetime = Field(default_factory=now)
    updated: datetime = Field(default_factory=now)

    def segment(self, segment_id: str) -> Segment:
        """The segment of that id.

        Raises:
            InputError: if the project does not hold it.
        """
        if segment_id not in self.segments:
            raise InputError("That chunk is not in this project. Reload the page and choose another.")
        return self.segments[segment_id]

    def branch(self, segment_id: str | None = None) -> tuple[Segment, ...]:
        """Segments from the root to `segment_id` (by default the head), in playing order."""
        path: list[Segment] = []
        at = segment_id or self.head
        while at is not None:
            path.append(self.segment(at))
            at = path[-1].parent
            if len(path) > len(self.segments):
                raise InputError(
                    "This project's chunks continue each other in a circle. Start a new project."
                )
        return tuple(reversed(path))

    def tips(self) -> tuple[Segment, ...]:
        """Segments that nothing continues yet, oldest first: one for each branch."""
        parents = {segment.parent for segment in self.segments.values()}
        ends = [segment for segment in self.segments.values() if segment.id not in parents]
        return tuple(sorted(ends, key=lambda segment: segment.created))

    @property
    def seconds(self) -> float:
        """Length of the film in seconds."""
        return sum(segment.seconds for segment in self.branch())


def media_names(project: Project) -> frozenset[str]:
    """Every media file that the project refers to: clips, tails, posters, previews and given images."""
    requests = [segment.request for segment in project.segments.values()]
    candidates = [candidate for segment in project.segments.values() for candidate in segment.candidates]
    if project.gallery is not None:
        requests.append(project.gallery.request)
        candidates.extend(project.gallery.candidates)
    names = [
        name for segment in project.segments.values() for name in (segment.clip, segment.tail, segment.poster)
    ]
    names.extend(candidate.preview for candidate in candidates)
    images = [image for request in requests for image in (request.guide, request.last_image)]
    names.extend(image for image in images if image is not None)
    return frozenset(names)


def previews(gallery: Gallery | None) -> frozenset[str]:
    """Media names of what a gallery shows; the images it was asked for with are not among them."""
    return frozenset() if gallery is None else frozenset(each.preview for each in gallery.candidates)


def with_gallery(project: Project, gallery: Gallery | None) -> Project:
    """The project with another gallery waiting for a pick."""
    return project.model_copy(update={"gallery": gallery, "updated": now()})


def with_candidate(gallery: Gallery, candidate: Candidate) -> Gallery:
    """The gallery with one more candidate."""
    return gallery.model_copy(update={"candidates": (*gallery.candidates, candidate)})


def with_segment(project: Project, segment: Segment) -> Project:
    """The project with a finished segment at its head and no gallery waiting.

    Raises:
        InputError: if the segment continues one that the project does not hold.
    """
    if segment.parent is not None:
        project.segment(segment.parent)
    segments = {**project.segments, segment.id: segment}
    update = {"segments": segments, "head": segment.id, "gallery": None, "updated": now()}
    return project.model_copy(update=update)


def with_head(project: Project, segment_id: str | None) -> Project:
    """The project whose film ends at `segment_id`: undo, restart from where drift began, or another branch.

    Segments after it stay in the tree as a branch of their own. None empties the film.

    Raises:
        InputError: if the project does not hold that segment.
    """
    if segment_id is not None:
        project.segment(segment_id)
    return project.model_copy(update={"head": segment_id, "gallery": None, "updated": now()})


def without_ending(project: Project, segment_id: str) -> Project:
    """The project without one of its other endings, and without the segments that only led to it.

    Raises:
        InputError: if the project does not hold that segment, or if the film or another ending needs it.
    """
    film = {segment.id for segment in project.branch()}
    if segment_id in film or segment_id not in {tip.id for tip in project.tips()}:
        project.segment(segment_id)
        raise InputError(
            "Only an ending that is not the film now can be deleted. Switch to another one first."
        )
    segments = dict(project.segments)
    at: str | None = segment_id
    while at is not None and at not in film and all(each.parent != at for each in segments.values()):
        at = segments.pop(at).parent
    return project.model_copy(update={"segments": segments, "updated": now()})


def undo(project: Project) -> Project:
    """The project without the last segment of its film; what it was chosen from waits for another pick.

    A segment that was no choice, but made with an image that somebody gave, leaves an empty gallery, which
    keeps the image for the next one.

    Raises:
        InputError: if there is nothing to undo.
    """
    if project.head is None:
        raise InputError("There is nothing to undo: the film has no chunk yet.")
    last = project.segment(project.head)
    shorter = with_head(project, last.parent)
    given = (last.request.guide and last.request.guide_prompt is None) or last.request.last_image
    if not last.candidates and not given:
        return shorter
    candidates = tuple(each.model_copy(update={"picked": False}) for each in last.candidates)
    return with_gallery(shorter, Gallery(request=last.request, parent=last.parent, candidates=candidates))
