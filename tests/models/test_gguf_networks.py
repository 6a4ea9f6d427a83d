"""Networks from GGUF files that are written here, from the weights of tiny random pipelines."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from models import placement, weights
from models.catalog import load_model
from models.diffusers_run import DiffusersModel
from models.errors import InputError
from models.families import family
from models.gguf_networks import networks_of, with_networks
from models.placement import Machine, Wishes
from models.video_model import ModelCard
from studio.settings import Settings
from studio.workers.local import local_worker
from tests.contract.cases import CARDS, tiny

gguf = pytest.importorskip("gguf")
Q8 = gguf.GGMLQuantizationType.Q8_0

NAMES = ("wan2.1-t2v-1.3b", "wan2.1-vace-1.3b", "ltx-0.9.5", "hunyuan")


def write_network(card: ModelCard, folder: Path, file: Path, *, leave_out: str = "") -> Path:
    """The transformer of a pipeline folder as a GGUF file: large matrices in 8 bits, the rest as it is."""
    pipeline = weights.load_pipeline(family(card.family).pipeline_class(card), card, folder, torch.float32)
    writer = gguf.GGUFWriter(str(file), "tiny")
    for name, weight in pipeline.transformer.state_dict().items():
        values = weight.float().numpy()
        if leave_out and leave_out in name:
            continue
        if values.ndim == 2 and values.shape[1] % 32 == 0:
            writer.add_tensor(name, gguf.quants.quantize(values, Q8), raw_dtype=Q8)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def without_weights(folder: Path) -> Path:
    """The folder, of whose transformer only the configuration is left, as after a download without it."""
    for file in (folder / "transformer").glob("*.safetensors*"):
        file.unlink()
    return folder


def clip(model: DiffusersModel, *, suspended: bool = False) -> np.ndarray:
    run = model.begin(model.encode("a fox"), 0, 4)
    if suspended:
        run.advance(2)
    made = run.finish().frames
    run.close()
    return made


@pytest.mark.parametrize("name", NAMES)
def test_the_network_comes_from_the_file_and_the_rest_from_the_folder(name: str, tmp_path: Path) -> None:
    card = tiny(CARDS[name], tmp_path)
    pipeline_class = family(card.family).pipeline_class(card)
    full = clip(DiffusersModel(card, weights.load_pipeline(pipeline_class, card, tmp_path, torch.float32)))
    networks = {"transformer": write_network(card, tmp_path, tmp_path / "network.gguf")}
    folder = without_weights(tmp_path)
    pipeline = weights.load_pipeline(pipeline_class, card, folder, torch.float32, networks=networks)
    kinds = {type(weight).__name__ for weight in pipeline.transformer.parameters()}
    assert "GGUFParameter" in kinds
    model = DiffusersModel(card, pipeline)
    rounded = clip(model)
    np.testing.assert_array_equal(rounded, clip(model, suspended=True))
    assert 0 < np.abs(rounded.astype(int) - full).mean() < 12


def test_the_setting_reaches_the_model(tmp_path: Path) -> None:
    card = tiny(CARDS["wan2.1-t2v-1.3b"], tmp_path)
    file = write_network(card, tmp_path, tmp_path / "network.gguf")
    settings = Settings(
        device="cpu",
        sources={card.name: str(without_weights(tmp_path)), "clip": "assets/pocket/clip"},
        networks={card.name: str(file)},
    )
    worker = local_worker(settings)
    assert worker.is_here(card.name)
    worker.load(card.name)
    assert worker.ready(card.name) is None
    worker.close()


def test_a_file_that_holds_half_a_network_is_told(tmp_path: Path) -> None:
    card = tiny(CARDS["wan2.1-t2v-1.3b"], tmp_path)
    file = write_network(card, tmp_path, tmp_path / "network.gguf", leave_out="ffn")
    with pytest.raises(InputError, match="does not hold all of the transformer of"):
        load_model(card.name, device="cpu", source=tmp_path, networks={"transformer": file})


def test_what_is_no_gguf_file_is_told_before_anything_is_downloaded(tmp_path: Path) -> None:
    (tmp_path / "network.gguf").write_bytes(b"<html>not found</html>")
    for file, sentence in (("network.gguf", "is no GGUF file"), ("other.gguf", "there is no file")):
        with pytest.raises(InputError, match=sentence):
            load_model("wan2.1-t2v-1.3b", networks=networks_of(str(tmp_path / file)))


def test_a_network_that_the_model_does_not_have_is_told(tmp_path: Path) -> None:
    card = tiny(CARDS["wan2.1-t2v-1.3b"], tmp_path)
    file = write_network(card, tmp_path, tmp_path / "network.gguf")
    with pytest.raises(InputError, match="no network called unet, but transformer"):
        load_model(card.name, device="cpu", source=tmp_path, networks={"unet": file})


def test_a_model_whose_network_diffusers_does_not_read_from_gguf_is_told(tmp_path: Path) -> None:
    card = tiny(CARDS["cogvideox-2b"], tmp_path)
    file = write_network(card, tmp_path, tmp_path / "network.gguf")
    with pytest.raises(InputError, match="CogVideoX 2B cannot be loaded from a GGUF file"):
        load_model(card.name, device="cpu", source=tmp_path, networks={"transformer": file})


def test_two_networks_have_a_file_each(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"transformer": "high.gguf", "transformer_2": "low.gguf"}
    assert networks_of(files) == {name: Path(file) for name, file in files.items()}
    monkeypatch.setenv("STUDIO_NETWORKS", json.dumps({"wan2.2-t2v-a14b": files}))
    assert Settings().networks == {"wan2.2-t2v-a14b": files}


def test_a_network_of_a_quarter_of_the_size_fits_as_it_is(tmp_path: Path) -> None:
    card = CARDS["wan2.1-t2v-14b"]
    file = tmp_path / "network.gguf"
    with file.open("wb") as opened:  # a sparse file
        opened.write(b"GGUF")
        opened.truncate(8 * 2**30)
    lighter = with_networks(card, {"transformer": file})
    assert card.memory_gb - lighter.memory_gb == pytest.approx(card.parameters_b * 2e9 / 2**30 - 8)
    machine = Machine(24.0, True, 64.0)
    heavy, light = placement.choose(card, machine), placement.choose(lighter, machine, rounded=True)
    assert (heavy.offload, heavy.storage) == ("model", "float8")
    assert (light.offload, light.storage) == ("model", "full")


def test_files_of_two_networks_take_turns_on_a_device_that_holds_one(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.gguf" for name in ("transformer", "transformer_2")}
    for file in files.values():
        file.write_bytes(b"GGUF")
        os.truncate(file, 9 * 2**30)  # sparse
    card, machine = CARDS["wan2.2-t2v-a14b"], Machine(23.5, bfloat16=True, ram_gb=48)
    assert placement.choose(with_networks(card, files), machine, rounded=True).offload == "model"
    del files["transformer_2"]  # which stays as large as it is
    assert placement.choose(with_networks(card, files), machine, rounded=True).offload != "model"


def test_a_file_takes_no_more_memory_where_the_other_parts_are_calculated_in_32_bits(tmp_path: Path) -> None:
    file = tmp_path / "network.gguf"
    file.write_bytes(b"GGUF")
    os.truncate(file, 13 * 2**30)  # sparse
    card = with_networks(CARDS["ltx-0.9.7"], {"transformer": file})
    without_bfloat16 = Machine(31.0, bfloat16=False, ram_gb=128)
    assert placement.choose(card, without_bfloat16, rounded=True).offload == "model"
    on_the_cpu = placement.Placement("cpu", "float32", "It runs on the CPU.")
    ram = Machine(ram_gb=33.0)  # two thirds of 13 GiB and of twice the other parts are 32.4
    placement.check_memory(card, on_the_cpu, ram, None, rounded=True)


def test_rounded_weights_are_not_rounded_again() -> None:
    card = dataclasses.replace(CARDS["wan2.1-t2v-14b"], parameters_b=9.0)
    machine = Machine(18.0, True, 64.0)
    assert placement.choose(card, machine).storage == "float8"
    assert placement.choose(card, machine, rounded=True).storage == "full"
    with pytest.raises(InputError, match="come rounded from a GGUF file"):
        placement.choose(card, machine, Wishes(storage="int8"), rounded=True)
