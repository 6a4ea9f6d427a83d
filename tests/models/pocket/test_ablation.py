"""Variants of a tiny generator are trained on a few encoded clips, all on the same batches."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from models.errors import InputError
from models.pocket import ablation as module
from models.pocket import generator as generator_module
from models.pocket.ablation import VARIANTS, Trial, ablation, run_trial
from models.pocket.latents import HELD_OUT_SEED, draw_shard
from models.pocket.train_generator import GeneratorSettings
from studio.cli import app
from studio.evaluation import bench_ablation
from tests.models.pocket.conftest import TINY
from tests.tiny import tiny_lingen

QUICK = GeneratorSettings(warmup=1, compile=False)
TRIAL = Trial("LinGen", seed=0, steps=4, batch=2)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A tiny pipeline and a few encoded clips, four of them held out."""
    monkeypatch.setattr(generator_module, "CONFIG", {**generator_module.CONFIG, **TINY, "num_layers": 2})
    tiny_lingen(tmp_path / "pocket")
    (tmp_path / "latents").mkdir()
    for seed in (1, HELD_OUT_SEED):
        latents = torch.randn(4, 8, 5, 4, 4, generator=torch.Generator().manual_seed(seed)).half()
        file = tmp_path / "latents" / f"clips-{seed:06d}.safetensors"
        scenes = draw_shard("clips", seed).scenes_mark
        save_file(
            {"latents": latents}, file, {"captions": json.dumps([["a cat", "a dog"]] * 4), "scenes": scenes}
        )
    return tmp_path / "pocket", tmp_path


def test_every_variant_is_trained_and_measured(folders):
    trials = [dataclasses.replace(TRIAL, variant=variant) for variant in VARIANTS]
    found = list(ablation(*folders, trials, QUICK, threads=1))
    assert [each["variant"] for each in found] == list(VARIANTS)
    ends = [each["losses"][-1] for each in found]
    assert {step for step, _ in ends} == {4}
    assert len({loss for _, loss in ends}) == len(VARIANTS)
    assert found[3]["parameters"] < found[0]["parameters"]


def test_every_variant_gets_a_sheet_of_its_own(folders):
    trials = [dataclasses.replace(TRIAL, variant=variant) for variant in ("LinGen", "without review tokens")]
    list(ablation(*folders, trials, QUICK, threads=1))
    sheets = [(folders[1] / trial.sheet).read_bytes() for trial in trials]
    assert folders[1] / "ablation-without-review-tokens-0-4.png" == folders[1] / trials[1].sheet
    assert sheets[0] != sheets[1]


def test_the_same_trial_gives_the_same_loss(folders):
    (once,) = ablation(*folders, [TRIAL], QUICK, threads=1)
    (folders[1] / "ablation.json").unlink()
    (again,) = ablation(*folders, [TRIAL], QUICK, threads=1)
    assert once["losses"] == again["losses"]


def test_a_finished_trial_is_not_run_again(folders, monkeypatch):
    (once,) = ablation(*folders, [TRIAL], QUICK, threads=1)
    ran = []

    def count(trial, *arguments, **options):
        ran.append(trial.steps)
        return run_trial(trial, *arguments, **options)

    monkeypatch.setattr(module, "run_trial", count)
    found = list(ablation(*folders, [TRIAL, dataclasses.replace(TRIAL, steps=8)], QUICK, threads=1))
    assert found[0]["losses"] == [list(pair) for pair in once["losses"]]
    assert ran == [8]


def test_a_trial_with_other_settings_is_another(folders):
    (once,) = ablation(*folders, [TRIAL], QUICK, threads=1)
    (other,) = ablation(*folders, [TRIAL], dataclasses.replace(QUICK, learning_rate=0.5), threads=1)
    assert other["losses"] != [list(pair) for pair in once["losses"]]


def test_without_clips_a_sentence_says_what_to_run(tmp_path):
    with pytest.raises(InputError, match=r"models\.pocket latents"):
        next(ablation(tmp_path, tmp_path, [TRIAL], QUICK))


def test_the_benchmark_reports_every_variant_and_its_curve(folders):
    assets, work = folders
    report = bench_ablation.ablation(repeat=2, threads=1, steps=4, work=work, assets=assets, settings=QUICK)
    assert [each.name for each in report.measures] == list(VARIANTS)
    assert all(len(each.values) == 2 for each in report.measures)
    assert [curve.x for curve in report.panels[0].curves] == [(1.0, 2.0, 3.0, 4.0)] * len(VARIANTS)


def test_the_benchmark_without_clips_says_what_to_run(folders, tmp_path):
    with pytest.raises(InputError, match=r"models\.pocket latents"):
        bench_ablation.ablation(repeat=1, threads=1, work=tmp_path / "nothing", assets=folders[0])


def test_updates_can_be_chosen_for_this_benchmark_alone():
    refused = CliRunner().invoke(app, ["bench", "chunk", "--steps", "8"]).exception
    assert isinstance(refused, InputError)
    assert "--steps" in str(refused)
