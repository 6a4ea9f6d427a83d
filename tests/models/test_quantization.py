"""Networks whose weights are rounded while they are loaded: smaller, and a model like any other."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from models import placement, weights
from models.catalog import load_model
from models.diffusers_run import DiffusersModel
from models.errors import InputError
from models.families import family
from models.placement import Machine, Wishes
from tests.contract.cases import CARDS, tiny

torchao = pytest.importorskip("torchao")

NAMES = ("wan2.1-t2v-1.3b", "cogvideox-2b", "ltx-0.9.5", "svd")


@pytest.mark.parametrize("name", NAMES)
def test_a_network_in_int8_takes_half_the_memory_and_makes_clips(name: str, tmp_path: Path) -> None:
    card = tiny(CARDS[name], tmp_path)
    pipeline_class = family(card.family).pipeline_class(card)
    full, small = (
        weights.load_pipeline(pipeline_class, card, tmp_path, torch.bfloat16, storage)
        for storage in ("full", "int8")
    )
    sizes = [stored(getattr(each, "transformer", None) or each.unet) for each in (full, small)]
    assert sizes[1] < 0.75 * sizes[0]  # tiny networks are to a large part norms and biases
    model = DiffusersModel(card, small)
    picture = np.full((1, card.height, card.width, 3), 120, np.uint8)
    conditioning = model.encode("a fox", guide=picture if card.takes_image else None)
    clips = []
    for suspended in (False, True):
        run = model.begin(conditioning, 0, 4)
        if suspended:
            run.advance(2)
        clips.append(run.finish().frames)
        run.close()
    np.testing.assert_array_equal(*clips)


def stored(network: torch.nn.Module) -> int:
    """Bytes of all weights as they are kept."""
    total = 0
    for weight in network.parameters():
        parts = weight.data.__tensor_flatten__()[0] if hasattr(weight.data, "__tensor_flatten__") else None
        tensors = [weight] if parts is None else [getattr(weight.data, part) for part in parts]
        total += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return total


def test_it_can_be_wished_for_on_a_machine_without_a_gpu(tmp_path: Path) -> None:
    card = tiny(CARDS["wan2.1-t2v-1.3b"], tmp_path)
    model = load_model(card.name, device=Wishes(device="cpu", storage="int8"), source=tmp_path)
    assert type(model._pipeline.transformer.blocks[0].ffn.net[0].proj.weight.data).__name__ != "Tensor"
    model.close()


def test_four_bits_need_a_gpu() -> None:
    with pytest.raises(InputError, match="Set storage to int8"):
        placement.choose(CARDS["svd"], Machine(), Wishes(storage="nf4"))
    placed = placement.choose(CARDS["svd"], Machine(8.0, True, 64.0), Wishes(storage="nf4"))
    assert placed.storage == "nf4"


def test_a_missing_package_is_told_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = tiny(CARDS["svd"], tmp_path)
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    with pytest.raises(InputError, match=r"pip install -e .\.\[quantization\]"):
        weights.load_pipeline(family("svd").pipeline_class(card), card, tmp_path, torch.float32, "int8")
