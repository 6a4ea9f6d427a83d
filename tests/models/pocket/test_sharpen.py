"""The judge learns to tell clips apart, its gradient says where to go, and a tiny student is trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.lingen import LinGenPipeline
from models.pocket.generator import build_generator
from models.pocket.judge import Judge, judging_loss, mean_where
from models.pocket.sharpen import Run, Runs, SharpenSettings, moved_target, sharpen
from models.pocket.train_generator import publish
from tests.tiny import tiny_lingen


def seen(judge: Judge, clips: Tensor) -> Tensor:
    count, frames = clips.shape[0], clips.shape[2]
    text, mask = torch.zeros(count, 2, 16), torch.ones(count, 2)
    return judge.logits(judge.states(clips, torch.full((count, frames), 100.0), text, mask))


def test_the_judge_learns_to_tell_what_differs(tiny_config: None) -> None:
    torch.manual_seed(0)
    judge = Judge(build_generator(), (0,))
    optimizer = torch.optim.Adam(judge.heads.parameters(), 1e-2)
    moving = torch.ones(8, 5)
    for _ in range(60):
        real, made = (seen(judge, torch.randn(8, 8, 5, 2, 2) + shift) for shift in (1.0, -1.0))
        optimizer.zero_grad()
        judging_loss(real, made, moving).backward()
        optimizer.step()
    assert mean_where(seen(judge, torch.randn(8, 8, 5, 2, 2) + 1), moving) > 0.5
    assert mean_where(seen(judge, torch.randn(8, 8, 5, 2, 2) - 1), moving) < -0.5
    assert all(parameter.grad is None for parameter in judge.network.parameters())


def test_given_frames_are_not_judged() -> None:
    logits, moving = torch.zeros(2, 1, 3, 2, 2), torch.tensor([[0.0, 1.0, 1.0]])
    logits[:, :, 0] = 100
    assert mean_where(logits, moving) == 0


def test_the_target_is_as_far_away_as_the_reach() -> None:
    velocity, worse = torch.randn(2, 4, 3, 2, 2), 0.01 * torch.randn(2, 4, 3, 2, 2)
    target = moved_target(velocity, worse, worse.square().mean().sqrt(), reach=0.3)
    assert (target - velocity).square().mean().sqrt().item() == pytest.approx(0.3, rel=1e-4)
    assert ((target - velocity) * worse).sum() < 0


def test_runs_that_arrive_make_room_for_new_ones() -> None:
    generator = torch.Generator().manual_seed(0)

    def fresh() -> list[Run]:
        latents = [torch.full((1, 2, 1, 1), 9.0) for _ in range(4)]
        nothing = torch.zeros(2)
        return [Run(each, torch.zeros(1, 2, 1, 1), nothing, nothing, nothing, 3) for each in latents]

    runs = Runs(fresh, count=6, steps=3, generator=generator)
    assert sorted(run.left for run in runs.under_way) == [1, 1, 2, 2, 3, 3]
    last = next(index for index, run in enumerate(runs.under_way) if run.left == 1)
    first = next(index for index, run in enumerate(runs.under_way) if run.left == 3)
    runs.go_on([last, first], torch.ones(2, 1, 2, 1, 1))
    assert (runs.under_way[last].left, runs.under_way[first].left) == (3, 2)
    assert (runs.under_way[last].latents == 9).all()
    assert (runs.under_way[first].latents == 1).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_student_can_be_stopped_and_carried_on_with_its_judge(
    encoded: Path, tmp_path: Path, tiny_config: None, threads: int
) -> None:
    assets = tmp_path / "assets"
    tiny_lingen(assets)
    publish(assets, build_generator().state_dict(), {"steps": 7})
    settings = SharpenSettings(clips=2, warmup=1, layers=(0,), judge_alone=1, compile=False)
    sharpen(assets, encoded, 1, settings, max_steps=2, threads=threads)
    first = torch.load(encoded / "sharpening.pt")
    sharpen(assets, encoded, 1, settings, max_steps=4, threads=threads)
    second = torch.load(encoded / "sharpening.pt")
    assert all(torch.equal(value, second["teacher"][name]) for name, value in first["teacher"].items())
    assert any(not torch.equal(value, second["judge"][name]) for name, value in first["judge"].items())
    record = json.loads((assets / "transformer" / "training.json").read_text())
    assert (record["steps"], record["before"]) == (4, {"steps": 7})
    assert "judged_real" in (encoded / "sharpening.jsonl").read_text()
    pipeline = LinGenPipeline.from_pretrained(assets)
    pipeline.set_progress_bar_config(disable=True)
    made = pipeline("a cat", height=64, width=64, num_frames=5, num_inference_steps=1, output_type="np")
    assert made.frames.any()


def test_the_judge_may_see_through_another_generator(
    encoded: Path, tmp_path: Path, tiny_config: None
) -> None:
    for folder in ("assets", "teacher"):
        tiny_lingen(tmp_path / folder)
        publish(tmp_path / folder, build_generator().state_dict(), {})
    settings = SharpenSettings(clips=2, warmup=1, layers=(0,), judge_alone=0, compile=False)
    before = (tmp_path / "teacher" / "transformer" / "config.json").read_bytes()
    sharpen(tmp_path / "assets", encoded, 1, settings, max_steps=1, threads=1, seen_by=tmp_path / "teacher")
    assert (tmp_path / "teacher" / "transformer" / "config.json").read_bytes() == before
