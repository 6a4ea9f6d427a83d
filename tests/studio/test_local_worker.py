"""The worker of this process: loads once, keeps suspended runs, lets go of them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from models import download
from models.catalog import card
from models.clip import Clip
from models.continuation import match_colours
from models.placement import Machine, Wishes
from models.reading import Reading
from models.seam import smooth_seam
from studio.errors import InputError
from studio.search import Decoded, Finished, Live, Rough, Step
from studio.settings import Settings
from studio.timeline import ChunkRequest
from studio.workers import LocalWorker, Task
from studio.workers.local import local_worker
from studio.workers.sessions import MAX_GALLERIES


@pytest.fixture
def worker(sources: dict[str, str]) -> Iterator[LocalWorker]:
    worker = LocalWorker(sources=sources, threads=1)
    yield worker
    worker.close()


@pytest.fixture
def prefix(request_: ChunkRequest) -> ChunkRequest:
    """Previews that are the first half of the full run."""
    return request_.model_copy(update={"previews": "prefix"})


def clip_of(events) -> np.ndarray:
    return next(event.clip.frames for event in events if isinstance(event, Finished))


def threads_of_runs() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("run-")]


def test_it_says_whether_the_model_is_loaded(worker):
    assert worker.ready("pocket") == "Pocket is loaded with the first run."
    worker.load("pocket")
    assert worker.ready("pocket") is None


def test_an_unknown_model_is_told(worker):
    with pytest.raises(InputError, match="lists them all"):
        worker.ready("sora")


def test_the_image_model_is_where_the_settings_say(tmp_path):
    painter = LocalWorker(sources={"sd-1.5": str(tmp_path)})
    assert painter.is_here("sd-1.5")
    assert painter.plan("sd-1.5") == (0, f"The weights of Stable Diffusion 1.5 are in {tmp_path}.")


def test_an_image_model_from_the_hub_is_here_once_it_is_fetched(monkeypatch):
    painter, fetched = LocalWorker(sources={"sd-1.5": "someone/painter"}), []
    monkeypatch.setattr(download, "is_here", lambda card, _: card.source in fetched)
    monkeypatch.setattr(download, "fetch", lambda card, *_: fetched.append(card.source))
    assert not painter.is_here("sd-1.5")
    painter.fetch("sd-1.5", print)
    assert painter.is_here("sd-1.5")


def test_two_who_want_the_model_at_once_load_it_once(worker, monkeypatch):
    loads = []
    monkeypatch.setattr(worker, "_load", lambda model, tell: loads.append(model) or load(model, tell))
    load = type(worker)._load.__get__(worker)
    both = [threading.Thread(target=worker.load, args=("pocket",)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert loads == ["pocket"]


def test_candidates_come_without_their_runs_which_stay_until_the_gallery_goes(worker, prefix):
    roughs = [e for e in worker.search(Task("gallery", prefix)) if isinstance(e, Rough)]
    assert [rough.run for rough in roughs] == [None, None, None]
    assert len(threads_of_runs()) == 3
    worker.release("gallery")
    assert threads_of_runs() == []


def test_only_the_newest_galleries_keep_their_runs(worker, prefix):
    one = prefix.model_copy(update={"candidates": 1})
    for number in range(MAX_GALLERIES + 2):
        list(worker.search(Task(f"gallery {number}", one)))
    assert len(threads_of_runs()) == MAX_GALLERIES


def test_a_cancelled_full_run_goes_on_where_it_was_suspended(worker, prefix):
    task = Task("gallery", prefix)
    list(worker.search(task))
    events = worker.finish(task, prefix.seed)
    next(events)
    events.close()
    steps = [event for event in worker.finish(task, prefix.seed) if isinstance(event, Step)]
    assert len(steps) == prefix.num_inference_steps - prefix.preview_steps - 1


def test_a_clip_can_be_written_while_it_is_judged(worker, request_):
    decoded, finished = list(worker.finish(Task("gallery", request_), 1))[-2:]
    assert isinstance(decoded, Decoded)
    assert isinstance(finished, Finished)
    assert decoded.clip is finished.clip
    assert finished.scores


def test_a_finished_clip_is_the_same_with_and_without_the_suspended_run(worker, prefix):
    task = Task("gallery", prefix)
    list(worker.search(task))
    kept = clip_of(worker.finish(task, prefix.seed))
    worker.release("gallery")
    assert np.array_equal(kept, clip_of(worker.finish(task, prefix.seed)))


def test_a_chunk_that_continues_tells_how_many_frames_it_repeats(worker, request_):
    guide = np.full((5, 32, 32, 3), 90, np.uint8)
    (finished,) = (
        event for event in worker.finish(Task("next", request_, guide), 1) if isinstance(event, Finished)
    )
    assert finished.num_guide_frames == 5
    assert len(finished.clip) == request_.num_frames


def test_closing_lets_go_of_model_and_runs(worker, prefix):
    list(worker.search(Task("gallery", prefix)))
    worker.close()
    assert threads_of_runs() == []
    assert worker.ready("pocket") is not None


def test_a_clip_gets_the_colours_of_its_guide_where_that_is_asked_for(worker, request_):
    guide = np.full((1, request_.height, request_.width, 3), (200, 40, 90), np.uint8)
    as_made, matched = (
        clip_of(worker.finish(Task(f"colours {asked}", request, guide), 1))
        for asked in (False, True)
        for request in [request_.model_copy(update={"match_colours": asked})]
    )
    assert np.abs(matched[0].mean((0, 1)) - (200, 40, 90)).max() < 3  # clipped to 0..255
    assert np.abs(as_made[0].mean((0, 1)) - (200, 40, 90)).max() > 5


def test_a_candidate_is_shown_in_the_colours_that_it_will_have(worker, request_):
    guide = np.full((1, request_.height, request_.width, 3), (200, 40, 90), np.uint8)
    as_made, shown = (
        next(event.clip.frames for event in worker.search(task) if isinstance(event, Rough))
        for asked in (False, True)
        for task in [Task(f"seen {asked}", request_.model_copy(update={"match_colours": asked}), guide)]
    )
    np.testing.assert_array_equal(shown, match_colours(as_made, guide[0]))
    assert not np.array_equal(shown, as_made)


def test_the_seam_is_smoothed_where_a_film_goes_on_but_not_where_it_begins(worker, request_):
    guide = np.full((5, request_.height, request_.width, 3), 120, np.uint8)
    begun, goes_on = (
        clip_of(worker.finish(Task(f"continues {known}", request_, guide, continues=known), 1))
        for known in (False, True)
    )
    assert not np.array_equal(begun, goes_on)
    assert np.array_equal(goes_on, smooth_seam(Clip(begun, 8.0), guide, 5).frames)


@pytest.mark.parametrize(("share", "decodings"), [(1e9, 4), (1e-9, 1), (0.0, 1)])
def test_a_look_uses_the_decoder_only_where_it_fits_its_share_of_the_time(
    sources, request_, monkeypatch, share, decodings
):
    monkeypatch.setattr("studio.workers.local.LOOK_AFTER", 0.0)
    worker = LocalWorker(sources=sources, threads=1, live_share=share)
    list(worker.finish(Task("before", request_), 1))  # from now on it is known how long decoding takes
    vae, decoded = worker._model._pipeline.vae, []
    decode = vae.decode
    monkeypatch.setattr(vae, "decode", lambda *args, **more: decoded.append(1) or decode(*args, **more))
    events = list(worker.finish(Task("now", request_), 2))
    worker.close()
    assert len(decoded) == decodings  # the last one is the finished clip
    assert len([event for event in events if isinstance(event, Live)]) == (3 if share else 0)


def test_a_run_has_all_threads_to_itself(sources, request_):
    script = (
        "import torch, sys\n"
        "from studio.workers import LocalWorker, Task\n"
        "from studio.timeline import ChunkRequest\n"
        "worker = LocalWorker(sources=dict([sys.argv[1:3], sys.argv[3:5]]), threads=2)\n"
        "worker.load('pocket')\n"
        "seen = []\n"
        "worker._model._pipeline.transformer.register_forward_pre_hook(\n"
        "    lambda *_: seen.append(torch.get_num_threads()))\n"
        "list(worker.finish(Task('run', ChunkRequest.model_validate_json(sys.argv[5])), 1))\n"
        "worker.close()\n"
        "print(*{*seen}, torch.get_num_threads())\n"
    )
    given = [text for pair in sources.items() for text in pair]
    command = [sys.executable, "-c", script, *given, request_.model_dump_json()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "1"]


def test_the_number_of_threads_holds_in_the_threads_of_the_runs(sources):
    code = (
        "import threading\n"
        "from models import placement\n"
        "placement.use_threads(1)\n"
        "thread = threading.Thread(target=lambda: print(placement.threads()))\n"
        "thread.start(); thread.join()\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_a_rounded_model_that_fills_its_device_leaves_the_scorers_to_the_cpu(monkeypatch):
    """Where they go is asked for once its weights are there, and little is free."""
    full = Machine(2.0, bfloat16=True)
    loaded = SimpleNamespace(card=card("wan2.1-t2v-14b"), close=lambda: None)
    monkeypatch.setattr("models.placement.this_machine", lambda *_: full)
    monkeypatch.setattr("studio.workers.local.load_model", lambda *_, **__: loaded)
    worker = LocalWorker(device=Wishes(storage="nf4"), threads=1)
    worker.load("wan2.1-t2v-14b")
    assert worker.ready("wan2.1-t2v-14b") is None


def test_candidates_at_once_are_asked_for_by_a_setting(sources, request_, monkeypatch):
    monkeypatch.setenv("STUDIO_AT_ONCE", "3")
    worker = local_worker(Settings(device="cpu", sources=sources))
    groups = []
    try:
        worker.load("pocket")
        advance = worker._model.advance
        monkeypatch.setattr(
            worker._model, "advance", lambda runs, step: (groups.append(len(runs)), advance(runs, step))
        )
        list(worker.search(Task("gallery", request_)))
    finally:
        worker.close()
    assert groups == [3, 3]


def test_words_are_read_while_nothing_else_is_done(worker, request_, monkeypatch):
    assert worker.reading("pocket", "a poodle") == Reading()  # not loaded
    worker.load("pocket")
    monkeypatch.setattr(worker._model, "reading", lambda prompt: Reading({"poodle": "dog"}))
    assert worker.reading("pocket", "a poodle") == Reading({"poodle": "dog"})
    assert worker.reading("svd", "a poodle") == Reading()
    events = worker.search(Task("gallery", request_))
    next(events)
    with ThreadPoolExecutor(1) as page:  # whoever makes something has the device to itself
        assert page.submit(worker.reading, "pocket", "a poodle").result() == Reading()
    events.close()
