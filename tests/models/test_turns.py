"""Suspended calls that take turns ask their network together, and get what each would get alone."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.joined_calls import Asked, answer_all
from models.suspension import SuspendedCall, run_together
from models.turns import join_calls


class Network(nn.Module):
    """Doubles what it is given and adds the scale; remembers how large its batches were."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def forward(self, x: Tensor, timestep: Tensor, scale: Any = 0.0, fail: bool = False) -> tuple[Tensor]:
        self.batches.append(len(x))
        if fail:
            raise RuntimeError("no such clip")
        return (2 * x + timestep[:, None, None] + scale,)


@pytest.fixture
def network() -> Network:
    network = Network()
    join_calls(network)
    return network


@pytest.fixture
def begin(network: Network):
    """`begin(value)`: a call with four marks that asks the network once a mark."""
    calls = []

    def start(value: float, fail_at: int = 0, length: int = 3) -> SuspendedCall[Tensor]:
        def call(pause) -> Tensor:
            x = torch.full((1, 1, length), value)
            for mark in range(1, 5):
                (x,) = network(x, torch.tensor([1.0]), fail=mark == fail_at)
                pause(mark)
            return x

        calls.append(SuspendedCall(call, f"run-{value}"))
        return calls[-1]

    yield start
    for call in calls:
        call.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("run-")]


def alone(value: float, marks: int = 4) -> float:
    for _ in range(marks):
        value = 2 * value + 1
    return value


def test_calls_that_go_on_together_ask_once_a_mark(network, begin):
    calls = [begin(value) for value in (1.0, 2.0, 3.0)]
    run_together(calls, 2)
    assert network.batches == [3, 3]
    assert [call.mark for call in calls] == [2, 2, 2]
    assert [float(call.result()[0, 0, 0]) for call in calls] == [alone(1), alone(2), alone(3)]


def test_who_goes_on_alone_asks_alone(network, begin):
    calls = [begin(value) for value in (1.0, 2.0)]
    run_together(calls, 1)
    calls[0].run_to(2)
    run_together(calls, 3)
    assert network.batches == [2, 1, 2, 1]
    assert float(calls[1].result()[0, 0, 0]) == alone(2)


def test_calls_may_end_together(begin):
    calls = [begin(value) for value in (1.0, 2.0)]
    run_together(calls, float("inf"))
    assert [float(call.result()[0, 0, 0]) for call in calls] == [alone(1), alone(2)]


def test_calls_of_other_shapes_are_answered_one_by_one(network, begin):
    calls = [begin(1.0), begin(2.0, length=5), begin(3.0)]
    run_together(calls, 1)
    assert sorted(network.batches) == [1, 2]
    assert float(calls[1].result()[0, 0, 0]) == alone(2)


def test_an_error_is_told_once_the_others_are_there(begin):
    calls = [begin(1.0), begin(2.0, fail_at=2), begin(3.0)]
    with pytest.raises(RuntimeError, match="no such clip"):
        run_together(calls, 3)
    assert [calls[index].mark for index in (0, 2)] == [3, 3]
    assert float(calls[0].result()[0, 0, 0]) == alone(1)


def test_a_call_that_was_closed_stops_nobody(begin):
    calls = [begin(1.0), begin(2.0)]
    run_together(calls, 1)
    calls[1].close()
    with pytest.raises(ValueError, match="was closed"):
        run_together(calls, 2)
    assert float(calls[0].result()[0, 0, 0]) == alone(1)


def test_closing_one_of_them_on_the_way_lets_the_others_arrive(network, begin):
    calls = [begin(1.0), begin(2.0)]
    asked = network.forward
    network.forward = lambda *args, **kwargs: (calls[1]._gate.close(), asked(*args, **kwargs))[1]
    with pytest.raises(Exception, match="cancelled"):
        run_together(calls, 3)
    assert float(calls[0].result()[0, 0, 0]) == alone(1)


def test_what_differs_beside_the_latents_is_not_joined(network):
    x, at = torch.ones(1, 1, 2), torch.tensor([1.0])
    asked = [Asked(network.forward, (x, at), {"scale": scale}) for scale in (0.0, 1.0, 0.0)]
    answer_all(asked)
    assert network.batches == [2, 1]
    assert [float(each.result[0][0, 0, 0]) for each in asked] == [3, 4, 3]


def test_a_batch_that_does_not_fit_is_done_one_by_one():
    sizes = []

    def forward(x: Tensor) -> Tensor:
        sizes.append(len(x))
        if len(x) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return x + 1

    asked = [Asked(forward, (torch.full((1, 1, 2), value),), {}) for value in (1.0, 2.0)]
    answer_all(asked)
    assert sizes == [2, 1, 1]
    assert [float(each.result[0, 0, 0]) for each in asked] == [2, 3]


def test_a_network_is_joined_once(network):
    before = network.forward
    join_calls(network)
    assert network.forward is before


def test_a_network_whose_call_was_wrapped_since_is_asked_once(network, begin):
    inner = network.forward
    network.forward = partial(inner)  # as accelerate's hooks do
    join_calls(network)
    run_together([begin(1.0), begin(2.0)], 2)
    assert network.batches == [2, 2]
