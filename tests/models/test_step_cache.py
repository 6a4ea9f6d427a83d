"""The step cache on tiny random pipelines of the real classes, with runs that take turns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from diffusers.hooks.first_block_cache import FBCSharedBlockState

from models.catalog import load_model
from models.diffusers_run import DiffusersModel, DiffusersRun
from models.placement import Machine, Wishes, choose
from studio.settings import Settings
from studio.workers.local import local_worker
from tests.contract.cases import CARDS, tiny

NAMES = ("wan2.1-t2v-1.3b", "ltx-0.9.5", "cogvideox-2b", "hunyuan")
STEPS = 5


@pytest.fixture(params=NAMES)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DiffusersModel]:
    card = tiny(CARDS[request.param], tmp_path)
    loaded = load_model(card.name, device=Wishes(device="cpu", cache=0.9), source=tmp_path)
    loaded.card = card
    yield loaded
    loaded.close()


def begin(model: DiffusersModel, seed: int) -> DiffusersRun:
    return model.begin(model.encode("a fox"), seed, STEPS)


def test_runs_that_take_turns_are_as_if_each_were_alone(model: DiffusersModel) -> None:
    alone = {seed: begin(model, seed).finish().frames for seed in (1, 2)}
    runs = {seed: begin(model, seed) for seed in (1, 2)}
    for step in (2, 4):
        for run in runs.values():
            run.advance(step)
    for seed, run in runs.items():
        np.testing.assert_array_equal(run.finish().frames, alone[seed])


def test_a_run_that_is_closed_takes_nothing_from_another(model: DiffusersModel) -> None:
    alone = begin(model, 1).finish().frames
    kept, closed = begin(model, 1), begin(model, 2)
    kept.advance(3)
    closed.advance(3)
    closed.close()
    np.testing.assert_array_equal(kept.finish().frames, alone)


def test_a_suspended_run_keeps_only_what_its_next_step_needs(
    model: DiffusersModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[FBCSharedBlockState] = []
    make = FBCSharedBlockState.__init__
    monkeypatch.setattr(FBCSharedBlockState, "__init__", lambda self: (states.append(self), make(self))[1])
    run = begin(model, 1)
    run.advance(1)
    assert states
    for state in states:
        assert state.head_block_output is None
        assert state.head_block_residual is not None
        assert state.tail_block_residuals is not None
    run.close()


def test_steps_are_skipped(tmp_path: Path) -> None:
    card = tiny(CARDS["wan2.1-t2v-1.3b"], tmp_path)
    clips = []
    for threshold in (0.0, 1e-6, 0.9):
        model = load_model(card.name, device=Wishes(device="cpu", cache=threshold), source=tmp_path)
        model.card = card
        clips.append(begin(model, 0).finish().frames)
        model.close()
    np.testing.assert_array_equal(clips[0], clips[1])  # no step changes as little as that
    assert (clips[0] != clips[2]).any()


def test_a_model_that_the_cache_does_not_know_goes_without_and_says_so(tmp_path: Path) -> None:
    card = tiny(CARDS["svd"], tmp_path)
    model = load_model(card.name, device=Wishes(device="cpu", cache=0.1), source=tmp_path)
    assert "steps are not cached" in model.placement_reason
    model.close()


def test_it_is_off_unless_it_is_wished_for() -> None:
    card, machine = CARDS["wan2.1-t2v-14b"], Machine(80.0, True, 128.0)
    assert choose(card, machine).cache == 0
    assert choose(card, machine, Wishes(cache=0.1)).cache == 0.1


def test_the_setting_reaches_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = tiny(CARDS["wan2.1-t2v-1.3b"], tmp_path)
    monkeypatch.setenv("STUDIO_CACHE", "0.1")
    sources = {card.name: str(tmp_path), "clip": "assets/pocket/clip"}
    worker = local_worker(Settings(device="cpu", sources=sources))
    worker.load(card.name)
    assert worker._model._pipeline.transformer.is_cache_enabled
    worker.close()
