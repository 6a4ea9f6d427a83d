"""Projects, branches and galleries: pure data."""

import pytest
from pydantic import ValidationError

from studio import timeline
from studio.errors import InputError
from studio.timeline import Candidate, ChunkRequest, Project
from tests.studio import samples


def test_the_film_is_the_path_from_the_root_to_the_head():
    project = samples.project(3)
    film = project.branch()
    assert [segment.parent for segment in film] == [None, film[0].id, film[1].id]
    assert film[-1].id == project.head
    assert project.seconds == 3 * 12 / 8


def test_a_branch_ends_where_it_is_asked_to():
    project = samples.project(3)
    assert project.branch(project.branch()[1].id) == project.branch()[:2]


def test_undo_shortens_the_film_and_forgets_nothing():
    project = samples.project(2)
    undone = timeline.undo(project)
    assert undone.branch() == project.branch()[:1]
    assert undone.segments == project.segments
    assert timeline.undo(undone).branch() == ()


def test_what_an_undone_segment_was_chosen_from_waits_for_another_pick():
    project = samples.project(2)
    last = project.segment(project.head)
    gallery = timeline.undo(project).gallery
    assert gallery is not None
    assert (gallery.request, gallery.parent) == (last.request, last.parent)
    assert [each.id for each in gallery.candidates] == [each.id for each in last.candidates]
    assert not any(each.picked for each in gallery.candidates)


def test_the_image_that_an_undone_segment_was_made_with_waits_for_the_next_one():
    asked = ChunkRequest(prompt="a fox", strategy="naive", guide="0" * 32 + ".png")
    film = timeline.with_segment(Project(), samples.segment(request=asked, candidates=()))
    gallery = timeline.undo(film).gallery
    assert (gallery.request.guide, gallery.candidates) == (asked.guide, ())


def test_nothing_waits_where_there_was_no_choice():
    alone = samples.segment(candidates=())
    assert timeline.undo(timeline.with_segment(Project(), alone)).gallery is None


def test_an_ending_takes_what_only_led_to_it_along():
    project = samples.project(3)
    first, second, third = project.branch()
    short = timeline.with_head(project, first.id)
    assert timeline.without_ending(short, third.id).segments == {first.id: first}
    middle = timeline.with_head(project, second.id)
    assert timeline.without_ending(middle, third.id).branch() == (first, second)


@pytest.mark.parametrize("place", [0, 1])
def test_what_the_film_or_another_ending_needs_is_not_deleted(place):
    project = samples.project(2)
    with pytest.raises(InputError, match="Switch to another one first"):
        timeline.without_ending(project, project.branch()[place].id)


def test_undo_of_an_empty_film_is_an_input_error():
    with pytest.raises(InputError, match="nothing to undo"):
        timeline.undo(Project())


def test_continuing_from_an_earlier_segment_makes_a_second_branch():
    project = samples.project(2)
    root, first_end = project.branch()
    other = samples.segment(root.id)
    project = timeline.with_segment(timeline.with_head(project, root.id), other)
    assert project.branch() == (root, other)
    assert {tip.id for tip in project.tips()} == {first_end.id, other.id}


def test_a_new_segment_takes_the_place_of_the_gallery():
    project = timeline.with_gallery(samples.project(1), samples.gallery())
    assert timeline.with_segment(project, samples.segment(project.head)).gallery is None


def test_a_segment_of_an_unknown_parent_is_refused():
    with pytest.raises(InputError, match="not in this project"):
        timeline.with_segment(Project(), samples.segment("nowhere"))


def test_a_head_that_is_not_in_the_project_is_refused():
    with pytest.raises(InputError, match="not in this project"):
        timeline.with_head(samples.project(1), "nowhere")


def test_segments_in_a_circle_are_told_and_not_followed_for_ever():
    one = samples.segment()
    two = samples.segment(one.id)
    one = one.model_copy(update={"parent": two.id})
    with pytest.raises(InputError, match="circle"):
        Project(segments={one.id: one, two.id: two}, head=one.id).branch()


def test_a_gallery_is_ranked_best_first_and_ties_keep_their_order():
    gallery = samples.gallery().model_copy(update={"candidates": ()})
    for seed, rank in enumerate([0.2, 0.9, 0.2]):
        gallery = timeline.with_candidate(gallery, Candidate(seed=seed, steps=4, preview="p", rank=rank))
    assert [candidate.seed for candidate in gallery.ranked()] == [1, 0, 2]


def test_a_candidate_that_is_gone_is_an_input_error():
    gallery = samples.gallery()
    assert gallery.candidate(gallery.candidates[1].id) == gallery.candidates[1]
    with pytest.raises(InputError, match="Search again"):
        gallery.candidate("nowhere")


def test_records_are_replaced_and_never_changed():
    project = samples.project(1)
    before = project.model_copy(deep=True)
    timeline.undo(project)
    assert project == before
    with pytest.raises(ValidationError):
        project.title = "another"


def test_a_project_knows_every_media_file_it_refers_to():
    gallery = samples.gallery()
    led = gallery.request.model_copy(update={"last_image": "end.png"})
    project = timeline.with_gallery(samples.project(1), gallery.model_copy(update={"request": led}))
    segment = project.branch()[0]
    assert project.gallery is not None
    assert timeline.media_names(project) == {
        segment.clip,
        segment.tail,
        segment.poster,
        segment.candidates[0].preview,
        project.gallery.request.guide,
        "end.png",
        *(candidate.preview for candidate in project.gallery.candidates),
    }


def test_ids_differ():
    assert len({timeline.new_id() for _ in range(100)}) == 100
