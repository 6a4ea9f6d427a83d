"""What the panels show, made from plain records: no browser, no Gradio."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from studio.jobs import JobView
from studio.timeline import (
    Candidate,
    ChunkRequest,
    Gallery,
    LoraChoice,
    Project,
    Segment,
    now,
    undo,
    with_gallery,
    with_segment,
)
from studio.ui import views
from studio.ui.look import Look

REQUEST = ChunkRequest(prompt="a fox", candidates=3, seed=5)


def segment(prompt: str, parent: str | None = None, frames: int = 16) -> Segment:
    return Segment(
        request=REQUEST.model_copy(update={"prompt": prompt}),
        seed=5,
        parent=parent,
        clip="clip.mp4",
        tail="tail.png",
        poster="poster.png",
        num_frames=frames,
        fps=8,
        height=128,
        width=128,
        scores={"guide": 0.91},
    )


def job(kind: str, **changes: Any) -> JobView:
    return JobView(
        **{"id": "j", "kind": kind, "state": "running", "created": now(), "started": now(), **changes}
    )


def look(project: Project | None, running: JobView | None = None, **more: Any) -> Look:
    studio: Any = SimpleNamespace(media_path=lambda project_id, name: SimpleNamespace(resolve=lambda: name))
    return Look(studio, project=project, job=running, **more)


def gallery(*ranks: float, **changes: Any) -> Gallery:
    candidates = tuple(
        Candidate(seed=place, steps=4, preview=f"{place}.mp4", scores={"prompt": rank}, rank=rank)
        for place, rank in enumerate(ranks)
    )
    return Gallery(request=REQUEST, candidates=candidates, **changes)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.84, "0.8 s"), (3.0, "3 s"), (12.4, "12 s"), (60, "1 min"), (185, "3 min 5 s")],
)
def test_a_length_is_told_in_words(seconds: float, words: str) -> None:
    assert views.duration(seconds) == words


@pytest.mark.parametrize(
    ("title", "name"), [("../a/b: c?", "ab c"), ("Füchse im Schnee", "Füchse im Schnee"), ("??", "film")]
)
def test_a_title_becomes_a_name_that_every_system_takes(title: str, name: str) -> None:
    assert views.file_name(title) == name


def test_the_gallery_shows_the_best_first_and_keeps_places_for_those_to_come() -> None:
    running = job("search")
    project = with_gallery(Project(), gallery(0.2, 0.4, created=now() + timedelta(seconds=1)))
    view = views.gallery_view(look(project, running))
    assert [item["scores"][0]["text"] for item in view["items"]] == ["0.40", "0.20"]
    assert [item["scores"][0]["share"] for item in view["items"]] == [1.0, 0.5]
    assert view["waiting"] == 1


@pytest.mark.parametrize(("ranks", "words"), [((0.2,), "1 of 3 is here"), ((0.2, 0.4), "2 of 3 are here")])
def test_how_many_candidates_are_there_is_told_while_they_come(ranks: tuple[float], words: str) -> None:
    project = with_gallery(Project(), gallery(*ranks, created=now() + timedelta(seconds=1)))
    assert words in views.gallery_view(look(project, job("search")))["sentence"]


def test_a_candidate_that_could_not_be_judged_says_why_in_place_of_its_scores() -> None:
    waiting = gallery(0.4)
    problem = "The memory did not suffice."
    unscored = waiting.candidates[0].model_copy(update={"scores": {}, "problem": problem})
    seen = look(with_gallery(Project(), waiting.model_copy(update={"candidates": (unscored,)})))
    (score,) = views.gallery_view(seen)["items"][0]["scores"]
    assert (score["name"], score["meaning"]) == ("not judged", problem)


def test_a_person_reads_likeness_for_the_score_against_the_guide_frame() -> None:
    assert views.scores({"guide": 0.5}, {"guide": 0.5})[0]["name"] == "likeness"
    assert ("Likeness", "0.91") in views.facts(segment("a fox"))


def test_a_chunk_tells_its_loras_and_what_it_keeps_away_from() -> None:
    chunk = segment("a fox")
    more = {"loras": (LoraChoice(name="ink", weight=0.8),), "negative_prompt": "snow"}
    told = views.facts(chunk.model_copy(update={"request": chunk.request.model_copy(update=more)}))
    assert set(told) - set(views.facts(chunk)) == {("LoRA", "ink (0.8)"), ("Keeps away from", "snow")}


@pytest.mark.parametrize(
    ("parent", "cut", "meaning"),
    [
        (None, False, "to its own first frame"),
        ("chunk", False, "to the frame before"),
        ("chunk", True, "to its own first frame"),
    ],
)
def test_the_likeness_of_a_chunk_made_from_words_is_to_its_own_first_frame(
    parent: str | None, cut: bool, meaning: str
) -> None:
    waiting = gallery(0.5, parent=parent)
    waiting = waiting.model_copy(update={"request": waiting.request.model_copy(update={"cut": cut})})
    scored = tuple(each.model_copy(update={"scores": {"guide": 0.9}}) for each in waiting.candidates)
    seen = look(Project(gallery=waiting.model_copy(update={"candidates": scored})))
    assert meaning in views.gallery_view(seen)["items"][0]["scores"][0]["meaning"]


def test_a_new_search_does_not_show_the_gallery_that_it_replaces() -> None:
    project = with_gallery(Project(), gallery(0.2, created=now() - timedelta(minutes=1)))
    view = views.gallery_view(look(project, job("search"), where={"expected": 3}))
    assert view["items"] == []
    assert view["waiting"] == 3


def test_the_take_that_is_made_in_full_is_told_apart() -> None:
    project = with_gallery(Project(), gallery(0.2, 0.4))
    chosen = project.gallery.candidates[0].id if project.gallery else ""
    view = views.gallery_view(look(project, job("pick"), where={"picked": chosen}))
    assert view["picked"] == chosen
    assert view["sentence"] == "The chosen candidate is being made in full."
    assert views.gallery_view(look(project, where={"picked": chosen}))["picked"] is None


def test_candidates_stay_while_the_next_search_waits_for_its_turn() -> None:
    waiting = job("search", state="queued", started=None)
    view = views.gallery_view(look(with_gallery(Project(), gallery(0.2, 0.4, 0.3)), waiting))
    assert view["sentence"] == "These stay until the next ones come."


@pytest.mark.parametrize(
    ("position", "words"), [(1, "Waiting for the work before it"), (4, "Waiting: 4 are before it")]
)
def test_whoever_waits_is_told_for_how_many(position: int, words: str) -> None:
    view = views.job_view(job("search", state="queued", position=position))
    assert (view["message"], view["headline"]) == (words, "Waiting")


def test_a_gallery_waits_for_a_pick_after_the_search() -> None:
    view = views.gallery_view(look(with_gallery(Project(), gallery(0.2, 0.4, 0.3))))
    assert view["open"]
    assert view["waiting"] == 0
    assert view["sentence"] == "Choose one to make it in full."
    assert "the keys 1 to 3" in view["keys"]


def test_nobody_is_told_to_press_a_key_before_all_candidates_are_there() -> None:
    project = with_gallery(Project(), gallery(0.2, 0.4, created=now() + timedelta(seconds=1)))
    assert views.gallery_view(look(project, job("search")))["keys"] == ""


def test_one_take_shows_no_gallery() -> None:
    assert views.gallery_view(look(Project(), job("search"), where={"expected": 0})) == {"id": None}


def test_the_timeline_knows_where_every_chunk_begins() -> None:
    first = segment("one")
    project = with_segment(Project(), first)
    project = with_segment(project, segment("two", first.id, frames=12))
    view = views.timeline_view(look(project))
    assert [item["start"] for item in view["items"]] == [0.0, 2.0]
    assert view["length"] == "3.5 s · 2 chunks"
    assert view["items"][0]["note"] == "2 s · likeness 0.91"


def test_what_was_undone_is_listed_as_another_ending() -> None:
    first = segment("one")
    project = with_segment(Project(), first)
    project = undo(with_segment(project, segment("two", first.id)))
    view = views.timeline_view(look(project))
    assert [item["prompt"] for item in view["items"]] == ["one"]
    assert [(item["prompt"], item["note"]) for item in view["others"]] == [("two", "4 s · 2 chunks")]


def test_candidates_that_nothing_keeps_are_counted_before_they_are_left() -> None:
    film = with_segment(Project(), segment("one"))
    waiting = gallery(0.2, 0.4, parent=film.head)
    assert views.timeline_view(look(with_gallery(film, waiting)))["waiting"] == "2 candidates"
    assert views.timeline_view(look(film))["waiting"] == ""


def test_candidates_that_came_back_with_undo_are_kept_by_their_chunk() -> None:
    made = segment("one").model_copy(update={"candidates": gallery(0.2, 0.4).candidates})
    undone = undo(with_segment(Project(), made))
    assert undone.gallery is not None
    assert views.timeline_view(look(undone))["waiting"] == ""


def test_a_chunk_that_is_being_made_has_its_place() -> None:
    view = views.timeline_view(look(with_segment(Project(), segment("one")), job("pick")))
    assert view["items"][-1]["pending"]
    assert view["busy"]


def test_progress_tells_what_is_left() -> None:
    view = views.job_view(job("pick", done=3, total=20, message="step 3 of 20", eta_seconds=7.6))
    assert (view["done"], view["total"], view["left"]) == (3, 20, "about 7.6 s left")
    assert views.job_view(None) == {"id": None}


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ("naive", "Make one candidate · 2 min"),
        ("k-step", "Search 3 candidates · 2 min"),
        ("brute-force", "Make 3 candidates in full · 2 min"),
    ],
)
def test_the_button_says_what_it_costs_as_the_hint_does(strategy: Any, words: str) -> None:
    assert views.button_words(strategy, 3, 91.0) == words


def test_an_empty_box_promises_that_the_prompt_goes_on() -> None:
    assert views.prompt_words(None)["label"] == "What happens?"
    words = views.prompt_words(with_segment(Project(), segment("a fox runs")))
    assert words["label"] == "What happens next?"
    assert "“a fox runs” goes on" in words["placeholder"]
