"""Prompt embeds of the prompts last used, so that going on with the same words does not encode them again.

A large text encoder takes seconds, and minutes where it has to be moved to the device first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from accelerate.utils import find_device, send_to_device
from torch.utils import _pytree as trees

from models.conditioning import Lora

PLAIN = (str, int, float, bool, type(None), torch.device, torch.dtype)


class PromptMemory:
    """What `encode_prompt` of one pipeline gave, for the prompts last used; kept in main memory.

    Args:
        pipeline: any diffusers pipeline.
        entries: calls that are remembered, >= 1.
        most_bytes: of all that is remembered; the last one stays whatever its size.
    """

    def __init__(self, pipeline: Any, entries: int = 16, most_bytes: int = 2**30) -> None:
        self._pipeline, self._entries, self._most_bytes = pipeline, entries, most_bytes
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
            leaves, shape = trees.tree_flatten((args, dict(sorted(kwargs.items()))))
            if not all(isinstance(leaf, PLAIN) for leaf in leaves):
                return encode(*args, **kwargs)
            asked = (tuple(loras), tuple(leaves), repr(shape))
            if asked not in self._known:
                given = encode(*args, **kwargs)
                self._known[asked] = find_device(given), send_to_device(given, "cpu")
                self._forget()
                return given
            self._known.move_to_end(asked)
            device, embeds = self._known[asked]
            return send_to_device(embeds, device or "cpu")

        self._pipeline.encode_prompt = remembered
        try:
            yield
        finally:
            del self._pipeline.encode_prompt

    def _forget(self) -> None:
        """Let go of what was not used for longest, until the rest is small enough."""
        sizes = [_size(embeds) for _, embeds in self._known.values()]
        while len(self._known) > 1 and (len(self._known) > self._entries or sum(sizes) > self._most_bytes):
            self._known.popitem(last=False)
            sizes = sizes[1:]


def _size(embeds: Any) -> int:
    """Bytes of all tensors in what an encoder gave."""
    return sum(leaf.nbytes for leaf in trees.tree_leaves(embeds) if isinstance(leaf, torch.Tensor))
