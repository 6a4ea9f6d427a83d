"""The embedded model's evaluation on a tiny random pipeline, a tiny random CLIP and drawn squares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from models.pocket import captions
from models.pocket.scenes import held_out
from models.pocket.sprites import SPRITE_FRAMES, SPRITE_SIZE
from models.pocket.subjects import NOUNS, SUBJECTS
from studio.cli import app
from studio.errors import InputError
from studio.evaluation import pocket as module
from studio.evaluation.pocket_cases import DIRECTIONS, OUTSIDE, draw_cases, outside_cases
from studio.evaluation.pocket_report import Figure, PocketReport, Tally, show
from studio.evaluation.report import Machine
from studio.media import count_frames

MACHINE = Machine(processor="a processor", cores=2, threads=1, torch="2.11", python="3.11")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, sources: dict[str, str]) -> None:
    """Tiny weights in place of the embedded ones, a square for every noun, two words outside the corpus."""
    sprites = {}
    for index, noun in enumerate(NOUNS):
        frames = np.zeros((SPRITE_FRAMES, SPRITE_SIZE, SPRITE_SIZE, 4), np.uint8)
        frames[:, 16:80, 16:80] = (255 - 6 * index, 6 * index, 128, 255)
        sprites[noun] = frames
    monkeypatch.setenv("STUDIO_SOURCES", json.dumps(sources))
    monkeypatch.setattr(module, "cast", lambda path=None: sprites)
    monkeypatch.setattr(module, "CHAINS", 1)
    for noun in list(OUTSIDE)[2:]:
        monkeypatch.delitem(OUTSIDE, noun)


def test_cases_are_of_one_subject_and_every_second_one_goes_somewhere():
    cases = draw_cases(20, 3, held=False)
    assert cases == draw_cases(20, 3, held=False)
    assert len({case.seed for case in cases}) == 20
    assert all(len(case.scene.actors) == 1 and case.noun == case.scene.actors[0].noun for case in cases)
    assert all(case.direction in DIRECTIONS for case in cases[1::2])


@pytest.mark.parametrize("held", [False, True])
def test_held_out_cases_are_held_out(held):
    for case in draw_cases(10, 0, held=held):
        assert held_out(case.noun, case.scene.setting, case.scene.actors[0].motion) == held


def test_a_prompt_says_where_it_is_and_what_happens():
    for case in draw_cases(40, 1, held=True):
        assert any(place in case.prompt for place in captions.PLACES[case.scene.setting])
        if case.direction in ("left", "right"):
            assert case.direction in case.prompt


def test_outside_words_are_in_no_caption_and_mean_a_subject():
    tables = (captions.PLACES, captions.HOURS, captions.WEATHERS, captions.GOES, captions.DEEDS)
    texts = [text for table in tables for options in table.values() for text in options]
    texts += [word for subject in SUBJECTS for word in (*subject.names, *subject.adjectives)]
    known = {word.lower() for text in texts for word in text.split()}
    assert not known & set(OUTSIDE)
    assert set(OUTSIDE.values()) <= set(NOUNS)
    assert len(outside_cases(2, 0)) == 2 * len(OUTSIDE)


def test_shares_have_an_interval_and_means_have_none():
    share = Figure(measure="subject", clips="generated", value=0.5, unit="share", cases=100)
    assert share.interval == pytest.approx((0.404, 0.596), abs=1e-3)
    assert share.text == "50 %  (40 to 60)"
    assert Figure(measure="autoencoder", clips="x", value=23, unit="dB", cases=9).interval is None


def test_a_tally_keeps_measures_together():
    tally = Tally()
    for measure, clips, value in (("subject", "a", True), ("setting", "a", True), ("subject", "b", False)):
        tally.add(measure, clips, value)
    tally.add("subject", "a", False)
    found = [(each.measure, each.clips, each.value, each.cases) for each in tally.figures()]
    assert found == [("subject", "a", 0.5, 2), ("subject", "b", 0, 1), ("setting", "a", 1, 1)]


def test_a_seam_compares_the_motion_on_either_side():
    frames = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    still, tally = frames.repeat(12, 0), Tally()
    module.seam(tally, "still", still, 6)
    assert [each.value for each in tally.figures()] == pytest.approx([0, 0, 1], abs=1e-3)


def test_everything_is_measured_beside_rendered_and_autoencoded_clips(tiny):
    ticks: list[tuple[int, int]] = []
    kept: list[str] = []
    report = module.pocket(
        clips=4,
        steps=1,
        guidance=1.0,
        chunks=2,
        tick=lambda done, total: ticks.append((done, total)),
        keep=lambda name, prompt, clip: kept.append(name),
    )
    assert ticks[-1][0] == ticks[-1][1] == len(ticks) == 4 + 2 + 4 + 4
    assert kept == ["seen-000", "seen-001", "held-out-000", "held-out-001", "outside-000", "outside-001"]
    found: dict[str, Any] = {f"{each.measure}: {each.clips}": each for each in report.figures}
    for group in ("seen combinations", "held-out combinations"):
        for origin in ("generated", "rendered", "autoencoded"):
            assert found[f"subject: {origin}, {group}"].cases == 2
    assert found["direction: rendered, seen combinations"].value == 1  # flow finds a square that moves
    for origin in ("bicubic", "upscaler"):
        assert found[f"autoencoder, enlarged: {origin}, held-out combinations"].unit == "dB"
    assert found["outside word: generated"].cases == 2
    assert found["flow kept within 25 %: continued from 5 frames"].cases == 2
    assert found["flow kept within 25 %: continued from 1 frame"].cases == 2
    for film in ("naive film", "film with k-step search"):
        for measure in ("likeness to the first guide", "subject", "colour from the first guide"):
            assert len(found[f"chunk 2: {measure}: {film}"].series) == 2
        assert found[f"chunk 2: sharpness against chunk 1: {film}"].series[0] == 1
    assert "naive film, likeness to the first guide: " in show(report)


def test_without_sprites_a_sentence_says_what_to_run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    module.cast.cache_clear()
    with pytest.raises(InputError, match=r"models\.pocket corpus"):
        module.pocket(clips=4)


def test_the_command_keeps_report_and_clips(tiny, tmp_path):
    folder = tmp_path / "found"
    words = [
        "evaluate",
        "pocket",
        "--clips",
        "4",
        "--steps",
        "1",
        "--guidance",
        "1",
        "--json",
        "--out",
        str(folder),
    ]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    report = PocketReport.model_validate_json(done.stdout)
    assert report == PocketReport.model_validate_json((folder / "pocket.json").read_text())
    assert "guessing" in (folder / "pocket.txt").read_text()
    clips = sorted((folder / "clips").glob("*.mp4"))
    assert len(clips) == 6
    assert count_frames(clips[0]) == 17


def test_a_folder_that_cannot_be_made_is_told_before_any_work(tmp_path):
    blocked = tmp_path / "file"
    Path(blocked).write_text("")
    with pytest.raises(InputError, match="Choose another"):
        module.check_folder(blocked)


def test_the_table_tells_cases_and_guessing():
    figure = Figure(measure="subject", clips="generated", value=0.25, unit="share", cases=8)
    report = PocketReport(
        updates=829, clips=8, steps=20, guidance=4, seed=0, judge="it", figures=(figure,), machine=MACHINE
    )
    text = show(report)
    assert "after 829 updates" in text
    assert "subject  generated  25 %  (7 to 59)  8      2.5 %" in text
