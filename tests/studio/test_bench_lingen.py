"""The benchmarks of LinGen run at small sizes, and their curves can be drawn."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from studio.cli import app
from studio.errors import InputError
from studio.evaluation import bench_lingen
from studio.evaluation.bench import BENCHES
from studio.evaluation.plot import check_plot, draw
from studio.evaluation.report import Report


@pytest.fixture(scope="module")
def neighbours() -> Report:
    return bench_lingen.adjacency(repeat=1, threads=None, side=8, layers=4)


def measures(report: Report) -> dict[str, Any]:
    return {each.name: each for each in report.measures}


def test_adjacency_tells_every_scan_after_every_layer(neighbours):
    found = measures(neighbours)
    assert len(found) == 6
    rotary = found["cube neighbours, rotary-major, d_4"]
    assert len(rotary.values) == 4
    assert rotary.value < found["cube neighbours, raster, d_4"].value


def test_curves_are_drawn(neighbours, tmp_path):
    pytest.importorskip("matplotlib")
    draw(neighbours, tmp_path / "adjacency.png")
    with Image.open(tmp_path / "adjacency.png") as picture:
        assert picture.width > picture.height > 300


def test_single_numbers_are_no_curves(neighbours, tmp_path):
    with pytest.raises(InputError, match="no curves"):
        draw(neighbours.model_copy(update={"panels": ()}), tmp_path / "x.png")


@pytest.mark.parametrize(("name", "message"), [("plot.svg", "written as"), ("nowhere/plot.png", "no folder")])
def test_a_plot_that_cannot_be_written_is_told_before_any_work(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        check_plot(tmp_path / name)


def test_operations_are_within_5_per_cent(monkeypatch):
    monkeypatch.setattr(bench_lingen, "CLIPS", {"short": (2, 8, 8)})
    found = measures(bench_lingen.flops(repeat=1, threads=None))
    judged = [each for each in found.values() if each.target is not None]
    assert len(judged) >= 5
    assert {each.verdict for each in judged} == {"met"}
    assert round(found["published, parameters"].value, 2) == 4.76


def passes(seconds: dict[str, float]) -> Any:
    """What a pass of each model takes, as `seconds` times its tokens, squared for attention."""

    def run(kind: str, tokens: int, repeat: int, threads: int | None) -> dict[str, Any] | None:
        growth = 2 if kind == "attention" else 1
        if tokens > 8192 and kind == "attention":
            return None
        return {"seconds": [seconds[kind] * tokens**growth] * repeat, "mib": tokens / 10}

    return run


def test_growth_is_measured_until_a_pass_fails_or_takes_too_long(monkeypatch):
    monkeypatch.setattr(bench_lingen, "_pass", passes({"lingen": 1e-3, "attention": 1e-6}))
    report = bench_lingen.scaling(repeat=2, threads=None, longest=30)
    found = measures(report)
    assert found["lingen, growth of time"].value == pytest.approx(1)
    assert found["attention, growth of time"].value == pytest.approx(2)
    times = report.panels[0].curves
    assert times[0].x[-1] == 32768  # the first that took longer than 30 s is still told
    assert times[1].x[-1] == 8192  # the next one failed


def test_how_long_a_pass_may_take_can_be_said(monkeypatch):
    monkeypatch.setattr(bench_lingen, "_pass", passes({"lingen": 1e-3, "attention": 1e-6}))
    done = CliRunner().invoke(app, ["bench", "lingen-scaling", "--longest", "3", "--json"])
    curves = json.loads(done.stdout)["panels"][0]["curves"]
    assert [curve["x"][-1] for curve in curves] == [4096, 2048]
    wrong = CliRunner().invoke(app, ["bench", "chunk", "--longest", "3"])
    assert isinstance(wrong.exception, InputError) and "lingen-scaling alone" in str(wrong.exception)


def test_too_few_sizes_are_told():
    with pytest.raises(InputError, match="two sizes"):
        bench_lingen.exponent({1024: 1.0})


def test_a_pass_that_fails_gives_nothing(monkeypatch):
    def fail(*_: Any, **__: Any) -> Any:
        return subprocess.CompletedProcess([], 1, "", "Killed")

    monkeypatch.setattr(subprocess, "run", fail)
    assert bench_lingen._pass("lingen", 1024, 1, None) is None


@pytest.mark.slow
def test_a_size_is_measured_in_a_process_of_its_own():
    found = bench_lingen._pass("lingen", 256, 1, 1)
    assert found is not None
    assert len(found["seconds"]) == 1
    assert found["mib"] > 0


def test_the_benches_are_offered():
    assert {"lingen-flops", "lingen-adjacency", "lingen-scaling"} <= set(BENCHES)
