"""The studio's verbs without a browser, each in a process of its own."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from studio.cli import main
from studio.media import count_frames, read_frames, read_info
from studio.store import Store
from studio.timeline import Project

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "assets/pictures/icon.png"
TINY = ["--size", "64x64", "--frames", "9", "--steps", "3", "-k", "2", "-m", "2", "--seed", "7"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass
class Made:
    """A film of two segments, made once for all tests that look at it."""

    folder: Path
    done: subprocess.CompletedProcess[str]
    run: Run


def environment_of(folder: Path, sources: dict[str, str]) -> dict[str, str]:
    return {
        "STUDIO_DATA_DIR": str(folder / "data"),
        "STUDIO_SOURCES": json.dumps(sources),
        "STUDIO_MIN_FREE_MB": "1",
        "STUDIO_THREADS": "1",
        "COLUMNS": "200",
    }


def runner(environment: dict[str, str]) -> Run:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "studio", *words]
        env = {**os.environ, **environment}
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def environment(tmp_path: Path, sources: dict[str, str]) -> dict[str, str]:
    return environment_of(tmp_path, sources)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, sources: dict[str, str]) -> Made:
    folder = tmp_path_factory.mktemp("film")
    run = runner(environment_of(folder, sources))
    done = run("make", "a fox runs", "--then", "the fox jumps", *TINY, "-o", str(folder / "fox.mp4"))
    assert done.returncode == 0, done.stderr
    return Made(folder, done, run)


@pytest.fixture
def told(environment, monkeypatch, capsys):
    """Run the command line in this process: its exit code and what it says on stderr."""

    def told(*words: str, **more: str) -> tuple[int, str]:
        for name, value in {**environment, **more}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["studio", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, " ".join(capsys.readouterr().err.split())

    return told


@pytest.mark.parametrize("words", [("open",), ("make", "a fox")])
def test_a_chosen_model_that_is_not_known_is_told_at_once(told, words):
    code, said = told(*words, STUDIO_MODEL="sora")
    assert code == 2
    assert "There is no model called 'sora'" in said


def test_what_the_terminal_has_no_characters_for_is_written_all_the_same(tmp_path, monkeypatch):
    Store(tmp_path).save(Project(title="A fox 🦊"))
    monkeypatch.setattr(sys, "argv", ["studio", "projects", "--data", str(tmp_path)])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    with pytest.raises(SystemExit, match="0"):
        main()
    sys.stdout.flush()
    assert b"A fox \\U0001f98a" in sys.stdout.buffer.getvalue()


def test_a_taken_port_is_told(told):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, said = told("open", STUDIO_PORT=port, STUDIO_WARM="false")
    assert code == 2
    assert f"The port {port} is taken." in said


@pytest.mark.slow
def test_make_writes_the_film_and_says_where_the_project_lies(made):
    film = made.folder / "fox.mp4"
    assert count_frames(film) == 9 + 4
    assert (read_info(film).width, read_info(film).height) == (64, 64)
    assert str(film) in made.done.stdout
    assert str(made.folder / "data") in made.done.stdout


@pytest.mark.slow
def test_make_tells_the_candidates_and_chunks_as_they_come(made):
    assert re.search(r"candidate 2 +seed 8 +rank .* motion", made.done.stderr)
    assert re.search(r"chunk 2 .* the fox jumps", made.done.stderr)


@pytest.mark.slow
def test_a_film_can_begin_with_a_picture_and_no_words(environment, tmp_path):
    picture = tmp_path / "guide.png"
    Image.new("RGB", (32, 32), "teal").save(picture)
    film = tmp_path / "film.mp4"
    done = runner(environment)("make", "", "--guide", str(picture), *TINY, "-o", str(film))
    assert done.returncode == 0, done.stderr
    assert count_frames(film) == 9


@pytest.mark.slow
def test_projects_lists_what_was_made(made):
    assert re.search(r"a fox runs +1\.6 s +2 ", made.run("projects").stdout)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".zip"])
def test_export_writes_the_film_of_a_project(made, suffix):
    out = made.folder / f"film{suffix}"
    assert made.run("export", "last", "-o", str(out)).returncode == 0
    assert out.stat().st_size > 0


@pytest.mark.slow
def test_the_same_film_is_made_by_extending_in_another_process(made, tmp_path, sources):
    run = runner(environment_of(tmp_path, sources))
    assert run("make", "a fox runs", *TINY).returncode == 0
    done = run("extend", "last", "the fox jumps", *TINY, "--seed", "9", "-o", str(tmp_path / "fox.mp4"))
    assert done.returncode == 0, done.stderr
    first, again = (list(read_frames(folder / "fox.mp4")) for folder in (made.folder, tmp_path))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["make", " "], "prompt is empty"),
        (["make", "fox " * 1000], "takes at most"),
        (["make", "a fox", "-k", "30"], "Lower k"),
        (["make", "a fox", "-m", "0"], "1 to 32 candidates"),
        (["make", "a fox", "-m", "99"], "1 to 32 candidates"),
        (["make", "a fox", "--size", "65x65"], "multiples of 64"),
        (["make", "a fox", "--size", "big"], "WxH"),
        (["make", "a fox", "--size", "²x²"], "WxH"),
        (["make", "a fox", "--size", "9" * 5000 + "x64"], "WxH"),
        (["make", "a fox", "--title", "x" * 201], "Shorten it to at most 200"),
        (["make", "a fox \udcff"], "no character"),
        (["make", "a fox", "--seconds", "1e7"], "1 to 500 chunks"),
        (["restore", "/nowhere/film.mp4"], "There is no file /nowhere/film.mp4"),
        (["restore", __file__], "is no film of this studio"),
        (["make", "a fox", "--frames", "10"], "Try 9 or 13"),
        (["make", "a fox", "--seed", "-1"], "whole number"),
        (["make", "a fox", "--seed", str(2**70)], "whole number"),
        (["make", "a fox", "--strategy", "magic"], "strategy"),
        (["make", "a fox", "--model", "sora"], "Try pocket"),
        (["make", "a fox", "--guide", "/nowhere/guide.png"], "no file guide.png"),
        (["make", "a fox", "--seconds", "0"], "Ask for a few seconds"),
        (["make", "a fox", "-o", "/"], "is a folder"),
        (["make", "a fox", "-o", "/proc/film.mp4"], "Choose another folder"),
        (["make", "a fox", "-o", "/nowhere/film.mp4"], "Choose another folder"),
        (["make", "a fox", "-o", "film.avi"], ".mp4, .webm, .gif, .zip"),
        (["extend", "last", "a fox"], "no project"),
        (["export", "last", "-o", "film.mp4"], "no project"),
        (["bench", "everything"], "Choose one of: chunk"),
        (["--nonsense"], "No such option"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_a_sentence_and_exit_code_2(told, settings, words, sentence):
    code, said = told(*words)
    assert code == 2
    assert sentence in said
    assert Store(settings.data_dir).list() == []


def test_missing_weights_are_a_sentence_and_exit_code_2(told, settings, tmp_path):
    code, said = told("make", "a fox", STUDIO_SOURCES=json.dumps({"pocket": str(tmp_path / "nowhere")}))
    assert code == 2
    assert "nowhere" in said
    assert Store(settings.data_dir).list() == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["", "--guide", "nowhere.png"], "no file nowhere.png"),
        (["", "--guide", str(PICTURE), "--end", "nowhere.png"], "no file nowhere.png"),
        (["a fox", "--lora", "nowhere"], "no LoRA called 'nowhere'"),
    ],
)
def test_a_mistyped_file_is_told_before_the_model_is_loaded(told, settings, monkeypatch, words, sentence):
    loaded = []
    monkeypatch.setattr("studio.cli._load", lambda *which: loaded.append(which))
    code, said = told("make", *words)
    assert (code, loaded) == (2, [])
    assert sentence in said
    assert Store(settings.data_dir).list() == []


def test_a_project_at_work_is_told_before_the_model_is_loaded(told, studio, monkeypatch):
    project, loaded, go_on = studio.create_project(), [], threading.Event()
    monkeypatch.setattr("studio.cli._load", lambda *which: loaded.append(which))
    studio.jobs.submit("make", project.id, lambda handle: go_on.wait())
    code, said = told("extend", project.id, "a fox", "--guide", str(PICTURE))
    go_on.set()
    assert (code, loaded) == (2, [])
    assert "still at work" in said
    assert not studio.store.media_dir(project.id).exists()


def test_a_setting_that_cannot_be_used_is_a_sentence(told):
    code, said = told("projects", STUDIO_PORT="80000000")
    assert code == 2
    assert "port" in said


@pytest.mark.parametrize(
    "words", [["projects"], ["open"], ["models"], ["fetch", "pocket"], ["draw", "x", "-o", "x.png"]]
)
@pytest.mark.parametrize(
    ("name", "value"),
    [("STUDIO_PORT", "80000000"), ("STUDIO_SOURCES", "{pocket"), ("STUDIO_NETWORKS", "[1]")],
)
def test_every_verb_tells_which_setting_cannot_be_used(told, words, name, value):
    code, said = told(*words, **{name: value})
    assert code == 2
    assert name.removeprefix("STUDIO_").lower() in said


def test_the_front_door_tells_which_setting_cannot_be_used(environment):
    env = {**os.environ, **environment, "STUDIO_SOURCES": "{pocket"}
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("A setting cannot be read")


def test_a_film_that_is_damaged_is_not_taken_for_one_of_another_program(told, tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"")
    assert told("restore", str(tmp_path / "film.mp4")) == (
        2,
        "film.mp4 cannot be read as a video: it is missing or damaged.",
    )


def test_projects_shows_titles_as_they_are(settings, environment):
    store = Store(settings.data_dir)
    for title in ("a fox [/red] runs", "C:\\foxes\\"):
        store.save(Project(title=title))
    shown = runner(environment)("projects").stdout
    assert "a fox [/red] runs " in shown
    assert "C:\\foxes\\ " in shown


@pytest.mark.slow
def test_a_long_title_is_kept_whole(made):
    done = made.run("make", "a fox runs", "--title", "fox " * 45, *TINY)
    assert done.returncode == 0, done.stderr
    store = Store(made.folder / "data")
    assert store.list()[0].title == ("fox " * 45).strip()


@pytest.mark.slow
def test_a_prompt_with_square_brackets_is_shown_as_it_is(made):
    done = made.run("make", "a fox [/red] runs", *TINY)
    assert done.returncode == 0, done.stderr
    assert "a fox [/red] runs" in done.stderr
    assert "a fox [/red] runs" in made.run("projects").stdout


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_finished(environment):
    command = [sys.executable, "-m", "studio", "make", "a fox", "--seconds", "60", *TINY, "--steps", "20"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a job in the background of a shell inherits a Ctrl-C that is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as making:
        for line in making.stderr:
            if line.startswith("chunk 1"):
                break
        time.sleep(0.2)
        making.send_signal(signal.SIGINT)
        out, err = making.communicate(timeout=60)
    assert making.returncode == 130
    assert "finished chunks are kept" in err
    assert "Traceback" not in err
    assert out.startswith("project")


@pytest.mark.parametrize("words", [["--help"], ["projects"], ["make", "--help"]])
def test_help_and_lists_load_no_torch(environment, words):
    code = (
        "import sys\n"
        "from studio.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', sorted({'torch', 'diffusers', 'gradio', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_python_m_studio_is_the_same_program_with_the_same_exit_codes(environment):
    run = runner(environment)
    assert "From a prompt to a long video" in run("--help").stdout
    bad = run("make", " ")
    assert (bad.returncode, bad.stderr.strip()) == (
        2,
        "The prompt is empty. Say in a few words what the video shows.",
    )


def test_a_film_goes_on_with_what_its_last_segment_was_made_with(made: Made) -> None:
    going_on = made.run("extend", "last", "the fox sleeps", "--no-match-colours")
    assert going_on.returncode == 0, going_on.stderr
    store = Store(made.folder / "data")
    film = store.load(store.list()[0].id).branch()
    before, last = film[-2].request, film[-1].request
    assert last.seed == before.seed + before.candidates
    kept = {"prompt": before.prompt, "seed": before.seed}
    assert last.model_copy(update=kept) == before


@pytest.mark.slow
def test_a_new_shot_begins_with_an_image_and_is_not_asked_for_again(made: Made) -> None:
    Image.new("RGB", (64, 64), (250, 240, 30)).save(made.folder / "yellow.png")
    guide = ["--guide", str(made.folder / "yellow.png")]
    refused = made.run("extend", "last", "a wall", *guide)
    assert refused.returncode == 2
    assert "cut to a new shot" in " ".join(refused.stderr.split())
    for words in (["a wall", "--cut", *guide], ["the wall"]):
        done = made.run("extend", "last", *words)
        assert done.returncode == 0, done.stderr
    store = Store(made.folder / "data")
    shot, after = store.load(store.list()[0].id).branch()[-2:]
    assert (shot.request.cut, after.request.cut, after.request.guide) == (True, False, None)
    assert shot.num_frames > after.num_frames
