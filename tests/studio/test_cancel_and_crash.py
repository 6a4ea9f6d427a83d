"""Whatever happens in the middle, what was finished is kept and nothing else has changed."""

from __future__ import annotations

import errno
import threading
import time

import pytest

from studio import media
from studio.errors import InputError
from studio.terminal import candidate_line
from studio.timeline import with_gallery
from tests.studio import samples
from tests.studio.test_studio import made, picked, searched


def cancel_when(studio, job_id, holds):
    """Cancel a job as soon as `holds()`; its last view."""
    for view in studio.follow(job_id):
        if not view.ended and holds(view):
            studio.cancel(job_id)
    return studio.job(job_id)


def slow(request):
    """A request with enough steps to be cancelled in."""
    return request.model_copy(update={"num_inference_steps": 50, "preview_steps": 20})


def test_cancel_in_a_search_keeps_the_candidates_made_so_far(studio, request_):
    project = studio.create_project()
    job = studio.search(project.id, slow(request_))
    view = cancel_when(studio, job, lambda view: studio.project(project.id).gallery is not None)
    assert view.state == "cancelled"
    gallery = studio.project(project.id).gallery
    assert 1 <= len(gallery.candidates) < 3
    assert len(picked(studio, studio.project(project.id)).branch()) == 1


@pytest.mark.parametrize("previews", ["schedule", "prefix"])
def test_cancel_in_the_full_run_leaves_the_project_as_it_was(studio, request_, previews):
    before = searched(studio, slow(request_).model_copy(update={"previews": previews}))
    job = studio.pick(before.id, before.gallery.candidates[0].id)
    view = cancel_when(studio, job, lambda view: view.done > 0)
    assert view.state == "cancelled"
    assert studio.project(before.id) == before
    assert len(picked(studio, before).branch()) == 1


def test_cancel_in_a_long_film_keeps_its_finished_segments(studio, request_):
    project = studio.create_project()
    job = studio.make(project.id, [slow(request_)] * 4)
    view = cancel_when(studio, job, lambda view: studio.project(project.id).head is not None)
    assert view.state == "cancelled"
    assert 1 <= len(studio.project(project.id).branch()) < 4


def test_a_pick_ends_the_search_that_still_fills_the_gallery(studio, request_):
    project = studio.create_project()
    job = studio.search(project.id, slow(request_))
    for _ in studio.follow(job):
        gallery = studio.project(project.id).gallery
        if gallery is not None:
            break
    view = studio.wait(studio.pick(project.id, gallery.candidates[0].id))
    assert view.state == "done"
    assert studio.job(job).state == "cancelled"


def test_a_crash_in_the_worker_fails_the_job_with_a_sentence_and_keeps_the_project(
    studio, request_, monkeypatch
):
    before = made(studio, request_)

    def broken(*inputs, **named):
        raise RuntimeError("the network fell over")

    monkeypatch.setattr(studio.worker._model._pipeline.transformer, "forward", broken)
    view = studio.wait(studio.search(before.id, request_))
    assert view.state == "failed"
    assert "the network fell over" in view.error
    assert studio.project(before.id) == before


def test_after_a_crash_the_studio_works_on(studio, request_, monkeypatch):
    project = made(studio, request_)
    with monkeypatch.context() as patch:
        patch.setattr(studio.worker._model._pipeline.transformer, "forward", None)
        assert studio.wait(studio.search(project.id, request_)).state == "failed"
    assert studio.wait(studio.search(project.id, request_)).state == "done"


def test_a_project_at_work_takes_no_second_job(studio, request_):
    project = studio.create_project()
    job = studio.search(project.id, slow(request_))
    for forbidden in (
        lambda: studio.search(project.id, request_),
        lambda: studio.make(project.id, [request_]),
        lambda: studio.restart_from(project.id, None),
    ):
        with pytest.raises(InputError, match="still at work"):
            forbidden()
    studio.cancel(job)
    studio.wait(job)


def test_a_project_that_another_window_of_the_studio_works_on_is_left_alone(open_studio, request_):
    studio, other = open_studio(), open_studio()
    project = studio.create_project()
    job = studio.search(project.id, slow(request_))
    for forbidden, sentence in (
        (lambda: other.search(project.id, request_), "still at work"),
        (lambda: other.restart_from(project.id, None), "still at work"),
        (lambda: other.delete_project(project.id), "Cancel it there"),
    ):
        with pytest.raises(InputError, match=sentence):
            forbidden()
    assert other.last_job(project.id).id == job
    studio.cancel(job)
    studio.wait(job)


def test_a_button_pressed_twice_at_once_begins_one_job(studio, request_):
    project = studio.create_project()
    begun, refused = [], []

    def press():
        try:
            begun.append(studio.search(project.id, slow(request_)))
        except InputError as error:
            refused.append(error)

    presses = [threading.Thread(target=press) for _ in range(4)]
    for thread in presses:
        thread.start()
    for thread in presses:
        thread.join()
    assert (len(begun), len(refused)) == (1, 3)


def test_work_that_is_asked_for_during_an_undo_begins_after_it(studio, request_, monkeypatch):
    """It would go on from the chunk that is taken away, and bring it back."""
    project, order = studio.create_project(), []
    studio.wait(studio.make(project.id, [request_]))
    update = studio.store.update

    def press() -> None:
        studio.search(project.id, request_)
        order.append("search")

    pressed = threading.Thread(target=press)

    def undo_meanwhile(*changed):
        if pressed.ident is None:
            pressed.start()
            pressed.join(0.5)  # as long as it takes where nothing holds it back
            order.append("undo")
        return update(*changed)

    monkeypatch.setattr(studio.store, "update", undo_meanwhile)
    studio.undo(project.id)
    pressed.join()
    assert order == ["undo", "search"]


def test_deleting_a_project_at_work_cancels_its_job(studio, request_):
    project = studio.create_project()
    job = studio.search(project.id, slow(request_))
    studio.delete_project(project.id)
    assert studio.projects() == []
    assert studio.job(job).state == "cancelled"


def test_a_disk_that_fills_up_fails_the_job_with_a_sentence_and_keeps_the_project(
    studio, request_, monkeypatch
):
    before = made(studio, request_)

    def full(*inputs, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(media, "write_clip", full)
    view = studio.wait(studio.make(before.id, [request_]))
    assert view.state == "failed"
    assert "disk" in view.error
    assert studio.project(before.id) == before


def test_cancel_ends_a_download_that_tells_how_it_gets_on(studio, request_, monkeypatch):
    project, told = studio.create_project(), []

    def endless(model, tell):
        for percent in range(1000):
            told.append(percent)
            tell(f"fetching weights, {percent / 10} %")
            time.sleep(0.01)

    monkeypatch.setattr(studio.worker, "_load", endless)
    view = cancel_when(studio, studio.search(project.id, request_), lambda view: bool(told))
    assert view.state == "cancelled"
    assert len(told) < 1000
    assert "loaded with the first run" in studio.ready(request_.model)


def test_candidates_of_a_chunk_that_the_film_has_already_cannot_replace_it(studio, request_):
    project = made(studio, request_)
    left_over = samples.gallery(parent=None)
    studio.store.update(project.id, lambda project: with_gallery(project, left_over))
    with pytest.raises(InputError, match="Search for new ones"):
        studio.pick(project.id, left_over.candidates[0].id)


def test_a_chunk_whose_last_step_is_done_is_kept_though_its_job_is_cancelled(studio, request_, monkeypatch):
    before = searched(studio, request_)
    judge, jobs = studio.worker._judge, []

    def cancelled_meanwhile(*inputs):
        studio.cancel(jobs[0])
        return judge(*inputs)

    monkeypatch.setattr(studio.worker, "_judge", cancelled_meanwhile)
    jobs.append(studio.pick(before.id, before.gallery.candidates[0].id))
    studio.wait(jobs[0])
    assert len(studio.project(before.id).branch()) == 1


def test_a_chunk_that_is_cancelled_in_its_last_step_is_kept(studio, request_, monkeypatch):
    before = searched(studio, request_)
    begin = studio.worker._model.begin

    def begin_one(conditioning, seed, steps):
        run = begin(conditioning, seed, steps)
        advance = run.advance

        def cancelled_meanwhile(to_step):
            if to_step == steps:
                studio.cancel(studio.active_job(before.id).id)
            advance(to_step)

        run.advance = cancelled_meanwhile
        return run

    monkeypatch.setattr(studio.worker._model, "begin", begin_one)
    studio.wait(studio.pick(before.id, before.gallery.candidates[0].id))
    assert len(studio.project(before.id).branch()) == 1


def test_a_chunk_that_cannot_be_judged_is_kept_without_scores(studio, request_, monkeypatch):
    before = searched(studio, request_)

    def broken(*inputs):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(studio.worker._scorers[0], "score", broken)
    (segment,) = picked(studio, before).branch()
    assert segment.scores == {}


def test_a_candidate_that_cannot_be_judged_is_kept_as_the_last_one_and_says_why(
    studio, request_, monkeypatch
):
    studio.load(request_.model)
    score, judged = studio.worker._scorers[0].score, []

    def broken_once(*inputs):
        judged.append(inputs)
        if len(judged) == 1:
            raise MemoryError
        return score(*inputs)

    monkeypatch.setattr(studio.worker._scorers[0], "score", broken_once)
    project = searched(studio, request_)
    *others, last = project.gallery.ranked()
    assert len(others) == request_.candidates - 1
    assert (last.seed, last.scores) == (request_.seed, {})
    assert "memory did not suffice" in last.problem
    assert "could not be judged. The memory" in candidate_line(last, 1)
