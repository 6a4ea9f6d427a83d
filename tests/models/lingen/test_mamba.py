import torch

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
