"""What each panel shows, as plain data made from what `Studio` says. No Gradio in here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.costs import in_words
from studio.sentences import score_name
from studio.timeline import Candidate, Gallery, Project, Segment
from studio.ui.look import Look

if TYPE_CHECKING:
    from studio.jobs import JobView
    from studio.store import ProjectSummary

View = dict[str, Any]
Url = Callable[[str], str]

MEANINGS = {
    "guide": "Likeness to the frame before the chunk: the lowest CLIP similarity of any frame (0 to 1)",
    "prompt": "How well the frames fit the prompt: mean CLIP similarity",
    "motion": "How much moves; 0 is a frozen picture",
    "steady": "How little the look wanders from the first frame",
}
ALONE = {
    **MEANINGS,
    "guide": "Likeness to its own first frame: the lowest CLIP similarity of any frame (0 to 1)",
}
"""The same for a chunk that begins from its words: the first one, or a new shot."""
HEADLINES = {"search": "Searching", "pick": "Making the chosen candidate", "make": "Making the film"}
FIRST_FRAME = "A text-to-image model draws the first frame before that"
SCENES = "Every line of the prompt is a scene."
FIRST_SCENE = "The first line is made now, the others wait."
STRATEGIES = {"naive": "one candidate", "k-step": "k-step search", "brute-force": "brute force"}


def duration(seconds: float) -> str:
    """A length or a waiting time in words: `0.8 s`, `12 s`, `3 min 5 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    if seconds < 60:
        return f"{round(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def score_words(value: float) -> str:
    """A score with enough digits to tell two candidates apart."""
    return f"{value:.3f}" if abs(value) < 0.1 else f"{value:.2f}"


def file_name(title: str) -> str:
    """A title as the name of a file that every system takes."""
    kept = re.sub(r"[^\w\- ]+", "", title).strip()[:60]
    return kept or "film"


def scores(
    candidate_scores: dict[str, float], best: dict[str, float], meanings: Mapping[str, str] = MEANINGS
) -> list[View]:
    """Scores of one candidate; `share` is the length of its bar against the best of the gallery."""
    return [
        {
            "name": score_name(name),
            "text": score_words(value),
            "share": max(0.0, min(1.0, value / best[name])) if best.get(name, 0) > 0 else 0.0,
            "meaning": meanings.get(name, name),
        }
        for name, value in candidate_scores.items()
    ]


def best_of(candidates: Iterable[Candidate]) -> dict[str, float]:
    """The highest value of every score."""
    best: dict[str, float] = {}
    for candidate in candidates:
        for name, value in candidate.scores.items():
            best[name] = max(best.get(name, value), value)
    return best


def model_of(project: Project | None) -> str:
    """The model that a project is worked on with; empty before its first search."""
    if project is None:
        return ""
    if project.gallery is not None:
        return project.gallery.request.model
    return project.segment(project.head).request.model if project.head else ""


def unjudged(problem: str) -> list[View]:
    """What stands in place of a candidate's scores if it has none for a reason."""
    return [{"name": "not judged", "text": "–", "share": 0.0, "meaning": problem}] if problem else []


def gallery_view(seen: Look) -> View:
    """The candidates best first, with places for those that are still to come."""
    job, gallery = seen.job, seen.gallery
    searching = job is not None and job.kind != "pick"
    if seen.live is not None or seen.project is None:
        return {"id": None}
    candidates = gallery.ranked() if gallery else ()
    wanted = gallery.request.candidates if gallery else int(seen.where.get("expected") or 0)
    waiting = max(0, wanted - len(candidates)) if searching else 0
    if not candidates and not waiting:
        return {"id": None}
    best = best_of(candidates)
    begins = gallery is not None and (gallery.parent is None or gallery.request.cut)
    alone = begins and gallery is not None and gallery.request.guide is None
    meanings = ALONE if alone else MEANINGS
    return {
        "id": gallery.id if gallery else "coming",
        "items": [
            {
                "key": each.id,
                "clip": seen.url(each.preview),
                "scores": scores(each.scores, best, meanings) or unjudged(each.problem),
            }
            for each in candidates
        ],
        "waiting": waiting,
        "open": job is None or job.kind == "search",
        "making": job is not None and job.kind in ("pick", "make") and not waiting,
        "picked": seen.where.get("picked") if job is not None else None,
        "film": seen.film is not None,
        "sentence": gallery_sentence(gallery, waiting, job),
        "keys": "" if waiting or job is not None else keys_words(len(candidates)),
    }


def gallery_sentence(gallery: Gallery | None, waiting: int, job: JobView | None) -> str:
    """What to do with the gallery now."""
    count = len(gallery.candidates) if gallery else 0
    if waiting:
        chosen = "the best" if job is not None and job.kind == "make" else "the one you choose"
        here = "is" if count == 1 else "are"
        return f"{count} of {count + waiting} {here} here, still rough; {chosen} is made in full."
    if job is not None and job.kind == "search":
        return "These stay until the next ones come."
    if job is not None:
        return "The chosen candidate is being made in full."
    return "Choose one to make it in full."


def keys_words(count: int) -> str:
    """How one is chosen where there is a keyboard."""
    keys = "the key 1" if count == 1 else f"the keys 1 to {min(count, 8)}"
    return f"Click it, or press {keys}."


def first_frame_view(seen: Look) -> View:
    """The image that was drawn for the first chunk, which is kept as long as its prompt is; or nothing."""
    drawn = seen.first_frame
    return {} if drawn is None else {"name": drawn.name, "url": seen.url(drawn.name), "drawn": drawn.prompt}


def given_views(seen: Look) -> tuple[View, View]:
    """The images that a chunk begins with and is led to, while its candidates wait or after it was undone."""
    gallery, drawn = seen.gallery, first_frame_view(seen)
    if gallery is None or (gallery.parent or "") != seen.where.get("head", ""):
        return drawn, {}
    name, last = gallery.request.guide, gallery.request.last_image
    guide = drawn if name in (None, drawn.get("name")) else image_view(seen, name)
    if guide and gallery.request.guide_prompt is not None:
        guide = {**guide, "drawn": gallery.request.guide_prompt}
    return guide, {**image_view(seen, last), "last": True} if last else {}


def image_view(seen: Look, name: str) -> View:
    """An image that was given; nothing if it is gone."""
    url = seen.url(name)
    return {"name": name, "url": url} if url else {}


def player_view(seen: Look, examples: Sequence[View]) -> View:
    """The film so far, the chunk that is being made, or how to begin."""
    view: View = {
        "url": None,
        "making": seen.url(seen.live.clip) if seen.live else None,
        "examples": examples,
    }
    branch = seen.project.branch() if seen.project else ()
    if seen.project and branch and seen.film:
        view |= {
            "url": seen.film,
            "head": branch[-1].id,
            "poster": seen.url(branch[0].poster),
            "newest": seen.project.seconds - branch[-1].seconds,
            "name": file_name(seen.project.title),
            "saved": seen.saved,
            "asked": seen.asked,
        }
    return view


def facts(segment: Segment) -> list[tuple[str, str]]:
    """What somebody wants to know about a chunk, and what it takes to make it again."""
    request = segment.request
    how = STRATEGIES[request.strategy]
    if request.strategy != "naive":
        how += f", {request.candidates} candidates"
    if request.strategy == "k-step":
        how += f" of {request.preview_steps} steps"
    known = [
        ("Length", f"{duration(segment.seconds)}, {segment.num_frames} frames"),
        ("Size", f"{segment.width} × {segment.height}"),
        (
            "Made by",
            f"{request.model}, {request.num_inference_steps} steps, guidance {request.guidance_scale:g}",
        ),
        ("Chosen by", how),
        ("Seed", str(segment.seed)),
    ]
    if request.cut:
        known.insert(0, ("Begins", "a new shot"))
    if request.loras:
        known.append(("LoRA", ", ".join(f"{each.name} ({each.weight:g})" for each in request.loras)))
    if segment.seconds_taken:
        known.append(("Took", duration(segment.seconds_taken)))
    known += [(score_name(name).capitalize(), score_words(value)) for name, value in segment.scores.items()]
    if request.negative_prompt:  # as long as a paragraph, so below the others
        known.append(("Keeps away from", request.negative_prompt))
    return known


def segment_note(segment: Segment, word: str = "likeness ") -> str:
    """The small line under a bar: how long, and how far it has drifted, without the word if need be."""
    note = duration(segment.seconds)
    kept = segment.scores.get("guide")
    return note if kept is None else f"{note} · {word}{kept:.2f}"


def timeline_view(seen: Look) -> View:
    """The bars of the film in playing order, a place for the chunk being made, and the other endings."""
    project, job = seen.project, seen.job
    if project is None:
        return {"items": [], "others": []}
    items: list[View] = []
    at = 0.0
    for segment in project.branch():
        items.append(segment_view(segment, at, seen.url))
        at += segment.seconds
    if job is not None and items and (job.kind != "search" or seen.live is not None):
        last = items[-1]["seconds"]
        items.append({"key": f"job-{job.id}", "pending": True, "prompt": "Next chunk", "seconds": last})
    tips = [tip for tip in project.tips() if tip.id != project.head]
    return {
        "items": items,
        "others": [branch_view(project, tip, seen.url) for tip in tips],
        "length": film_length(project),
        "busy": job is not None,
        "undoable": project.head is not None,
        "waiting": counted(unkept(project)),
    }


def unkept(project: Project) -> int:
    """How many candidates are lost once the film ends elsewhere; those of a chunk that was undone are not."""
    kept = {each.id for segment in project.segments.values() for each in segment.candidates}
    waiting = project.gallery.candidates if project.gallery else ()
    return sum(each.id not in kept for each in waiting)


def counted(candidates: int) -> str:
    """So many candidates in words; empty if there is none."""
    return f"{candidates} candidate{'' if candidates == 1 else 's'}" if candidates else ""


def film_length(project: Project, segment_id: str | None = None) -> str:
    """How long a branch plays, and of how many chunks it is made."""
    branch = project.branch(segment_id)
    if not branch:
        return ""
    count = f"{len(branch)} chunk" if len(branch) == 1 else f"{len(branch)} chunks"
    return f"{duration(sum(segment.seconds for segment in branch))} · {count}"


def segment_view(segment: Segment, start: float, url: Url) -> View:
    """One bar of the strip; `start` is where it begins in the film, in seconds."""
    return {
        "key": segment.id,
        "prompt": segment.request.prompt,
        "poster": url(segment.poster),
        "ratio": segment.width / segment.height,
        "seconds": segment.seconds,
        "start": start,
        "note": segment_note(segment),
        "short": segment_note(segment, ""),
        "facts": facts(segment),
    }


def branch_view(project: Project, tip: Segment, url: Url) -> View:
    """One ending that is not the film now."""
    return {
        "key": tip.id,
        "prompt": tip.request.prompt or "From the image alone",
        "poster": url(tip.poster),
        "note": film_length(project, tip.id),
    }


def job_view(job: JobView | None) -> View:
    """Progress of the work under way."""
    if job is None:
        return {"id": None}
    message = in_line(job.position) if job.state == "queued" else job.message or "Starting"
    left = f"about {duration(job.eta_seconds)} left" if job.eta_seconds is not None else ""
    return {
        "id": job.id,
        "message": message,
        "done": job.done,
        "total": job.total,
        "left": left,
        "headline": "Waiting" if job.state == "queued" else HEADLINES.get(job.kind, "Working"),
    }


def in_line(position: int) -> str:
    """What a job waits for; 1 is the next one."""
    return "Waiting for the work before it" if position <= 1 else f"Waiting: {position} are before it"


def status_view(sentence: str | None, placed: str = "") -> View:
    """Whether the model is loaded and why where it is, or what to wait for."""
    return {
        "ready": sentence is None,
        "sentence": "Ready" if sentence is None else sentence,
        "placed": placed,
    }


def projects_view(summaries: Sequence[ProjectSummary], current: str, url: Callable[[str, str], str]) -> View:
    """The list of projects."""
    return {
        "current": current,
        "items": [
            {
                "key": each.id,
                "title": each.title,
                "length": duration(each.seconds) if each.seconds else "No film yet",
                "poster": url(each.id, each.poster) if each.poster else "",
            }
            for each in summaries
        ],
    }


def button_words(strategy: str, candidates: int, seconds: float | None = None) -> str:
    """What the button does and what that costs, before it is pressed."""
    verb = {
        "naive": "Make one candidate",
        "k-step": f"Search {counted(candidates)}",
        "brute-force": f"Make {counted(candidates)} in full",
    }[strategy]
    return verb if seconds is None else f"{verb} · {in_words(seconds)}"


def film_words(seconds: float, cost: float | None = None, *, goes_on: bool) -> str:
    """What the autopilot's button does and what it costs, before it is pressed."""
    if not seconds:
        return "Make the film"
    verb = f"Go on for {seconds:g} s" if goes_on else f"Make {seconds:g} s of film"
    return verb if cost is None else f"{verb} · {in_words(cost)}"


def prompt_words(project: Project | None) -> View:
    """Label and placeholder of the prompt box."""
    if project is None or project.head is None:
        return {"label": "What happens?", "placeholder": "A fox runs through snow"}
    before = project.segment(project.head).request.prompt
    goes_on = f"Leave empty: “{before}” goes on" if before else "Leave empty: it goes on by itself"
    return {"label": "What happens next?", "placeholder": goes_on}
