"""The benchmarks run, and a long film needs no more memory than a short one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio import cli_measure
from studio.errors import InputError
from studio.evaluation import bench_startup
from studio.evaluation.bench import BENCHES, show
from studio.evaluation.report import Machine, Measure, Report

MACHINE = Machine(processor="a processor", cores=2, threads=1, torch="2.11", python="3.11")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, sources: dict[str, str]) -> None:
    """The tiny pipeline in the place of the embedded model's."""
    monkeypatch.setenv("STUDIO_SOURCES", json.dumps(sources))
    monkeypatch.setenv("STUDIO_MIN_FREE_MB", "1")


@pytest.mark.slow
def test_a_film_of_40_segments_peaks_at_the_memory_of_one_of_4(tiny):
    short, long, ratio = BENCHES["memory"](repeat=1, threads=1).measures
    assert ratio.value == long.value / short.value <= 1.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bench", "names"),
    [
        ("chunk", ["one segment"]),
        ("gallery", ["first candidate", "all candidates"]),
        ("search", ["search and full run"]),
        ("overhead", ["studio", "pipeline", "studio / pipeline"]),
    ],
)
def test_a_bench_measures_what_it_says(tiny, bench, names):
    report = BENCHES[bench](repeat=2, threads=1)
    assert [each.name for each in report.measures] == names
    assert all(each.value > 0 and len(each.values) == 2 for each in report.measures)
    assert report.machine.threads == 1
    if bench == "gallery":
        assert report.measures[0].value < report.measures[1].value


def test_a_bench_tells_the_threads_that_the_settings_give(tiny, monkeypatch):
    monkeypatch.setenv("STUDIO_THREADS", "3")
    assert BENCHES["gallery"](repeat=1, threads=None).machine.threads == 3


def test_a_setting_that_cannot_be_used_is_told_in_a_sentence(monkeypatch):
    monkeypatch.setenv("STUDIO_PORT", "abc")
    with pytest.raises(InputError, match="The setting port cannot be used"):
        BENCHES["chunk"](repeat=1, threads=None)


def test_curves_of_a_bench_that_gives_none_are_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setitem(BENCHES, "chunk", None)
    with pytest.raises(InputError, match="single numbers, no curves"):
        cli_measure.bench("chunk", plot=tmp_path / "plot.png")


def test_a_report_tells_measure_target_and_machine():
    measure = Measure(name="one segment", value=9.5, unit="s", target=8, values=(9.25, 9.75))
    text = show(Report(bench="chunk", what="17 frames", measures=(measure,), machine=MACHINE))
    assert "one segment  9.5 s     8 s     missed  9.25  9.75" in text
    assert "2 cores, 1 threads, torch 2.11" in text


def test_a_target_that_is_reached_is_met():
    assert Measure(name="x", value=8, unit="s", target=8).verdict == "met"
    assert Measure(name="x", value=8, unit="s").verdict == ""


def test_a_page_that_does_not_start_is_told(monkeypatch, tmp_path):
    app = tmp_path / "app.py"
    app.write_text("raise SystemExit(3)")
    monkeypatch.setattr(bench_startup, "APP", app)
    with pytest.raises(InputError, match="ended with code 3"):
        BENCHES["startup"](repeat=1, threads=None)


def test_startup_waits_for_an_answer(monkeypatch, tmp_path):
    app = Path(tmp_path / "app.py")
    app.write_text(
        "import http.server, os\n"
        "handler = http.server.SimpleHTTPRequestHandler\n"
        "http.server.HTTPServer(('127.0.0.1', int(os.environ['STUDIO_PORT'])), handler).serve_forever()\n"
    )
    monkeypatch.setattr(bench_startup, "APP", app)
    (measure,) = BENCHES["startup"](repeat=1, threads=None).measures
    assert measure.value > 0
