"""The distillation on networks whose velocities are known, and end to end on a tiny generator."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from models.lingen import LinGenPipeline
from models.pocket.distill import (
    Distillation,
    DistillationSettings,
    GuidedTeacher,
    distill,
    distillation_loss,
    draw_given,
    level,
    own_way,
)
from models.pocket.generator import build_generator, build_scheduler
from models.pocket.train_generator import publish, published_weights
from models.pocket.training import AveragedWeights, Progress
from tests.tiny import tiny_lingen

STEPS = DistillationSettings().steps


class Field(nn.Module):
    """Velocity is what the text says: 1 everywhere for a caption, 0 for the empty one, plus the latents."""

    def __init__(self, pull: float = 0.0) -> None:
        super().__init__()
        self.pull = nn.Parameter(torch.tensor(pull))

    def forward(self, latents: Tensor, timesteps: Tensor, text: Tensor, mask: Tensor, **_: Any) -> Any:
        return (text.mean((1, 2))[:, None, None, None, None] + self.pull * latents,)


def teacher(guidance: float = 3.0, pull: float = 0.0) -> GuidedTeacher:
    empty = torch.zeros(1, 2, 4), torch.ones(1, 2)
    return GuidedTeacher(Field(pull), empty, DistillationSettings(guidance=guidance))


def batch(frames: int = 3) -> dict[str, Tensor]:
    return {
        "clean": torch.randn(2, 4, frames, 2, 2),
        "noise": torch.randn(2, 4, frames, 2, 2),
        "start": torch.tensor([1.0, 1 / STEPS]),
        "given": torch.zeros(2, frames),
        "text": torch.ones(2, 2, 4),
        "mask": torch.ones(2, 2),
    }


def test_positions_are_those_of_the_scheduler() -> None:
    positions = 1 - torch.arange(STEPS) / STEPS
    scheduler = build_scheduler()
    scheduler.set_timesteps(sigmas=positions.tolist())
    torch.testing.assert_close(level(positions), scheduler.sigmas[:-1])


def test_a_constant_velocity_is_its_own_mean_with_guidance() -> None:
    given = batch()
    target = teacher(guidance=3.0).target(
        given["noise"], given["start"], given["given"], given["text"], given["mask"]
    )
    torch.testing.assert_close(target, torch.full_like(target, 3.0))


def test_the_mean_velocity_leads_where_the_teachers_steps_lead() -> None:
    values, guide = batch(), teacher(guidance=1.0, pull=0.5)
    start = torch.full((2,), 0.5)
    target = guide.target(values["noise"], start, values["given"], values["text"], values["mask"])
    grid = [float(level(torch.tensor(0.5 - part / (2 * STEPS)))) for part in range(3)]
    latents = values["noise"]
    for now, then in ((grid[0], grid[1]), (grid[1], grid[2])):
        latents = latents + (then - now) * (1 + 0.5 * latents)
    torch.testing.assert_close(values["noise"] + (grid[2] - grid[0]) * target, latents)


def test_a_student_that_is_its_teacher_has_nothing_to_learn_of_a_straight_way() -> None:
    student = Field()
    loss = distillation_loss(student, teacher(guidance=1.0), **batch())
    assert loss.item() == pytest.approx(0, abs=1e-10)
    assert distillation_loss(student, teacher(guidance=3.0), **batch()).item() == pytest.approx(4, rel=1e-4)


def test_a_student_can_go_on_from_where_its_own_steps_led() -> None:
    values, student = batch(), Field()
    values["given"][:, 0] = 1
    of_way = {name: values[name] for name in ("clean", "noise", "given", "text", "mask")}
    reached = own_way(student, count=2, steps=STEPS, **of_way)
    torch.testing.assert_close(reached[:, :, 0], values["clean"][:, :, 0])
    gone = level(torch.tensor(1 - 2 / STEPS)) - 1  # its velocity is 1 everywhere
    torch.testing.assert_close(reached[:, :, 1:], values["noise"][:, :, 1:] + gone)
    torch.testing.assert_close(
        own_way(student, count=0, steps=STEPS, **of_way)[:, :, 1:], values["noise"][:, :, 1:]
    )
    seen: list[Tensor] = []

    class Watched(Field):
        def forward(self, latents: Tensor, *rest: Any, **_: Any) -> Any:
            seen.append(latents)
            return super().forward(latents, *rest)

    distillation_loss(Watched(), teacher(), **values, reached=reached)
    torch.testing.assert_close(seen[0], reached)


def test_an_own_way_can_begin_at_a_clip_with_noise() -> None:
    values = batch()
    of_way = {name: values[name] for name in ("clean", "noise", "given", "text", "mask")}
    begun = level(torch.tensor(1 - 3 / STEPS))
    noisy = values["clean"] + begun * (values["noise"] - values["clean"])
    torch.testing.assert_close(own_way(Field(), count=0, steps=STEPS, first=3, **of_way), noisy)
    end = own_way(Field(), count=STEPS - 3, steps=STEPS, first=3, **of_way)
    torch.testing.assert_close(end, noisy - begun)  # its velocity is 1 everywhere


def test_given_frames_stand_still() -> None:
    values = batch()
    values["given"][:, 0] = 1
    seen: list[Tensor] = []

    class Watched(Field):
        def forward(self, latents: Tensor, timesteps: Tensor, *rest: Any, **_: Any) -> Any:
            seen.append(latents[:2, :, 0])
            assert (timesteps[:, 0] == 0).all()
            return super().forward(latents, timesteps, *rest)

    guide = GuidedTeacher(Watched(pull=0.5), teacher().empty, teacher().settings)
    distillation_loss(Watched(), guide, **values)
    assert len(seen) == 3
    for latents in seen:
        torch.testing.assert_close(latents, values["clean"][:, :, 0])


def test_frames_are_given_as_often_as_to_the_teacher() -> None:
    given = draw_given(400, 5, torch.Generator().manual_seed(0))
    assert 0.7 < given[:, 0].mean() < 0.9
    assert not given.all(1).any()
    assert not draw_given(8, 1, torch.Generator()).any()
    assert not draw_given(8, 5, torch.Generator(), ()).any()
    assert draw_given(2, 5, torch.Generator(), (0, 1)).tolist() == [[1, 1, 0, 0, 0]] * 2


@pytest.mark.parametrize("threads", [1, 2])
def test_a_distillation_can_be_stopped_and_carried_on_with_its_first_teacher(
    encoded: Path, tmp_path: Path, tiny_config: None, threads: int
) -> None:
    assets = tmp_path / "assets"
    tiny_lingen(assets)
    publish(assets, build_generator().state_dict(), {"steps": 7})
    settings = DistillationSettings(clips=2, stills=2, warmup=1, compile=False)
    distill(assets, encoded, 1, settings, max_steps=2, threads=threads)
    first = torch.load(encoded / "distillation.pt")["teacher"]
    distill(assets, encoded, 1, settings, max_steps=3, threads=threads)
    second = torch.load(encoded / "distillation.pt")["teacher"]
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    record = json.loads((assets / "transformer" / "training.json").read_text())
    assert (record["steps"], record["settings"]["steps"]) == (3, STEPS)
    assert record["before"] == {"steps": 7}  # of the teacher, not of the student that lies there by now
    pipeline = LinGenPipeline.from_pretrained(assets)
    pipeline.set_progress_bar_config(disable=True)
    made = pipeline("a cat", height=64, width=64, num_frames=5, num_inference_steps=1, output_type="np")
    assert made.frames.any()


@pytest.mark.parametrize("own", [0.0, 1.0])
def test_a_distillation_goes_the_students_own_way_as_often_as_it_is_told(
    encoded: Path, tmp_path: Path, tiny_config: None, monkeypatch: pytest.MonkeyPatch, own: float
) -> None:
    gone: list[int] = []
    monkeypatch.setattr(
        "models.pocket.distill.own_way",
        lambda *given, **_: (gone.append(given[3]), own_way(*given))[1],
    )
    tiny_lingen(tmp_path / "assets")
    publish(tmp_path / "assets", build_generator().state_dict(), {})
    settings = DistillationSettings(clips=2, stills=2, compile=False, own=own)
    distill(tmp_path / "assets", encoded, 1, settings, max_steps=3, threads=1)
    assert len(gone) == 3 * own
    assert all(0 <= count < STEPS for count in gone)


def test_a_student_can_begin_with_what_an_earlier_distillation_changed(
    encoded: Path, tmp_path: Path, tiny_config: None
) -> None:
    folders = [tmp_path / name for name in ("earlier-teacher", "earlier-student", "assets")]
    for number, folder in enumerate(folders):
        tiny_lingen(folder)
        torch.manual_seed(number)
        publish(folder, build_generator().state_dict(), {})
    before, after, now = (published_weights(folder).state_dict() for folder in folders)
    settings = DistillationSettings(clips=2, stills=2, compile=False)
    training = Distillation(folders[2], encoded, settings, Progress(1, 1), earlier=(folders[0], folders[1]))
    for name, value in training.master.state_dict().items():
        torch.testing.assert_close(value, now[name] + after[name] - before[name])
        torch.testing.assert_close(training.average.weights[name], value)
    taught = training.teacher.network.state_dict()
    assert all(torch.equal(taught[name], value.bfloat16()) for name, value in now.items())


def test_what_an_earlier_distillation_changed_comes_to_a_student_on_a_gpu(
    monkeypatch: pytest.MonkeyPatch, tiny_config: None
) -> None:
    with FakeTensorMode():  # knows the rules of a GPU without one
        published = build_generator()
        monkeypatch.setattr("models.pocket.distill.published_weights", lambda folder: published)
        with torch.device("cuda"):
            student, worker = build_generator(), build_generator()
        training: Any = SimpleNamespace(master=student, worker=worker, average=AveragedWeights(student))
        Distillation._begin_with(training, (Path("teacher"), Path("student")))
    assert {weight.device.type for weight in student.parameters()} == {"cuda"}
