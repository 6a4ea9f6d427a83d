"""What people do: search, pick, extend, undo, close and come back. Real store, real tiny pipeline."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from studio.errors import InputError
from studio.media import count_frames, read_frames, read_frames_png, read_guide, write_clip
from studio.studio import Studio
from studio.timeline import ChunkRequest, Project, media_names, previews
from tests.studio import samples


def searched(studio: Studio, request: ChunkRequest, project_id: str | None = None) -> Project:
    """A project whose gallery is full."""
    project_id = project_id or studio.create_project("A film").id
    view = studio.wait(studio.search(project_id, request))
    assert view.state == "done", view.error
    return studio.project(project_id)


def picked(studio: Studio, project: Project, place: int = 0) -> Project:
    """The project after the candidate at that place of the ranking was picked."""
    view = studio.wait(studio.pick(project.id, project.gallery.ranked()[place].id))
    assert view.state == "done", view.error
    return studio.project(project.id)


def made(studio: Studio, *requests: ChunkRequest, project_id: str | None = None) -> Project:
    """A project after the machine alone has made these segments."""
    project_id = project_id or studio.create_project("A film").id
    view = studio.wait(studio.make(project_id, requests))
    assert view.state == "done", view.error
    return studio.project(project_id)


def tail_of(studio: Studio, project: Project, number: int) -> np.ndarray:
    return read_frames_png(studio.media_path(project.id, project.branch()[number].tail))


def test_a_search_fills_the_gallery_with_scored_previews(studio, request_):
    gallery = searched(studio, request_).gallery
    assert [candidate.seed for candidate in gallery.candidates] == [7, 8, 9]
    assert all({"guide", "prompt", "motion"} == set(each.scores) for each in gallery.candidates)
    ranks = [candidate.rank for candidate in gallery.ranked()]
    assert ranks == sorted(ranks, reverse=True)


def test_candidates_reach_the_project_one_by_one(studio, request_):
    project = studio.create_project()
    seen = []
    for _ in studio.follow(studio.search(project.id, request_)):
        gallery = studio.project(project.id).gallery
        seen.append(0 if gallery is None else len(gallery.candidates))
    assert sorted(set(seen)) == [0, 1, 2, 3]


def test_every_candidate_has_a_preview_that_plays(studio, request_):
    project = searched(studio, request_)
    for candidate in project.gallery.candidates:
        assert count_frames(studio.media_path(project.id, candidate.preview)) == request_.num_frames


def test_a_pick_becomes_the_segment_at_the_head(studio, request_):
    project = searched(studio, request_)
    chosen = project.gallery.ranked()[1]
    project = picked(studio, project, place=1)
    (segment,) = project.branch()
    assert segment.seed == chosen.seed
    assert segment.num_frames == request_.num_frames
    assert [each.seed for each in segment.candidates if each.picked] == [chosen.seed]
    assert project.gallery is None
    assert segment.seconds_taken > 0
    assert count_frames(studio.media_path(project.id, segment.clip)) == segment.num_frames
    assert studio.media_path(project.id, segment.poster).is_file()


def test_the_still_of_a_chunk_is_from_its_middle(studio, request_):
    project = made(studio, request_, request_)
    for chunk in project.branch():
        poster, clip = (studio.media_path(project.id, name) for name in (chunk.poster, chunk.clip))
        assert samples.shown_frame(poster, clip) == chunk.num_frames // 2


def test_a_naive_search_goes_straight_to_a_segment(studio, request_):
    project = searched(studio, request_.model_copy(update={"strategy": "naive"}))
    assert len(project.branch()) == 1
    assert project.gallery is None


def test_the_next_chunk_begins_with_the_tail_and_its_repeated_frames_are_dropped(
    studio, request_, monkeypatch
):
    project = made(studio, request_)
    tail = tail_of(studio, project, 0)
    given = []
    search = studio.worker.search
    monkeypatch.setattr(studio.worker, "search", lambda task: given.append(task.guide) or search(task))
    request = request_.model_copy(update={"prompt": "the fox jumps"})
    project = picked(studio, searched(studio, request, project.id))
    first, second = project.branch()
    prefix = studio.card("pocket").prefix_frames
    assert np.array_equal(given[0], tail[-prefix:])
    assert second.parent == first.id
    assert second.request.prompt == "the fox jumps"
    assert second.num_frames == request_.num_frames - prefix
    assert count_frames(studio.media_path(project.id, second.clip)) == second.num_frames


def test_every_chunk_but_the_first_goes_on_smoothly(studio, request_, monkeypatch):
    told, finish = [], studio.worker.finish
    monkeypatch.setattr(
        studio.worker, "finish", lambda task, seed: told.append(task.continues) or finish(task, seed)
    )
    project = made(studio, request_, request_)
    made(studio, request_, project_id=project.id)
    picked(studio, searched(studio, request_, project.id))
    assert told == [False, True, True, True]


def test_a_first_chunk_begins_with_the_guide_image_and_keeps_it(studio, request_, tmp_path):
    from PIL import Image

    Image.new("RGB", (64, 48), "orange").save(tmp_path / "guide.png")
    project = studio.create_project()
    guide = studio.add_guide(project.id, tmp_path / "guide.png")
    project = made(studio, request_.model_copy(update={"guide": guide}), project_id=project.id)
    (segment,) = project.branch()
    assert segment.num_frames == request_.num_frames


def test_the_machine_alone_makes_what_searching_and_picking_the_best_makes(studio, request_):
    requests = [request_, request_.model_copy(update={"prompt": "the fox jumps", "seed": 20})]
    alone = made(studio, *requests)
    by_hand = picked(studio, searched(studio, requests[0]))
    by_hand = picked(studio, searched(studio, requests[1], by_hand.id))
    assert [each.seed for each in alone.branch()] == [each.seed for each in by_hand.branch()]
    assert np.array_equal(tail_of(studio, alone, 1), tail_of(studio, by_hand, 1))


def test_a_project_is_there_again_when_the_studio_is_opened_again(open_studio, request_):
    studio = open_studio()
    before = searched(studio, request_, made(studio, request_).id)
    studio.close()
    again = open_studio()
    assert again.project(before.id) == before
    assert [summary.id for summary in again.projects()] == [before.id]
    assert count_frames(again.export(before.id)) == request_.num_frames


@pytest.mark.parametrize("previews", ["schedule", "prefix"])
def test_a_candidate_picked_after_a_restart_gives_the_same_clip_bit_for_bit(open_studio, request_, previews):
    request = request_.model_copy(update={"previews": previews})
    studio = open_studio()
    project = searched(studio, request)
    at_once = picked(studio, searched(studio, request))
    studio.close()
    again = open_studio()
    later = picked(again, project)
    first, second = tail_of(again, later, 0), tail_of(again, at_once, 0)
    assert len(first) == request.num_frames  # the lossless tail holds the whole of so short a chunk
    assert np.array_equal(first, second)
    files = [again.media_path(film.id, film.branch()[0].clip) for film in (later, at_once)]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(
    ("choice", "steps"),
    [
        ({"previews": "prefix"}, 4 - 2),
        ({"previews": "schedule"}, 4),
        ({"strategy": "brute-force"}, 0),
    ],
)
def test_picking_pays_only_for_what_the_search_has_not_paid(studio, request_, choice, steps):
    project = searched(studio, request_.model_copy(update=choice))
    evaluations = []
    transformer = studio.worker._model._pipeline.transformer
    transformer.register_forward_pre_hook(lambda module, inputs: evaluations.append(len(inputs[0])))
    picked(studio, project)
    assert sum(evaluations) == 2 * steps


def test_a_pick_whose_suspended_run_is_gone_tells_how_many_steps_it_takes(open_studio, request_):
    studio = open_studio()
    project = searched(studio, request_.model_copy(update={"previews": "prefix"}))
    studio.close()
    again = open_studio()
    view = again.wait(again.pick(project.id, project.gallery.candidates[0].id))
    assert (view.state, view.total) == ("done", request_.num_inference_steps)


@pytest.mark.parametrize("how", ["another search", "a film without a search", "another end"])
def test_previews_that_nothing_shows_any_more_are_removed_and_given_images_are_kept(
    studio, request_, tmp_path, how
):
    Image.new("RGB", (64, 64)).save(tmp_path / "guide.png")
    project = studio.create_project()
    guide = studio.add_guide(project.id, tmp_path / "guide.png")
    before = searched(studio, request_.model_copy(update={"guide": guide}), project.id)
    if how == "another search":
        searched(studio, request_, project.id)
    elif how == "another end":
        studio.restart_from(project.id, None)
    else:
        made(studio, request_.model_copy(update={"strategy": "naive"}), project_id=project.id)
    stored = {path.name for path in studio.store.media_dir(project.id).iterdir()}
    assert stored == media_names(studio.project(project.id)) | {guide}
    assert not stored & previews(before.gallery)


def test_undo_takes_the_last_segment_out_of_the_film_and_keeps_it_in_the_tree(studio, request_):
    project = made(studio, request_, request_)
    first, second = project.branch()
    project = studio.undo(project.id)
    assert project.branch() == (first,)
    assert second.id in project.segments
    project = studio.restart_from(project.id, second.id)
    assert project.branch() == (first, second)


def test_an_ending_that_is_deleted_is_gone_with_its_media_and_the_film_stays(studio, request_):
    project = made(studio, request_, request_)
    first, second = project.branch()
    studio.undo(project.id)
    project = studio.delete_ending(project.id, second.id)
    assert set(project.segments) == {first.id}
    assert studio.project(project.id) == project
    with pytest.raises(InputError):
        studio.media_path(project.id, second.clip)
    for name in media_names(project):
        assert studio.media_path(project.id, name).is_file()


def test_the_film_is_its_segments_one_after_another(studio, request_):
    project = made(studio, request_, request_)
    film = studio.export(project.id)
    assert count_frames(film) == sum(segment.num_frames for segment in project.branch())


def test_a_deleted_project_is_gone_with_its_media(studio, request_):
    project = made(studio, request_)
    folder = studio.store.media_dir(project.id)
    studio.delete_project(project.id)
    assert studio.projects() == []
    assert not folder.exists()


def test_a_look_into_the_full_run_can_be_had_while_it_goes_on(settings, request_, monkeypatch):
    monkeypatch.setattr("studio.workers.local.LOOK_AFTER", 0.0)  # the tiny run is over at once
    with Studio(settings.model_copy(update={"live_share": 1.0})) as studio:
        project = searched(studio, request_.model_copy(update={"num_inference_steps": 40}))
        looks = []
        for view in studio.follow(studio.pick(project.id, project.gallery.candidates[0].id)):
            live = studio.live(project.id)
            if live is not None and not view.ended:
                looks.append((live.step, live.seed))
        assert looks
        assert studio.live(project.id) is None


def test_a_video_of_another_program_gives_its_last_frame_as_guide(studio, tmp_path):
    frames = samples.moving_frames(9)
    write_clip(tmp_path / "other.mp4", frames, 8)
    assert studio.restore(tmp_path / "other.mp4") is None
    project = studio.create_project()
    guide = read_guide(studio.media_path(project.id, studio.add_guide(project.id, tmp_path / "other.mp4")))
    assert abs(guide.astype(int) - frames[-1]).mean() < 4


def test_a_chunk_is_led_to_its_last_image(studio, request_, tmp_path):
    first, last = samples.moving_frames(2)
    project = studio.create_project()
    names = []
    for name, frame in (("first.png", first), ("last.png", 255 - last)):
        Image.fromarray(frame).save(tmp_path / name)
        names.append(studio.add_guide(project.id, tmp_path / name))
    led = request_.model_copy(update={"strategy": "naive", "guide": names[0], "last_image": names[1]})
    clips = []
    for request in (led, led.model_copy(update={"last_image": None})):
        assert studio.wait(studio.make(project.id, [request])).state == "done"
        made = studio.project(project.id)
        clips.append(list(read_frames(studio.media_path(project.id, made.segment(made.head).clip))))
        studio.undo(project.id)
    assert np.abs(clips[0][-1].astype(int) - clips[1][-1]).mean() > 1


def test_after_undo_another_of_the_candidates_can_be_picked(studio, request_):
    project = picked(studio, searched(studio, request_))
    first = project.segment(project.head)
    again = picked(studio, studio.undo(project.id), place=1)
    assert len(again.branch()) == 1
    assert again.segment(again.head).seed != first.seed
    assert len(again.tips()) == 2
