"""Equations 1 to 3 of the supplement hold for the real modules, and neighbours are kept together."""

import numpy as np
import pytest
import torch

from models.lingen.adjacency import SCANS, adjacency_distances, positions
from models.lingen.flops import (
    counted_mamba,
    counted_model,
    on_meta,
    parameters,
    predicted_mamba,
    predicted_model,
)
from models.lingen.scaling import KINDS, build, measure
from models.lingen.scan import ScanOrder, to_sequence
from models.pocket.generator import CONFIG

PUBLISHED = {"dim": 2560, "state": 128}
POCKET = {"dim": 320, "state": 64}


@pytest.mark.parametrize("size", [PUBLISHED, POCKET])
def test_the_projections_cost_what_equation_1_says(size):
    assert counted_mamba(1024, **size).projections == predicted_mamba(1024, **size).projections


def test_the_published_module_costs_what_equations_1_to_3_say():
    predicted, counted = predicted_mamba(1024, **PUBLISHED), counted_mamba(1024, **PUBLISHED)
    assert counted.convolution == pytest.approx(predicted.convolution, rel=0.06)  # over B and C as well
    assert counted.total == pytest.approx(predicted.total - predicted.chunks, rel=0.05)


@pytest.mark.parametrize("size", [PUBLISHED, POCKET])
@pytest.mark.parametrize("chunk", [64, 128])
def test_with_the_products_inside_chunks_every_size_is_predicted(size, chunk):
    counted = counted_mamba(1024, **size, chunk=chunk).total
    assert counted == pytest.approx(predicted_mamba(1024, **size, chunk=chunk).total, rel=0.02)


@pytest.mark.parametrize(
    "changes",
    [{}, {"mamba_branch": False}, {"temporal_branch": False}, {"review": False}, {"window_size": (3, 3, 3)}],
)
def test_a_whole_model_is_predicted(changes):
    model = on_meta(**{**CONFIG, "num_layers": 2, **changes})
    grid = (8, 16, 16)
    assert counted_model(model, grid, 32) == pytest.approx(predicted_model(model.config, grid, 32), rel=0.02)


def test_parameters_are_counted_without_weights():
    assert round(parameters(on_meta()) / 1e9, 2) == 4.76


@pytest.mark.parametrize("order", list(ScanOrder))
def test_positions_are_those_of_the_scan(order):
    grid = (2, 3, 4)
    place = torch.from_numpy(positions(order, grid).copy())[None, ..., None]
    assert to_sequence(place, order).flatten().tolist() == list(range(24))


@pytest.mark.parametrize("order", list(ScanOrder))
def test_a_zigzag_only_steps_to_neighbours(order):
    grid = (3, 4, 5)
    place = positions(order, grid, zigzag=True)
    path = np.stack(np.unravel_index(place.argsort(axis=None), grid), 1)
    assert (np.abs(np.diff(path, axis=0)).sum(1) == 1).all()


def test_only_turning_scans_bring_neighbours_together():
    distances = {scan: adjacency_distances(scan, (8, 8, 8), 6) for scan in SCANS}
    assert len(set(distances["raster"])) == 1
    assert distances["rotary-major"][0] == distances["raster"][0]
    assert distances["rotary-major"][3] < distances["raster"][3] / 2
    assert distances["rotary-major"][3] == distances["rotary-major"][5]


def test_every_face_neighbour_is_next_in_one_of_the_four_orders():
    for scan in ("zigzag", "rotary-major"):
        assert adjacency_distances(scan, (8, 8, 8), 4, "face")[-1] == 1


def test_the_distance_of_a_cube_can_be_counted_by_hand():
    distances = [abs(a - b) for a in range(8) for b in range(a)]
    assert adjacency_distances("raster", (2, 2, 2), 1) == [sum(distances) / len(distances)]


def test_the_twin_differs_in_its_branches_only():
    lingen, twin = (build(kind, num_layers=1) for kind in KINDS)
    names = {name for name, _ in lingen.named_parameters()}
    assert {name for name in names if ".ma." not in name} == {name for name, _ in twin.named_parameters()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_forward_pass_is_measured(kind):
    found = measure(kind, 512, 2, num_layers=1)
    assert len(found["seconds"]) == 2
    assert min(found["seconds"]) > 0
    assert found["mib"] >= 0
