import pytest
import torch

from models.lingen.scan import ScanOrder, from_sequence, scan_order, to_sequence

GRID = (2, 3, 4)


def numbered():
    return torch.arange(24).reshape(1, *GRID, 1)


@pytest.mark.parametrize("order", list(ScanOrder))
def test_an_order_is_a_permutation_and_has_an_inverse(order):
    sequence = to_sequence(numbered(), order)
    assert sorted(sequence.flatten().tolist()) == list(range(24))
    assert torch.equal(from_sequence(sequence, order, GRID), numbered())


@pytest.mark.parametrize(
    ("order", "step"),
    [
        (ScanOrder.SPATIAL_ROW_MAJOR, (0, 0, 1)),
        (ScanOrder.SPATIAL_COLUMN_MAJOR, (0, 1, 0)),
        (ScanOrder.TEMPORAL_ROW_MAJOR, (1, 0, 0)),
        (ScanOrder.TEMPORAL_COLUMN_MAJOR, (1, 0, 0)),
    ],
)
def test_the_second_token_is_the_neighbour_along_the_fastest_axis(order, step):
    assert to_sequence(numbered(), order)[0, 1, 0] == numbered()[0][step]


def test_the_two_temporal_orders_differ_in_where_they_go_next():
    rows, columns = (to_sequence(numbered(), order)[0, :, 0] for order in list(ScanOrder)[2:])
    assert rows[2] == numbered()[0, 0, 0, 1]
    assert columns[2] == numbered()[0, 0, 1, 0]


def test_layers_take_turns():
    assert [scan_order(layer) for layer in range(5)] == [*ScanOrder, ScanOrder.SPATIAL_ROW_MAJOR]
