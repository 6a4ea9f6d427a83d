"""A placement carried out on a real, tiny pipeline."""

import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLTemporalDecoder
from transformers import SiglipVisionConfig, SiglipVisionModel

from models.catalog import card
from models.diffusers_run import DiffusersModel
from models.errors import InputError
from models.families import family
from models.placement import Machine, Placement, Wishes
from models.placing import place, short_of_memory
from models.weights import load_pipeline
from tests.contract.cases import tiny
from tests.models.tiny_wan import tiny_wan, wan_arguments


def run(pipeline):
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    return pipeline(**wan_arguments(), num_inference_steps=2, generator=generator, output_type="np").frames


def test_a_network_in_float8_draws_nearly_the_same():
    plain = run(place(tiny_wan(), Placement("cpu", "float32", "")))
    pipeline = place(tiny_wan(), Placement("cpu", "float32", "", storage="float8"))
    narrow = [p for p in pipeline.transformer.parameters() if p.dtype == torch.float8_e4m3fn]
    assert sum(p.numel() for p in narrow) > sum(p.numel() for p in pipeline.transformer.parameters()) / 2
    frames = run(pipeline)
    assert 0 < abs(frames - plain).mean() < 0.05


def test_the_decoder_is_tiled_where_memory_is_tight():
    pipeline = place(tiny_wan(), Placement("cpu", "float32", "", tiling=True))
    assert pipeline.vae.use_tiling


def test_a_decoder_that_knows_no_tiles_is_left_as_it_is():
    """diffusers gives every autoencoder the method; that of Stable Video Diffusion raises."""
    vae = AutoencoderKLTemporalDecoder(block_out_channels=(32,), layers_per_block=1)
    pipeline = SimpleNamespace(vae=vae, to=lambda device: device)
    assert place(pipeline, Placement("cpu", "float32", "", tiling=True)) == "cpu"


def test_an_attention_backend_that_is_not_there_is_told_in_a_sentence():
    with pytest.raises(InputError, match="sparse-magic"):
        place(tiny_wan(), Placement("cpu", "float32", "", attention="sparse-magic"))


@pytest.mark.parametrize(("device", "kept"), [("cpu", True), ("meta", False)])
def test_freed_memory_is_kept_where_the_model_runs_on_the_cpu(device, kept, monkeypatch):
    calls = []
    monkeypatch.setattr("models.placing.keep_freed_memory", lambda: calls.append(True))
    place(tiny_wan(), Placement(device, "float32", ""))
    assert bool(calls) is kept


def test_pages_that_stay_where_they_are_are_taken_only_where_memory_has_room():
    pipeline = tiny_wan()
    parts = (pipeline.transformer, pipeline.vae)
    size = sum(weight.nbytes for part in parts for weight in part.parameters()) / 2**30
    assert short_of_memory(pipeline, 1.5 * size)
    assert not short_of_memory(pipeline, 2 * size)


@pytest.mark.parametrize(("ram_gb", "sparing"), [(0.0, True), (64.0, False)])
def test_layers_that_wait_in_main_memory_are_not_copied_where_it_is_short(ram_gb, sparing, monkeypatch):
    asked = []
    monkeypatch.setattr("models.placing.this_machine", lambda: Machine(ram_gb=ram_gb))
    monkeypatch.setattr("diffusers.hooks.apply_group_offloading", lambda part, **how: asked.append(how))
    place(tiny_wan(), Placement("cuda", "bfloat16", "", offload="group"))
    assert {how["low_cpu_mem_usage"] for how in asked} == {sparing}


def test_parts_that_do_not_work_layer_by_layer_are_on_the_device_as_a_whole(monkeypatch):
    """SigLIP's last attention reads weights past their layer; Stable Video Diffusion widens its decoder."""
    vision = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    parts = {
        "image_encoder": SiglipVisionModel(SiglipVisionConfig(**vision)),
        "vae": AutoencoderKLTemporalDecoder(block_out_channels=(32,), layers_per_block=1).half(),
        "text_encoder": torch.nn.Linear(2, 2),
    }
    by_layers = []
    monkeypatch.setattr("diffusers.hooks.apply_group_offloading", lambda part, **_: by_layers.append(part))
    place(SimpleNamespace(components=parts, **parts), Placement("meta", "float16", "", offload="group"))
    assert by_layers == [parts["text_encoder"]]
    where = {name: next(part.parameters()).device.type for name, part in parts.items()}
    assert where == {"image_encoder": "meta", "vae": "meta", "text_encoder": "cpu"}


@pytest.mark.parametrize("name", ["wan2.2-t2v-a14b", "ltx-0.9.5", "ltx-2", "hunyuan"])
def test_layers_on_disk_give_the_clip_that_layers_in_memory_give(name, tmp_path):
    """Two networks of one shape each get their own weights back, layers that share one share it still (the
    words of T5 and Gemma), and a decoder keeps its statistics."""
    small = tiny(card(name), tmp_path / "weights")

    def clip(offload):
        pipeline = load_pipeline(
            family(small.family).pipeline_class(small), small, tmp_path / "weights", torch.float32
        )
        place(pipeline, Placement("cpu", "float32", "", offload=offload), tmp_path / "layers")
        model = DiffusersModel(small, pipeline)
        return model.begin(model.encode("a fox"), 0, 3).finish().frames

    np.testing.assert_allclose(clip("disk").astype(int), clip("none"), atol=1)  # sums are rounded otherwise
    assert {"transformer", "text_encoder"} <= {folder.name for folder in (tmp_path / "layers").iterdir()}


@pytest.fixture
def by_parts(tmp_path):
    """A model of which one part at a time is on its device, with a step cache."""
    small = tiny(card("wan2.1-t2v-1.3b"), tmp_path)
    pipeline = load_pipeline(family("wan").pipeline_class(small), small, tmp_path, torch.float32)
    model = DiffusersModel(small, place(pipeline, Placement("cpu", "float32", "", "model", cache=0.9)))
    yield model
    model.close()


@pytest.fixture
def told(by_parts, monkeypatch):
    """What happens to the model's parts, in order."""
    pipeline, events = by_parts._pipeline, []
    free = pipeline.maybe_free_model_hooks
    monkeypatch.setattr(pipeline, "maybe_free_model_hooks", lambda: (events.append("device cleared"), free()))
    pipeline.text_encoder.register_forward_pre_hook(lambda *_: events.append("prompt encoded"))
    return events


def test_the_device_is_cleared_of_a_suspended_run_before_a_prompt_is_encoded(by_parts, told):
    run = by_parts.begin(by_parts.encode("a fox"), 0, 4)
    run.advance(2)
    told.clear()
    by_parts.encode("snow", guidance_scale=1)
    assert told == ["device cleared", "prompt encoded"]
    run.close()


def test_the_device_is_cleared_of_a_part_that_did_not_fit(by_parts, told):
    def full(*_):
        raise torch.OutOfMemoryError

    by_parts._pipeline.text_encoder.register_forward_pre_hook(full)
    with pytest.raises(torch.OutOfMemoryError):
        by_parts.encode("a fox")
    assert told == ["device cleared", "prompt encoded", "device cleared"]


def test_a_run_goes_on_as_it_was_after_another_prompt_was_encoded(by_parts):
    alone = by_parts.begin(by_parts.encode("a fox"), 0, 5).finish().frames
    run = by_parts.begin(by_parts.encode("a fox"), 0, 5)
    run.advance(3)
    by_parts.encode("snow")
    np.testing.assert_array_equal(run.finish().frames, alone)


def test_of_two_networks_the_first_takes_the_place_of_the_second_too(tmp_path):
    """A run may be suspended in the second one when another goes on with the first."""
    small = tiny(card("wan2.2-t2v-a14b"), tmp_path)
    pipeline = load_pipeline(family("wan").pipeline_class(small), small, tmp_path, torch.float32)
    model = DiffusersModel(small, place(pipeline, Placement("cpu", "float32", "", "model")))
    run = model.begin(model.encode("a fox"), 0, 3)
    moved = []
    pipeline.transformer_2.to("meta")  # stands for the device
    pipeline.transformer_2.to = lambda *to, **_: moved.append(to)
    run.advance(1)
    assert set(moved) == {("cpu",)}
    run.close()


@pytest.mark.parametrize(
    ("name", "parts"), [("wan2.1-t2v-1.3b", {"vae"}), ("wan2.1-i2v-14b-480p", {"vae", "image_encoder"})]
)
def test_parts_that_the_authors_keep_in_32_bits_stay_so(name, parts, tmp_path):
    small = tiny(card(name), tmp_path)
    pipeline = load_pipeline(family("wan").pipeline_class(small), small, tmp_path, torch.bfloat16)
    modules = {each: part for each, part in pipeline.components.items() if isinstance(part, torch.nn.Module)}
    assert {each for each, part in modules.items() if part.dtype == torch.float32} == parts


def test_a_closed_model_leaves_no_weights_behind(tmp_path):
    small = tiny(card("wan2.1-t2v-1.3b"), tmp_path)
    model = DiffusersModel.load(small, device=Wishes(device="cpu", cache=0.1), source=tmp_path)
    left = [weakref.ref(getattr(model._pipeline, part)) for part in ("vae", "transformer", "text_encoder")]
    model.close()
    assert [ref() for ref in left] == [None] * 3


def test_helios_draws_its_noise_where_its_network_is():
    pipeline = SimpleNamespace(_execution_device=torch.device("cuda:1"))
    assert family("helios").generator_device(pipeline) == torch.device("cuda:1")
    assert family("wan").generator_device(pipeline) == "cpu"


@pytest.fixture
def weights_folder(tmp_path, monkeypatch):
    """Where the hub's client would keep its weights; nothing is there yet."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def on_disk():
    return place(tiny_wan(), Placement("cpu", "float32", "", offload="disk"))


def test_layers_lie_beside_the_weights_and_are_gone_with_their_pipeline(weights_folder):
    pipeline = on_disk()
    assert list(weights_folder.glob("studio-layers-*/transformer/*.safetensors"))
    del pipeline
    gc.collect()
    assert not list(weights_folder.iterdir())


def test_layers_lie_among_temporary_files_where_the_weights_cannot_be_written_to(
    weights_folder, tmp_path, monkeypatch
):
    weights_folder.write_text("a file in place of a folder")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pipeline = on_disk()
    assert list(tmp_path.glob("studio-layers-*/transformer/*.safetensors"))
    del pipeline


def test_a_disk_without_room_for_the_layers_is_told_before_any_is_written(weights_folder, monkeypatch):
    size = sum(weight.nbytes for weight in tiny_wan().transformer.parameters())
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=size - 1))
    with pytest.raises(InputError, match=r"need 0 MB on the disk and 0 MB are free in .*hub\. Make room"):
        on_disk()
    assert not list(weights_folder.iterdir())


def test_layers_of_a_process_that_was_killed_are_swept_and_of_others_left(weights_folder):
    ended = weights_folder / "studio-layers-ended"
    ended.mkdir(parents=True)
    (ended / "in-use.lock").touch()  # as it stays, locked by nobody
    pipelines = [on_disk(), on_disk()]  # of which the second leaves the first its layers
    assert len(list(weights_folder.glob("*/transformer"))) == len(pipelines)
    assert not ended.exists()
