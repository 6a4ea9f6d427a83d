"""The verbs about checkpoints."""

import json
import sys

import pytest

from studio.cli import main


@pytest.fixture
def told(monkeypatch, capsys):
    """Run the command line in this process: its exit code, and what it says on stdout and stderr."""

    def told(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["studio", *words])
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return told


def test_models_lists_every_model_with_what_it_takes(told):
    code, out, _ = told("models")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert ["pocket", "text", "or", "image", "17", "frames", "of", "256x256", "1", "GB", "yes"] in lines
    assert len(lines) > 10


def test_models_knows_the_folders_that_the_settings_name(told, monkeypatch, tmp_path):
    monkeypatch.setenv("STUDIO_SOURCES", json.dumps({"wan2.1-t2v-14b": str(tmp_path)}))
    _, out, _ = told("models")
    lines = [line.split() for line in out.splitlines()]
    assert [line[-1] for line in lines if line[0] == "wan2.1-t2v-14b"] == ["yes"]


def test_nothing_is_fetched_for_a_model_that_is_here(told):
    code, out, _ = told("fetch", "pocket")
    assert (code, out.startswith("The weights of Pocket are in ")) == (0, True)


@pytest.mark.parametrize(
    ("name", "sentence"), [("svd", "is out of reach. Connect"), ("nothing", "There is no model called")]
)
def test_what_cannot_be_fetched_is_told_in_a_sentence(told, name, sentence):
    code, _, err = told("fetch", name)
    assert code == 2
    assert sentence in " ".join(err.split())
