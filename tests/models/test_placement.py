"""Where a model runs, and how it fits: tables."""

import contextlib
import dataclasses
import os

import psutil
import pytest

from models.catalog import card
from models.errors import InputError
from models.gguf_networks import with_networks
from models.placement import Machine, Wishes, _free_ram, check_memory, choose, this_machine

SMALL = card("pocket")
LARGE = dataclasses.replace(SMALL, title="Large", memory_gb=20, parameters_b=4)
HUGE = dataclasses.replace(SMALL, title="Huge", memory_gb=60, parameters_b=14)
NO_GPU, GPU, OLD_GPU = Machine(), Machine(24, bfloat16=True), Machine(24, bfloat16=False)
BUSY_GPU = Machine(0.5, bfloat16=True)


@pytest.mark.parametrize(
    ("model", "machine", "asked", "device", "dtype"),
    [
        (SMALL, NO_GPU, None, "cpu", "float32"),
        (SMALL, GPU, None, "cuda", "float32"),
        (SMALL, GPU, "cpu", "cpu", "float32"),
        (SMALL, GPU, "cuda:1", "cuda:1", "float32"),
        (SMALL, BUSY_GPU, None, "cpu", "float32"),
        (SMALL, BUSY_GPU, "cuda", "cuda", "float32"),
        (LARGE, GPU, None, "cuda", "bfloat16"),
        (LARGE, OLD_GPU, None, "cuda", "float32"),
    ],
)
def test_device_and_number_format(model, machine, asked, device, dtype):
    placement = choose(model, machine, asked)
    assert (placement.device, placement.dtype) == (device, dtype)


@pytest.mark.parametrize(
    ("model", "memory_gb", "device", "offload", "storage"),
    [
        (SMALL, 8, "cuda", "none", "full"),
        (LARGE, 0, "cpu", "none", "full"),
        (LARGE, 8, "cuda", "group", "full"),
        (LARGE, 12, "cuda", "group", "full"),
        (LARGE, 16, "cuda", "model", "full"),
        (LARGE, 24, "cuda", "none", "full"),
        (HUGE, 0, "cpu", "none", "full"),
        (HUGE, 8, "cuda", "group", "full"),
        (HUGE, 16, "cuda", "group", "full"),
        (HUGE, 24, "cuda", "model", "float8"),
        (HUGE, 48, "cuda", "model", "full"),
        (HUGE, 80, "cuda", "none", "full"),
    ],
)
def test_what_is_kept_where(model, memory_gb, device, offload, storage):
    placement = choose(model, Machine(memory_gb, bfloat16=True, ram_gb=64))
    assert (placement.device, placement.offload, placement.storage) == (device, offload, storage)
    tight = model is not SMALL and 0 < memory_gb < model.memory_gb + 12
    assert placement.tiling == tight


@pytest.mark.parametrize(
    ("storage", "memory_gb", "ram_gb", "offload"),
    [
        ("full", 40, 64, "model"),
        ("float8", 24, 64, "model"),
        ("nf4", 48, 64, "none"),
        ("nf4", 16, 64, "model"),
        ("float8", 24, 16, "disk"),
        ("int8", 24, 16, "model"),
    ],
)
def test_a_storage_that_is_set_by_hand_is_what_has_to_fit(storage, memory_gb, ram_gb, offload):
    placement = choose(HUGE, Machine(memory_gb, bfloat16=True, ram_gb=ram_gb), Wishes(storage=storage))
    assert (placement.offload, placement.storage) == (offload, storage)


@pytest.mark.parametrize(
    ("storage", "memory_gb", "offload"),
    [("full", 80, "none"), ("int8", 56, "none"), ("nf4", 48, "none"), ("nf4", 24, "model")],
)
def test_both_of_two_networks_count(storage, memory_gb, offload):
    machine = Machine(memory_gb, bfloat16=True)
    assert choose(card("wan2.2-t2v-a14b"), machine, Wishes(storage=storage)).offload == offload


def test_devices_without_bfloat16_take_float16_where_the_authors_have_it():
    assert choose(dataclasses.replace(LARGE, float16=True), OLD_GPU).dtype == "float16"
    assert choose(dataclasses.replace(LARGE, float16=True), GPU).dtype == "bfloat16"


def test_a_decoder_that_needs_tiles_has_them_on_a_large_device_too():
    machine = Machine(80, bfloat16=True)
    assert choose(dataclasses.replace(HUGE, tiling=True), machine).tiling
    assert not choose(dataclasses.replace(HUGE, tiling=True), machine, Wishes(tiling=False)).tiling


@pytest.mark.parametrize("name", ["cogvideox-2b", "cogvideox1.5-5b-i2v", "ltx-2"])
def test_models_whose_decoder_outgrows_their_weights_have_tiles_everywhere(name):
    for machine in (Machine(200, bfloat16=True), Machine()):
        assert choose(card(name), machine).tiling


@pytest.mark.parametrize(
    ("ram_gb", "asked", "refused"), [(64, None, True), (100, None, False), (64, "cpu", False)]
)
def test_a_model_that_main_memory_cannot_hold_is_refused_before_its_download(ram_gb, asked, refused):
    machine = Machine(ram_gb=ram_gb)
    with pytest.raises(InputError, match="needs about 120 GiB") if refused else contextlib.nullcontext():
        check_memory(HUGE, choose(HUGE, machine, asked), machine, asked)


def test_a_network_in_8_bits_needs_less_main_memory():
    machine, wishes = Machine(ram_gb=64), Wishes(storage="int8")
    check_memory(HUGE, choose(HUGE, machine, wishes), machine, wishes)


def test_a_small_model_is_never_refused():
    machine = Machine(24, bfloat16=True, ram_gb=0.1)
    check_memory(SMALL, choose(SMALL, machine), machine, None)


@pytest.mark.parametrize(
    ("files", "offload"), [(("transformer", "transformer_2"), "model"), (("transformer",), "group")]
)
def test_a_network_without_a_file_is_widened_where_there_is_no_bfloat16(files, offload, tmp_path):
    """Of two networks of 26 GiB in 16 bits one has a file of 9: the other takes 52 then."""
    for name in files:
        (tmp_path / name).write_bytes(b"GGUF")
        os.truncate(tmp_path / name, 9 * 2**30)  # sparse
    lighter = with_networks(card("wan2.2-t2v-a14b"), {name: tmp_path / name for name in files})
    machine = Machine(48, bfloat16=False, ram_gb=256)
    assert choose(lighter, machine, rounded=len(files)).offload == offload


def test_what_is_left_to_a_container_counts(tmp_path):
    (tmp_path / "memory.max").write_text(str(3 * 2**30))
    (tmp_path / "memory.current").write_text(str(2**30))
    (tmp_path / "memory.stat").write_text("anon 1073741824\nactive_file 0\ninactive_file 0\n")
    assert _free_ram(tmp_path) == 2
    (tmp_path / "memory.max").write_text("max")
    assert _free_ram(tmp_path) == pytest.approx(psutil.virtual_memory().available / 2**30, rel=0.2)


def test_files_that_a_container_has_read_take_no_room(tmp_path):
    """Weights that were just downloaded fill the memory that it may use, and give way to what needs it."""
    (tmp_path / "memory.max").write_text(str(3 * 2**30))
    (tmp_path / "memory.current").write_text(str(3 * 2**30 - 4096))
    (tmp_path / "memory.stat").write_text(
        f"anon {2**30}\nfile {2 * 2**30}\nshmem 0\ninactive_file {2**30}\nactive_file {2**30}\n"
    )
    assert _free_ram(tmp_path) == pytest.approx(2, rel=0.01)


def test_what_main_memory_does_not_hold_goes_to_disk():
    assert choose(HUGE, Machine(24, bfloat16=True, ram_gb=16)).offload == "disk"


def test_a_few_layers_at_a_time_that_are_set_by_hand_are_not_rounded():
    machine = Machine(24, bfloat16=True)
    assert choose(HUGE, machine).storage == "float8"
    assert choose(HUGE, machine, Wishes(offload="group")).storage == "full"


@pytest.mark.parametrize("storage", ["int8", "nf4"])
def test_rounded_layers_on_disk_are_refused_before_anything_is_downloaded(storage):
    with pytest.raises(InputError, match="cannot lie on disk"):
        choose(HUGE, Machine(24, bfloat16=True, ram_gb=16), Wishes(offload="disk", storage=storage))


def test_what_is_set_by_hand_stands():
    wishes = Wishes(offload="none", storage="float8", attention="flash", tiling=True)
    placement = choose(HUGE, Machine(24, bfloat16=True), wishes)
    assert (placement.offload, placement.storage) == ("none", "float8")
    assert (placement.attention, placement.tiling) == ("flash", True)
    assert placement.reason == "Huge runs on the CUDA device in bfloat16, as it was set by hand."


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        (
            BUSY_GPU,
            "Large runs on the CPU because it needs at least 6.0 GiB and the CUDA device has 0.5 GiB free.",
        ),
        (
            Machine(16, bfloat16=True),
            "Large runs on the CUDA device in bfloat16, one part of it at a time, because it needs about 20 "
            "GiB and 16 GiB are free.",
        ),
    ],
)
def test_the_reason_says_what_was_lacking(machine, reason):
    assert choose(LARGE, machine).reason == reason


def test_cuda_where_there_is_none_is_refused():
    with pytest.raises(InputError, match="No CUDA device"):
        choose(SMALL, NO_GPU, "cuda")


def test_offloading_without_a_cuda_device_is_refused():
    with pytest.raises(InputError, match="Offloading needs a CUDA device"):
        choose(SMALL, NO_GPU, Wishes(offload="group"))


def test_a_text_encoder_that_does_not_fit_beside_a_step_has_the_layers_offloaded():
    ltx_2 = card("ltx-2")
    machine = Machine(24, bfloat16=True, ram_gb=128)
    assert choose(ltx_2, machine).offload == "group"
    assert choose(dataclasses.replace(ltx_2, text_encoder_gb=11), machine).offload == "model"


def test_memory_that_torch_keeps_though_it_was_freed_counts_as_free(monkeypatch):
    """As what the last run used does, when a first frame is drawn beside the video model."""
    free, kept = [2**32], [2**34]

    def given_back():
        free[0], kept[0] = free[0] + kept[0], 0

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: not including_emulation)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (free[0], 2**35))
    monkeypatch.setattr("torch.cuda.empty_cache", given_back)
    assert this_machine().cuda_memory_gb == 4 + 16


def test_of_several_devices_the_wished_one_is_asked_for_its_memory(monkeypatch):
    asked = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: not including_emulation)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: asked.append(device) or (2**34, 2**35))
    for wished in (Wishes(device="cuda:1"), "cuda:1", "cpu", None):
        assert this_machine(wished).cuda_memory_gb == 16
    assert asked == ["cuda:1", "cuda:1", None, None]
