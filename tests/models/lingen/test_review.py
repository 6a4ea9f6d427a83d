import pytest
import torch

from models.lingen.review import review_tokens


def test_a_review_token_is_the_mean_of_its_window():
    x = torch.randn(2, 4, 4, 6, 8)
    reviewed = review_tokens(x, (2, 2, 3))
    assert reviewed.shape == (2, 2, 2, 2, 8)
    torch.testing.assert_close(reviewed[:, 1, 0, 1], x[:, 2:4, 0:2, 3:6].mean((1, 2, 3)))


def test_a_window_beyond_the_edge_averages_what_it_holds():
    x = torch.randn(1, 5, 3, 3, 4)
    reviewed = review_tokens(x, (2, 2, 2))
    assert reviewed.shape == (1, 3, 2, 2, 4)
    torch.testing.assert_close(reviewed[:, 2, 1, 1], x[:, 4, 2, 2])
    torch.testing.assert_close(reviewed[:, 2, 0, 1], x[:, 4, 0:2, 2].mean(1))


@pytest.mark.parametrize("grid", [(1, 1, 1), (1, 4, 4), (7, 2, 9)])
def test_a_constant_grid_is_its_own_review(grid):
    reviewed = review_tokens(torch.full((1, *grid, 2), 3.0), (4, 2, 2))
    torch.testing.assert_close(reviewed, torch.full_like(reviewed, 3.0))
