"""The command line makes a film with a large model, from its weights in a folder to the file."""

import json

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from models.catalog import card
from studio.cli import app
from tests.contract.tiny import svd


@pytest.fixture
def studio(tmp_path, monkeypatch):
    """Runs `studio` where Stable Video Diffusion is a tiny random pipeline."""
    svd.save(tmp_path / "svd", card("svd"))
    sources = {"svd": str(tmp_path / "svd"), "clip": "assets/pocket/clip"}
    monkeypatch.setenv("STUDIO_SOURCES", json.dumps(sources))
    monkeypatch.setenv("STUDIO_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("STUDIO_DEVICE", "cpu")
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def test_a_film_is_made_and_carried_on_with_a_model_that_animates_an_image(studio, tmp_path):
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(tmp_path / "guide.png")
    how = ("--size", "64x64", "--frames", 5, "--steps", 1, "--strategy", "naive")
    made = studio("make", "", "--model", "svd", "--guide", tmp_path / "guide.png", *how)
    assert made.exit_code == 0, made.output
    extended = studio("extend", "last", "", "-o", tmp_path / "film.mp4")
    assert extended.exit_code == 0, extended.output
    frames = iio.imread(tmp_path / "film.mp4", plugin="pyav")
    assert frames.shape == (5 + 4, 64, 64, 3)
