"""Prompt embeds of the prompts last used, so that going on with the same words does not encode them again.

A large text encoder takes seconds, and minutes where it has to be moved to the device first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from models.conditioning import Lora


def _moved(embeds: Any, device: Any) -> Any:
    """Tensors, alone or in tuples and lists, on a device; those that are there already are the same."""
    if isinstance(embeds, torch.Tensor):
        return embeds.to(device)
    return type(embeds)(_moved(each, device) for each in embeds) if type(embeds) in (tuple, list) else embeds


def _device_of(embeds: Any) -> Any:
    """Where the first tensor lies; the CPU if there is none."""
    if isinstance(embeds, torch.Tensor):
        return embeds.device
    found = [_device_of(each) for each in embeds if each is not None] if type(embeds) in (tuple, list) else []
    return found[0] if found else torch.device("cpu")


PLAIN = (str, int, float, bool, type(None), torch.device, torch.dtype)


class PromptMemory:
    """What `encode_prompt` of one pipeline gave, for the prompts last used; kept in main memory.

    Args:
        pipeline: any diffusers pipeline.
        entries: calls that are remembered, >= 1.
    """

    def __init__(self, pipeline: Any, entries: int = 16) -> None:
        self._pipeline, self._entries = pipeline, entries
        self._known: OrderedDict[Hashable, Any] = OrderedDict()

    @contextmanager
    def used(self, loras: Sequence[Lora] = ()) -> Iterator[None]:
        """Within it, the pipeline's `encode_prompt` answers from memory what was asked before.

        Calls that are given more than plain values, such as embeds or pictures, are not remembered.

        Args:
            loras: that are active; they may have changed the text encoder.
        """
        if not hasattr(self._pipeline, "encode_prompt"):
            yield
            return
        encode = self._pipeline.encode_prompt

        def remembered(*args: Any, **kwargs: Any) -> Any:
            if not all(isinstance(each, PLAIN) for each in (*args, *kwargs.values())):
                return encode(*args, **kwargs)
            asked = (tuple(loras), args, tuple(sorted(kwargs.items())))
            if asked not in self._known:
                given = encode(*args, **kwargs)
                self._known[asked] = _device_of(given), _moved(given, "cpu")
                if len(self._known) > self._entries:
                    self._known.popitem(last=False)
                return given
            self._known.move_to_end(asked)
            device, embeds = self._known[asked]
            return _moved(embeds, device)

        self._pipeline.encode_prompt = remembered
        try:
            yield
        finally:
            del self._pipeline.encode_prompt
