"""Options from the environment."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from studio.settings import Settings


def test_options_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("STUDIO_DATA_DIR", "/somewhere")
    monkeypatch.setenv("STUDIO_PORT", "7861")
    assert (Settings().data_dir, Settings().port) == (Path("/somewhere"), 7861)


def test_the_command_line_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("STUDIO_MODEL", "other")
    assert Settings(model="pocket").model == "pocket"


def test_a_space_is_shared_by_strangers_and_a_laptop_is_not(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert not Settings().shared
    monkeypatch.setenv("SPACE_ID", "someone/studio")
    assert Settings().shared
    assert not Settings(shared=False).shared


@pytest.mark.parametrize("port", ["0", "70000", "x"])
def test_an_impossible_port_is_refused(monkeypatch, port):
    monkeypatch.setenv("STUDIO_PORT", port)
    with pytest.raises(ValidationError):
        Settings()
