"""Downloads judged by their own files alone, as older clients of the hub left them."""

import json

import pytest

from models.download import FILES, OTHERS
from models.whole_download import is_whole

INDEX = {
    "transformer": ["diffusers", "Net"],
    "vae": ["diffusers", "Vae"],
    "scheduler": ["diffusers", "Euler"],
}
SHARDS = {"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}
PIPELINE = {
    "model_index.json": json.dumps(INDEX | {"_class_name": "Pipeline", "safety_checker": [None, None]}),
    "transformer/config.json": "{}",
    "transformer/model.safetensors.index.json": json.dumps(SHARDS),
    "transformer/model-1-of-2.safetensors": "",
    "transformer/model-2-of-2.safetensors": "",
    "vae/config.json": "{}",
    "vae/model.safetensors": "",
    "scheduler/scheduler_config.json": "{}",
}


@pytest.fixture
def lay(tmp_path):
    """`lay(files)`: a download of these files."""

    def write(files):
        for name, text in files.items():
            file = tmp_path / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


def test_a_pipeline_with_all_that_its_files_name_is_whole(lay):
    assert is_whole(lay(PIPELINE), list(FILES), list(OTHERS))


@pytest.mark.parametrize(
    "missing",
    [
        "model_index.json",
        "transformer/model-2-of-2.safetensors",
        "vae/config.json",
        "vae/model.safetensors",
        "scheduler/scheduler_config.json",
    ],
)
def test_a_pipeline_that_lacks_a_part_weights_or_what_they_belong_to_is_not(lay, missing):
    kept = {name: text for name, text in PIPELINE.items() if name != missing}
    assert not is_whole(lay(kept), list(FILES), list(OTHERS))


def test_weights_in_another_format_are_none(lay):
    kept = {name: text for name, text in PIPELINE.items() if name != "vae/model.safetensors"}
    folder = lay(kept | {"vae/model.fp16.safetensors": ""})
    assert not is_whole(folder, list(FILES), list(OTHERS))


def test_what_was_not_asked_for_is_not_missed(lay):
    """As the network of a pipeline that gets it from elsewhere."""
    kept = {name: text for name, text in PIPELINE.items() if not name.startswith("transformer/m")}
    assert is_whole(lay(kept), list(FILES), [*OTHERS, "transformer/*.safetensors*"])
    others = {name: text for name, text in PIPELINE.items() if not name.startswith("transformer/")}
    (lay(others) / "transformer/config.json").unlink()
    assert is_whole(lay(others), ["model_index.json", "vae/*", "scheduler/*"], [])


def test_a_network_alone_needs_its_weights(lay):
    patterns = ["config.json", "*.safetensors"]
    folder = lay({"config.json": "{}"})
    assert not is_whole(folder, patterns, [])
    assert is_whole(lay({"model.safetensors": ""}), patterns, [])
