"""LoRA files on a real, tiny pipeline."""

import os
import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch

pytest.importorskip("peft")

from diffusers import WanPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

from models.adapters import Adapters, _networks_for
from models.catalog import card
from models.conditioning import Lora
from models.diffusers_run import DiffusersRun
from models.errors import InputError
from models.placement import Placement
from models.placing import place
from tests.contract.cases import tiny
from tests.models.tiny_wan import tiny_wan, wan_arguments, wan_decode
from tests.tiny import tiny_lingen


def save_lora(folder, seed):
    """A random LoRA for the tiny Wan, strong enough to be seen."""
    torch.manual_seed(seed)
    transformer = tiny_wan().transformer
    transformer.add_adapter(
        LoraConfig(r=2, lora_alpha=32, target_modules=["to_q", "to_v"], init_lora_weights=False)
    )
    layers = get_peft_model_state_dict(transformer)
    WanPipeline.save_lora_weights(
        folder, transformer_lora_layers=layers, weight_name=f"style{seed}.safetensors"
    )
    return folder / f"style{seed}.safetensors"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loras")
    return [save_lora(folder, seed) for seed in (1, 2)]


@pytest.fixture
def pipeline():
    return tiny_wan()


@pytest.fixture
def begin(pipeline):
    """`begin(*loras)`: a run that counts these files in; every run is closed at the end."""
    adapters, runs = Adapters(pipeline, "Tiny"), []

    def start(*loras):
        how = {"seed": 0, "num_inference_steps": 3, "fps": 8, "before": partial(adapters.use, loras)}
        runs.append(DiffusersRun(pipeline, wan_arguments(), wan_decode, **how))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


def difference(first, second):
    return np.abs(first.frames.astype(int) - second.frames).mean()


def test_a_lora_changes_the_clip_by_its_weight(begin, files):
    plain = begin().finish()
    weak, strong = (begin(Lora(files[0], weight)).finish() for weight in (0.1, 1.0))
    assert 0 < difference(plain, weak) < difference(plain, strong)


def test_without_it_the_clip_is_what_it_was(begin, files):
    plain = begin().finish()
    begin(Lora(files[0])).finish()
    np.testing.assert_array_equal(begin().finish().frames, plain.frames)


def test_several_count_together(begin, files):
    alone, both = begin(Lora(files[0])).finish(), begin(*map(Lora, files)).finish()
    assert difference(alone, both) > 0


def test_runs_with_different_files_can_be_suspended_side_by_side(begin, files):
    expected = begin(Lora(files[0])).finish()
    run, other = begin(Lora(files[0])), begin(Lora(files[1]))
    for step in range(1, 4):
        run.advance(step)
        other.advance(step)
    np.testing.assert_array_equal(run.finish().frames, expected.frames)


def test_a_file_that_was_replaced_under_its_name_counts_from_now_on(begin, files, tmp_path):
    """And a run that began with the one before goes on with that."""
    file = Lora(Path(shutil.copy(files[0], tmp_path / "style.safetensors")))
    first, second = (begin(Lora(each)).finish() for each in files)
    begun = begin(file.as_it_is())
    begun.advance(1)
    shutil.copy(files[1], file.path)
    np.testing.assert_array_equal(begin(file.as_it_is()).finish().frames, second.frames)
    np.testing.assert_array_equal(begun.finish().frames, first.frames)


def test_a_lora_counts_beside_a_network_in_float8(files):
    pipeline = place(tiny_wan(), Placement("cpu", "float32", "", storage="float8"))
    adapters = Adapters(pipeline, "Tiny")
    how = {"seed": 0, "num_inference_steps": 2, "fps": 8}
    clips = []
    for loras in ((), (Lora(files[0]),)):
        run = DiffusersRun(pipeline, wan_arguments(), wan_decode, before=partial(adapters.use, loras), **how)
        clips.append(run.finish())
    assert difference(*clips) > 0


@pytest.mark.parametrize("links", [True, False])
def test_a_network_on_disk_keeps_its_weights_under_a_lora(files, links, monkeypatch):
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", Mock(side_effect=OSError("no links here")))
    first, second = map(Lora, files)
    how = {"seed": 0, "num_inference_steps": 1, "fps": 8}
    clips = {}
    for offload in ("none", "disk"):
        pipeline = place(tiny_wan(), Placement("cpu", "float32", "", offload=offload))
        adapters = Adapters(pipeline, "Tiny")
        clips[offload] = [
            DiffusersRun(pipeline, wan_arguments(), wan_decode, before=partial(adapters.use, loras), **how)
            .finish()
            .frames
            for loras in ((), (first,), (), (first, second), (second,))
        ]
    np.testing.assert_array_equal(clips["disk"], clips["none"])


def test_the_name_of_a_file_that_failed_is_given_to_no_other(pipeline, files, tmp_path):
    adapters = Adapters(pipeline, "Tiny")
    with pytest.raises(InputError, match="cannot be used with Tiny"):
        adapters.use([Lora(misfit(tmp_path))])
    adapters.use([Lora(files[0])])
    assert held(pipeline, "transformer") == ["lora_1"]


def misfit(folder):
    """A LoRA for another network."""
    path = folder / "other.safetensors"
    save_file({"transformer.blocks.0.attn1.to_q.lora_A.weight": torch.ones(3, 5)}, path)
    return path


def held(pipeline, name):
    """The names of the files that a network holds and counts."""
    network = getattr(pipeline, name)
    return network.active_adapters() if getattr(network, "_hf_peft_config_loaded", False) else []


def test_a_pair_for_high_and_low_noise_goes_into_the_network_that_each_is_for(files, tmp_path):
    pipeline = tiny_wan()
    pipeline.register_modules(transformer_2=tiny_wan().transformer)
    paths = [tmp_path / f"style_{word}_noise.safetensors" for word in ("high", "low")]
    for file, path in zip(files, paths, strict=True):
        shutil.copy(file, path)
    adapters = Adapters(pipeline, "Tiny")
    adapters.use([Lora(path) for path in paths])
    assert held(pipeline, "transformer") == ["lora_0"]
    assert held(pipeline, "transformer_2") == ["lora_1"]
    adapters.use([Lora(files[0])])
    assert held(pipeline, "transformer") == held(pipeline, "transformer_2") == ["lora_2"]


FIRST, SECOND = {"load_into_transformer_2": False}, {"load_into_transformer_2": True}


@pytest.mark.parametrize(
    ("stem", "networks"),
    [
        ("slow_motion", [FIRST, SECOND]),
        ("Wan_flower_lora", [FIRST, SECOND]),
        ("glow_v2", [FIRST, SECOND]),
        ("highway_cam", [FIRST, SECOND]),
        ("slowmo_high_noise", [FIRST]),
        ("yellow_raincoat_HIGH", [FIRST]),
        ("HighNoise", [FIRST]),
        ("wan22_low_noise_x", [SECOND]),
        ("plain", [FIRST, SECOND]),
    ],
)
def test_high_and_low_in_a_files_name_are_words_of_their_own(stem, networks):
    two = SimpleNamespace(transformer_2=object())
    assert _networks_for(Path(f"{stem}.safetensors"), two) == networks


def test_a_file_that_does_not_fit_leaves_nothing_switched_on(begin, pipeline, files, tmp_path):
    plain = begin().finish()
    with pytest.raises(InputError, match="cannot be used with Tiny"):
        begin(Lora(files[0]), Lora(misfit(tmp_path))).finish()
    np.testing.assert_array_equal(begin().finish().frames, plain.frames)


def test_what_is_no_lora_is_told_in_a_sentence(pipeline, tmp_path):
    adapters = Adapters(pipeline, "Tiny")
    (tmp_path / "old.pt").write_bytes(b"x")
    (tmp_path / "broken.safetensors").write_bytes(b"x")
    for name, sentence in (
        ("old.pt", "no safetensors file"),
        ("nowhere.safetensors", "There is no LoRA file"),
        ("broken.safetensors", "damaged"),
    ):
        with pytest.raises(InputError, match=sentence):
            adapters.use([Lora(tmp_path / name)])


def test_a_model_without_lora_says_so(tmp_path, files):
    from models.diffusers_run import DiffusersModel

    tiny_lingen(tmp_path)
    model = DiffusersModel.load(card("pocket"), device="cpu", source=tmp_path)
    with pytest.raises(InputError, match="Pocket takes no LoRA"):
        model.encode("a fox", height=64, width=64, num_frames=9, loras=[Lora(files[0])])
    model.begin(model.encode("a fox", height=64, width=64, num_frames=9), 0, 1).finish()


def test_a_prompt_is_encoded_for_the_file_that_lies_there_now(tmp_path, files):
    from models.diffusers_run import DiffusersModel

    small = tiny(card("wan2.1-t2v-1.3b"), tmp_path / "model")
    model = DiffusersModel.load(small, device="cpu", source=tmp_path / "model")
    file = Path(shutil.copy(files[0], tmp_path / "style.safetensors"))
    seen = []
    for written in (1, 2):
        os.utime(file, ns=(written, written))
        seen.append(model.encode("a fox", loras=[Lora(file)]).loras[0].version)
    assert seen == [(written, file.stat().st_size) for written in (1, 2)]


def test_a_missing_package_is_told_and_the_next_run_without_files_begins(begin, files, monkeypatch):
    monkeypatch.setattr("diffusers.utils.USE_PEFT_BACKEND", False)
    with pytest.raises(InputError, match="need the package peft"):
        begin(Lora(files[0])).finish()
    begin().finish()
