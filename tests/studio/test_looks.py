"""Looks into a full run: shown while it goes on, and never in its way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from models.clip import Clip
from models.diffusers_run import DiffusersRun
from models.rough_decoder import LinearDecoder
from studio import media
from studio.search import Live
from studio.studio import Studio
from studio.timeline import ChunkRequest
from studio.workers import LocalWorker

ODD = Clip(np.full((9, 135, 235, 3), 90, np.uint8), 8.0)


@pytest.fixture(autouse=True)
def at_every_step(monkeypatch):
    monkeypatch.setattr("studio.workers.local.LOOK_AFTER", 0.0)


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"live_share": 1e-9})  # glimpses only


def shown_while_made(
    studio: Studio, request: ChunkRequest, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], Any]
) -> list[tuple[int, int]]:
    """Make a chunk with a worker whose events are changed; height and width of the looks that were shown."""
    project, finish, sizes = studio.create_project(), studio.worker.finish, []

    def finish_changed(task: Any, seed: int) -> Iterator[Any]:
        for event in finish(task, seed):
            yield change(event)
            if isinstance(event, Live) and (live := studio.live(project.id)) is not None:
                info = media.read_info(studio.media_path(project.id, live.clip))
                sizes.append((info.height, info.width))

    monkeypatch.setattr(studio.worker, "finish", finish_changed)
    view = studio.wait(studio.search(project.id, request.model_copy(update={"strategy": "naive"})))
    assert view.state == "done", view.error
    assert studio.project(project.id).head is not None
    return sizes


def test_a_look_of_odd_sides_is_shown_without_its_last_row_and_column(studio, request_, monkeypatch):
    monkeypatch.setattr(DiffusersRun, "glimpse", lambda run: ODD)
    sizes = shown_while_made(studio, request_, monkeypatch, lambda event: event)
    assert sizes == [(134, 234)] * (request_.num_inference_steps - 1)


def test_a_look_that_fails_does_not_end_the_run(studio, request_, monkeypatch):
    def fail(run):
        raise RuntimeError("no memory is left")

    monkeypatch.setattr(DiffusersRun, "glimpse", fail)
    assert shown_while_made(studio, request_, monkeypatch, lambda event: event) == []


def test_a_look_that_cannot_be_written_does_not_end_the_run(studio, request_, monkeypatch):
    monkeypatch.setattr(DiffusersRun, "glimpse", lambda run: ODD)

    def odd(event):
        return Live(event.seed, event.step, ODD) if isinstance(event, Live) else event

    assert shown_while_made(studio, request_, monkeypatch, odd) == []


def test_the_linear_map_of_any_frame_size_gives_a_look_that_can_be_written(tmp_path):
    latents = torch.randn(1, 4, 2, 15, 26)  # of 480x832, 32 times smaller
    decoder = LinearDecoder(torch.randn(5, 3), frames=8, first=1, larger=32)

    def glimpse():
        pictures = decoder(latents)[0].permute(1, 2, 3, 0)
        return Clip(((pictures + 1) * 127.5).byte().numpy(), 24.0)

    run = SimpleNamespace(seed=1, glimpse=glimpse)
    clip = LocalWorker(live_share=0.04)._look(("ltx", 480, 832, 9), run, since=1.0)
    assert media.write_clip(tmp_path / "look.mp4", clip.frames, clip.fps) == 9
