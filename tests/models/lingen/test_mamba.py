import pytest
import torch

from models.lingen.kernels import find_kernel
from models.lingen.mamba import BidirectionalMamba2, MABranch
from models.lingen.scan import ScanOrder


def mamba(**changes):
    torch.manual_seed(0)
    return BidirectionalMamba2(**{"dim": 16, "state_size": 8, "head_dim": 8, **changes})


def test_projection_weights_are_those_of_equation_1():
    d, e, state, head = 64, 2, 16, 32
    module = mamba(dim=d, state_size=state, head_dim=head, expand=e)
    flops_per_token = 2 * (module.in_proj.weight.numel() + module.out_proj.weight.numel())
    assert flops_per_token == (6 + 2 / head) * e * d**2 + 4 * state * d


def test_each_token_sees_both_directions():
    module, x = mamba(), torch.randn(1, 9, 16, requires_grad=True)
    module(x)[0, 4].sum().backward()
    assert (x.grad[0].abs().sum(-1) > 0).all()


def test_directions_have_their_own_parameters():
    module, x = mamba(), torch.randn(1, 9, 16)
    reversed_twice = module(x.flip(1)).flip(1)
    assert not torch.allclose(module(x), reversed_twice, atol=1e-5)
    with torch.no_grad():
        for parameter in (module.conv_weight, module.dt_bias, module.log_rate):
            parameter[1] = parameter[0]
    torch.testing.assert_close(module(x), module(x.flip(1)).flip(1))


def test_review_tokens_reach_the_first_token_of_either_direction():
    branch = MABranch(mamba(), ScanOrder.SPATIAL_ROW_MAJOR, (2, 2, 2))
    x = torch.randn(1, 2, 2, 2, 16)
    y = branch(x)
    assert y.shape == x.shape
    module = branch.mamba
    tokens = torch.cat([x.mean((1, 2, 3))[:, None], x.flatten(1, 3)], 1)
    torch.testing.assert_close(y.flatten(1, 3), module(tokens, prefix=1)[:, 1:])


def test_the_prefix_stays_in_front_when_the_rest_is_reversed():
    module, x = mamba(), torch.randn(1, 6, 16, requires_grad=True)
    with torch.no_grad():
        module.conv_weight[0].zero_()  # silence the forward direction
        module.conv_bias[0].zero_()
    module(x, prefix=2)[0, 5].sum().backward()
    reached = x.grad[0].abs().sum(-1) > 0
    assert reached.tolist() == [True, True, False, False, False, True]


def test_without_review_tokens_the_branch_reads_the_grid_alone():
    branch = MABranch(mamba(), ScanOrder.SPATIAL_ROW_MAJOR, None)
    x = torch.randn(1, 2, 2, 2, 16)
    torch.testing.assert_close(branch(x).flatten(1, 3), branch.mamba(x.flatten(1, 3)))


def written_out(x, dt, a, b, c, chunk_size):
    """What mamba-ssm's kernel promises, one token at a time."""
    state, outputs = torch.zeros(*x[:, 0].shape, b.shape[-1], device=x.device), []
    for t in range(x.shape[1]):
        decay = (dt[:, t] * a).exp()[..., None, None]
        state = state * decay + (dt[:, t, :, None] * x[:, t])[..., None] * b[:, t, :, None]
        outputs.append((state * c[:, t, :, None]).sum(-1))
    return torch.stack(outputs, 1)


def test_both_directions_fit_into_one_call_of_the_fused_kernel():
    module = mamba()
    value, dt = torch.randn(4, 7, 4, 8), torch.rand(2, 2, 7, 4)
    b, c = torch.randn(4, 7, 8), torch.randn(4, 7, 8)
    fused = module._fused_scan(written_out, value, dt, b, c)
    rate = module.log_rate.exp()
    for direction, rows in enumerate((slice(0, 2), slice(2, 4))):
        alone = written_out(
            value[rows], dt[direction], -rate[direction], b[rows, :, None], c[rows, :, None], 128
        )
        torch.testing.assert_close(fused[rows], alone)


@pytest.mark.gpu
@pytest.mark.skipif(find_kernel() is None, reason="needs a CUDA device and mamba-ssm")
def test_the_fused_kernel_gives_the_same_as_plain_torch():
    module = mamba(dim=64, state_size=64, head_dim=32).cuda().eval()
    x = torch.randn(2, 300, 64, device="cuda")
    with torch.no_grad():
        fused = module(x, prefix=5)
        module.kernel = None
        torch.testing.assert_close(fused, module(x, prefix=5), atol=1e-3, rtol=1e-3)
