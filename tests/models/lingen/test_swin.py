import pytest
import torch
from torch.nn import functional as F

from models.lingen.swin import TemporalSwinAttention, window_merge, window_partition


def attention(window, shifted=False):
    torch.manual_seed(0)
    return TemporalSwinAttention(16, 2, window, shifted)


def sees(module, grid, token):
    """The set of tokens whose input changes the output of one token."""
    x = torch.randn(1, *grid, 16, requires_grad=True)
    module(x)[0][token].sum().backward()
    return {tuple(position) for position in (x.grad[0].abs().sum(-1) > 0).nonzero().tolist()}


def test_windows_can_be_cut_and_put_together():
    x = torch.randn(2, 4, 4, 6, 3)
    windows = window_partition(x, (2, 2, 3))
    assert windows.shape == (2, 8, 12, 3)
    assert torch.equal(window_merge(windows, (2, 2, 3), (4, 4, 6)), x)


@pytest.mark.parametrize("shifted", [False, True])
def test_a_window_that_covers_the_grid_is_full_attention(shifted):
    module, x = attention((4, 8, 8), shifted), torch.randn(2, 3, 4, 2, 16)
    q, k, v = module.qkv(x.flatten(1, 3)).unflatten(-1, (3, 2, 8)).permute(2, 0, 3, 1, 4)
    full = F.scaled_dot_product_attention(module.q_norm(q), module.k_norm(k), v)
    expected = module.out_proj(full.transpose(1, 2).flatten(-2)).unflatten(1, (3, 4, 2))
    torch.testing.assert_close(module(x), expected, atol=1e-5, rtol=1e-4)


def test_a_token_sees_its_window_only():
    assert sees(attention((2, 2, 2)), (4, 4, 4), (0, 1, 0)) == {
        (f, h, w) for f in (0, 1) for h in (0, 1) for w in (0, 1)
    }


def test_a_shifted_layer_joins_what_a_border_divided():
    assert sees(attention((1, 1, 2), shifted=True), (1, 1, 6), (0, 0, 1)) == {(0, 0, 1), (0, 0, 2)}


def test_a_shift_does_not_join_opposite_edges():
    assert sees(attention((1, 1, 2), shifted=True), (1, 1, 6), (0, 0, 0)) == {(0, 0, 0)}
    assert sees(attention((1, 1, 2), shifted=True), (1, 1, 6), (0, 0, 5)) == {(0, 0, 5)}


@pytest.mark.parametrize("shifted", [False, True])
def test_padding_is_never_seen(shifted):
    grid = (3, 3, 5)
    module = attention((2, 2, 2), shifted)
    assert module(torch.randn(1, *grid, 16)).isfinite().all()
    inside = {(f, h, w) for f in range(3) for h in range(3) for w in range(5)}
    seen = sees(module, grid, (2, 2, 4))
    assert seen <= inside
    assert (2, 2, 4) in seen
