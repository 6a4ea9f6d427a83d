"""Rotary-major scan (LinGen, supplement A): which token comes next when a 3-D grid is read as a sequence.

Four orders take turns over the layers, so that tokens adjacent in space or time are adjacent in the sequence
of some layer. An order is a permutation of three axes, so it costs no gather and no index tensor.
"""

from __future__ import annotations

from enum import Enum

from torch import Tensor

Grid = tuple[int, int, int]


class ScanOrder(Enum):
    """The axes (frame, row, column) from slowest to fastest."""

    SPATIAL_ROW_MAJOR = (0, 1, 2)
    SPATIAL_COLUMN_MAJOR = (0, 2, 1)
    TEMPORAL_ROW_MAJOR = (1, 2, 0)
    TEMPORAL_COLUMN_MAJOR = (2, 1, 0)


def scan_order(layer: int) -> ScanOrder:
    """The order of a layer: the four in rotation."""
    orders = list(ScanOrder)
    return orders[layer % len(orders)]


def to_sequence(x: Tensor, order: ScanOrder) -> Tensor:
    """[B, F, H, W, D] -> [B, F*H*W, D], read in `order`."""
    slow, middle, fast = (axis + 1 for axis in order.value)
    return x.permute(0, slow, middle, fast, 4).flatten(1, 3)


def from_sequence(x: Tensor, order: ScanOrder, grid: Grid) -> Tensor:
    """The inverse of `to_sequence`: [B, F*H*W, D] -> [B, F, H, W, D] for `grid` = (F, H, W)."""
    axes = order.value
    x = x.unflatten(1, tuple(grid[axis] for axis in axes))
    return x.permute(0, *(axes.index(axis) + 1 for axis in range(3)), 4)
