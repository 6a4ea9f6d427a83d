"""How far apart in the sequence tokens lie that are neighbours in the video (LinGen, supplement A, Fig. 1).

A state-space scan forgets with distance, so what counts for a pair of neighbours is its smallest distance in
any of the layers so far.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from models.lingen.scan import Grid, ScanOrder, scan_order

SCANS = ("raster", "zigzag", "rotary-major")
NEIGHBOURS = ("cube", "face")


def positions(order: ScanOrder, grid: Grid, *, zigzag: bool = False) -> NDArray[np.int64]:
    """Where each token of a grid stands in the sequence: [F, H, W].

    With `zigzag` every second line, and every second sheet of lines, is read backwards, so that tokens which
    follow each other are always neighbours.
    """
    axes = order.value
    slow, middle, fast = np.indices([grid[axis] for axis in axes])
    if zigzag:
        middle = np.where(slow % 2 == 0, middle, grid[axes[1]] - 1 - middle)
    line = slow * grid[axes[1]] + middle
    if zigzag:
        fast = np.where(line % 2 == 0, fast, grid[axes[2]] - 1 - fast)
    return np.transpose(line * grid[axes[2]] + fast, np.argsort(axes))


def layer_positions(scan: str, grid: Grid, layer: int) -> NDArray[np.int64]:
    """The positions of a layer: `raster` is the same in all; the other two take turns of four orders."""
    order = ScanOrder.SPATIAL_ROW_MAJOR if scan == "raster" else scan_order(layer)
    return positions(order, grid, zigzag=scan == "zigzag")


def adjacency_distances(scan: str, grid: Grid, layers: int, neighbours: str = "cube") -> list[float]:
    """d_1 to d_layers: the mean, over all pairs of neighbours, of their minimum distance so far.

    Each pair counts once, however many cubes hold it.

    Args:
        scan: one of `SCANS`.
        grid: (frames, rows, columns), at least 2 each.
        layers: how many.
        neighbours: `cube`: all pairs in a common 2 x 2 x 2 cube; `face`: those that touch with a face.
    """
    offsets = [o for o in itertools.product((-1, 0, 1), repeat=3) if o > (0, 0, 0)]
    if neighbours == "face":
        offsets = [offset for offset in offsets if sum(map(abs, offset)) == 1]
    least: list[NDArray[np.int64] | None] = [None] * len(offsets)
    means = []
    for layer in range(layers):
        place = layer_positions(scan, grid, layer)
        for index, offset in enumerate(offsets):
            here, there = (tuple(_part(step * sign) for step in offset) for sign in (1, -1))
            distance = np.abs(place[here] - place[there])
            before = least[index]
            least[index] = distance if before is None else np.minimum(before, distance)
        found = [array for array in least if array is not None]
        means.append(sum(int(array.sum()) for array in found) / sum(math.prod(a.shape) for a in found))
    return means


def _part(step: int) -> slice:
    """The tokens along an axis that have a neighbour `step` away."""
    return slice(None, -1) if step > 0 else slice(1, None) if step < 0 else slice(None)
