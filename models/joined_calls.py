"""Several calls of one network as one call on a larger batch.

Candidates of one search differ in their latents alone, so their calls of the network have the same shapes.
What has the batch's size in its first dimension is put together; everything else has to be equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as trees

SHARED = frozenset({"control_hidden_states_scale", "padding_mask"})
"""Arguments that are of no clip in particular, whatever their length is."""

SEVERAL = frozenset({"encoder_hidden_states", "encoder_hidden_states_image"})
"""Arguments of which a clip may have several rows: one a frame (AnimateDiff), or one a picture (Wan)."""


@dataclass(eq=False)
class Asked:
    """One call of a network, and what came of it.

    Attributes:
        forward: the network's own.
        args, kwargs: of the call.
        result, error: the answer, once `done`.
    """

    forward: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any = None
    error: BaseException | None = None
    done: bool = field(default=False)

    def answer(self, result: Any) -> None:
        """Keep what the call gave."""
        self.result, self.done = result, True


def answer_all(asked: Sequence[Asked]) -> None:
    """Answer all calls, as few at a time as their arguments allow; an error is that of all who share it."""
    left = list(asked)
    while left:
        first, left = left[0], left[1:]
        group = [first, *(each for each in left if _alike(first, each))]
        left = [each for each in left if each not in group]
        try:
            _answer(group)
        except BaseException as error:
            for each in group:
                each.error, each.done = error, True


def _answer(group: list[Asked]) -> None:
    if len(group) > 1:
        try:
            joined = _joined(group)
        except torch.OutOfMemoryError:
            joined = None
        if joined is not None:
            for each, result in zip(group, joined, strict=True):
                each.answer(result)
            return
    for each in group:
        each.answer(each.forward(*each.args, **each.kwargs))


def _leaves(call: Asked) -> tuple[list[tuple[str, Any]], Any]:
    """The arguments one by one with the name that they are passed under, and how they are nested."""
    found, nesting = trees.tree_flatten_with_path((call.args, call.kwargs))
    return [(_name(path), leaf) for path, leaf in found], nesting


def _name(path: tuple[Any, ...]) -> str:
    return str(getattr(path[1], "key", "")) if len(path) > 1 else ""


def _batch(leaves: list[tuple[str, Any]]) -> int | None:
    """The size of the batch: that of the latents, which come first."""
    return next((len(leaf) for _, leaf in leaves if isinstance(leaf, Tensor) and leaf.ndim >= 3), None)


def _of_each(name: str, leaf: Any, batch: int | None) -> bool:
    """Whether an argument has a part for each clip."""
    if not isinstance(leaf, Tensor) or leaf.ndim == 0 or name in SHARED:
        return False
    return len(leaf) == batch or name in SEVERAL


def _alike(one: Asked, other: Asked) -> bool:
    """Whether two calls can be one."""
    (mine, nesting), (theirs, nested) = _leaves(one), _leaves(other)
    batch = _batch(mine)
    if one.forward != other.forward or nesting != nested or batch is None:
        return False
    pairs = zip(mine, theirs, strict=True)
    return all(_fits(left, right, _of_each(name, left, batch)) for (name, left), (_, right) in pairs)


def _fits(left: Any, right: Any, of_each: bool) -> bool:
    """Whether two arguments can be put together, or are the same where they are not `of_each` clip."""
    if left is right:
        return True
    if not isinstance(left, Tensor) or not isinstance(right, Tensor):
        return type(left) is type(right) and bool(left == right)
    same_kind = (left.shape, left.dtype, left.device) == (right.shape, right.dtype, right.device)
    return same_kind and (of_each or torch.equal(left, right))


def _joined(group: list[Asked]) -> list[Any] | None:
    """The results of calls that are alike, from one call; None if what it gives cannot be told apart."""
    leaves, nesting = _leaves(group[0])
    batch = _batch(leaves)
    columns = zip(*([leaf for _, leaf in _leaves(each)[0]] for each in group), strict=True)
    together = [
        torch.cat(column) if _of_each(name, leaf, batch) else leaf
        for (name, leaf), column in zip(leaves, columns, strict=True)
    ]
    args, kwargs = trees.tree_unflatten(together, nesting)
    output, shape = trees.tree_flatten(group[0].forward(*args, **kwargs))
    size = (batch or 0) * len(group)
    if any(isinstance(leaf, Tensor) and (leaf.ndim == 0 or len(leaf) != size) for leaf in output):
        return None
    parts = [leaf.chunk(len(group)) if isinstance(leaf, Tensor) else [leaf] * len(group) for leaf in output]
    return [trees.tree_unflatten([part[index] for part in parts], shape) for index in range(len(group))]
