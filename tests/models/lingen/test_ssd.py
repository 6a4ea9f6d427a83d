import pytest
import torch

from models.lingen.ssd import ssd


def sequential(x, log_decay, b, c):
    """The recurrence as it is written, one token at a time."""
    batch, length, heads, width = x.shape
    state = torch.zeros(batch, heads, width, b.shape[-1])
    outputs = []
    for t in range(length):
        state = state * log_decay[:, t, :, None, None].exp() + x[:, t, :, :, None] * b[:, t, None, None, :]
        outputs.append((state * c[:, t, None, None, :]).sum(-1))
    return torch.stack(outputs, 1)


def inputs(length, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(2, length, 3, 4, generator=g)
    log_decay = -torch.rand(2, length, 3, generator=g)
    return x, log_decay, torch.randn(2, length, 5, generator=g), torch.randn(2, length, 5, generator=g)


@pytest.mark.parametrize("length", [1, 7, 16, 37])
@pytest.mark.parametrize("chunk_size", [4, 16, 64])
def test_the_chunked_scan_equals_the_recurrence(length, chunk_size):
    arguments = inputs(length)
    torch.testing.assert_close(
        ssd(*arguments, chunk_size=chunk_size), sequential(*arguments), atol=1e-4, rtol=1e-4
    )


def test_a_token_does_not_depend_on_later_ones():
    x, log_decay, b, c = inputs(20)
    changed = x.clone()
    changed[:, 12:] += 1
    before, after = ssd(x, log_decay, b, c, 8), ssd(changed, log_decay, b, c, 8)
    torch.testing.assert_close(before[:, :12], after[:, :12])
    assert not torch.allclose(before[:, 12:], after[:, 12:])


def test_gradients_reach_the_first_chunk_and_are_finite():
    x, log_decay, b, c = inputs(24)
    x.requires_grad_()
    ssd(x, log_decay, b, c, 8)[:, -1].sum().backward()
    assert x.grad[:, 0].abs().sum() > 0
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("chunk_size", [8, 64])
def test_gradients_are_those_of_the_recurrence(chunk_size):
    found = []
    for scan in (sequential, lambda *arguments: ssd(*arguments, chunk_size=chunk_size)):
        arguments = [each.requires_grad_() for each in inputs(21)]
        made = scan(*arguments)
        made.backward(torch.randn(made.shape, generator=torch.Generator().manual_seed(1)))
        found.append([each.grad for each in arguments])
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)


def test_a_gradient_outside_autocast_fits_a_pass_inside_it():
    x, log_decay, b, c = (each.requires_grad_() for each in inputs(12))
    with torch.autocast("cpu", torch.bfloat16):
        y = ssd(x, log_decay, b, c, chunk_size=4)
    y.float().square().sum().backward()
    assert x.grad.dtype == torch.float32
    assert x.grad.isfinite().all()
