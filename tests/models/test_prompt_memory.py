from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from models.conditioning import Lora
from models.prompt_memory import PromptMemory


class Encoder:
    """Has one method of a pipeline, and counts its calls."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode_prompt(self, prompt: str, device: object = None) -> torch.Tensor:
        self.asked.append(prompt)
        return torch.full((2,), float(len(self.asked)))


@pytest.fixture
def pipeline() -> Encoder:
    return Encoder()


def test_the_same_prompt_is_encoded_once(pipeline: Encoder) -> None:
    memory = PromptMemory(pipeline)
    for _ in range(3):
        with memory.used():
            assert pipeline.encode_prompt("a fox", device=torch.device("cpu")).tolist() == [1, 1]
    assert pipeline.asked == ["a fox"]


def test_another_lora_encodes_again(pipeline: Encoder) -> None:
    memory = PromptMemory(pipeline)
    for weight in (0.5, 1.0, 0.5):
        with memory.used((Lora(Path("style.safetensors"), weight),)):
            pipeline.encode_prompt("a fox")
    assert pipeline.asked == ["a fox", "a fox"]


def test_the_prompt_not_used_for_longest_is_forgotten(pipeline: Encoder) -> None:
    memory = PromptMemory(pipeline, entries=2)
    with memory.used():
        for prompt in ("a fox", "a cat", "a fox", "a dog", "a fox", "a cat"):
            pipeline.encode_prompt(prompt)
    assert pipeline.asked == ["a fox", "a cat", "a dog", "a cat"]


def test_large_embeds_are_forgotten_sooner_but_the_last_ones_stay(pipeline: Encoder) -> None:
    with PromptMemory(pipeline, most_bytes=16).used():  # two prompts of two float32 each
        for prompt in ("a fox", "a cat", "a dog", "a cat", "a fox"):
            pipeline.encode_prompt(prompt)
    assert pipeline.asked == ["a fox", "a cat", "a dog", "a fox"]
    pipeline.asked.clear()
    with PromptMemory(pipeline, most_bytes=1).used():
        for prompt in ("a fox", "a fox"):
            pipeline.encode_prompt(prompt)
    assert pipeline.asked == ["a fox"]


def test_what_is_no_plain_value_is_not_remembered(pipeline: Encoder) -> None:
    with PromptMemory(pipeline).used():
        for _ in range(2):
            pipeline.encode_prompt("a fox", device=[object()])
    assert pipeline.asked == ["a fox", "a fox"]


def test_outside_of_it_the_pipeline_is_as_it_was(pipeline: Encoder) -> None:
    with pytest.raises(RuntimeError, match="broken"), PromptMemory(pipeline).used():
        raise RuntimeError("broken")
    assert vars(pipeline) == {"asked": []}


def test_embeds_wait_in_main_memory_and_come_back_where_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr("models.prompt_memory.find_device", lambda given: "cuda:1")
    monkeypatch.setattr(
        "models.prompt_memory.send_to_device", lambda given, device: sent.append(device) or given
    )
    pipeline = Encoder()
    memory = PromptMemory(pipeline)
    for _ in range(2):
        with memory.used():
            pipeline.encode_prompt("a fox")
    assert sent == ["cpu", "cuda:1"]


def test_embeds_of_every_shape_are_remembered() -> None:
    class Several(Encoder):
        def encode_prompt(self, prompt: str, device: object = None) -> Any:
            return super().encode_prompt(prompt), None, [torch.ones(1)]

    pipeline = Several()
    memory = PromptMemory(pipeline)
    for _ in range(2):
        with memory.used():
            embeds, nothing, others = pipeline.encode_prompt("a fox")
            assert (embeds.tolist(), nothing, others) == ([1, 1], None, [torch.ones(1)])
    assert pipeline.asked == ["a fox"]
