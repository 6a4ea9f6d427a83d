"""Options from the environment."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from studio.errors import InputError
from studio.settings import Settings, read_settings


def test_options_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("STUDIO_DATA_DIR", "/somewhere")
    monkeypatch.setenv("STUDIO_PORT", "7861")
    assert (Settings().data_dir, Settings().port) == (Path("/somewhere"), 7861)


def test_a_variable_that_is_empty_is_as_if_it_were_not_there(monkeypatch):
    for name in ("DATA_DIR", "PORT", "DEVICE", "SHARED", "SOURCES"):
        monkeypatch.setenv(f"STUDIO_{name}", "")
    assert read_settings(shared=False) == Settings.model_construct(shared=False)


def test_folders_can_be_named_from_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/fox")
    monkeypatch.setenv("STUDIO_DATA_DIR", "~/films")
    monkeypatch.setenv("STUDIO_SOURCES", '{"svd": "~/svd", "ltx": "someone/ltx"}')
    settings = read_settings(lora_dir="~/loras")
    assert read_settings(data_dir="~nobody-of-that-name/x").data_dir == Path("~nobody-of-that-name/x")
    assert settings.data_dir == Path("/home/fox/films")
    assert settings.lora_dir == Path("/home/fox/loras")
    assert settings.sources == {"svd": "/home/fox/svd", "ltx": "someone/ltx"}


def test_the_command_line_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("STUDIO_MODEL", "other")
    assert Settings(model="pocket").model == "pocket"


def test_a_space_is_shared_by_strangers_and_a_laptop_is_not(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert not Settings().shared
    monkeypatch.setenv("SPACE_ID", "someone/studio")
    assert Settings().shared
    assert not Settings(shared=False).shared


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [("STUDIO_PORT", "x", "setting port"), ("STUDIO_SOURCES", "pocket=/x", '"sources".* written as JSON')],
)
def test_a_variable_that_cannot_be_used_is_told_in_a_sentence(monkeypatch, name, value, sentence):
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=sentence):
        read_settings()


@pytest.mark.parametrize("port", ["0", "70000", "x"])
def test_an_impossible_port_is_refused(monkeypatch, port):
    monkeypatch.setenv("STUDIO_PORT", port)
    with pytest.raises(ValidationError):
        Settings()
