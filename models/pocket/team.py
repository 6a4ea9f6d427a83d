"""Processes on one CPU that train one network together, each with one thread.

Small matrices gain little from a second thread. Here each process takes its share of the batch and its share
of the weights instead: all see the same weights and gradients in shared memory, and wait for each other.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

STEP, SAVE, END = 0, 1, 2


class Team:
    """What the processes share.

    The processes are forked by `start`, so the network must not have been trained in this process before.

    Args:
        size: processes; 1 shares nothing and waits for nobody.
        network: the network whose gradients are added up; its weights move to shared memory.
        kept: further tensors that are read and written by all.
    """

    def __init__(self, size: int, network: nn.Module, kept: Iterable[Tensor] = ()) -> None:
        self.size, self.rank = size, 0
        self.parameters = list(network.parameters())
        self.gradients = [[torch.zeros_like(weight) for weight in self.parameters] for _ in range(size)]
        self.squares = torch.zeros(size, dtype=torch.float64)
        self.orders = torch.zeros(4, dtype=torch.float64)
        self._gate: Any = None
        self._others: list[Any] = []
        if size > 1:
            self._gate = multiprocessing.get_context("fork").Barrier(size)
            shared = [each for gradients in self.gradients for each in gradients]
            for tensor in (*self.parameters, *kept, *shared, self.squares, self.orders):
                tensor.share_memory_()

    def start(self, work: Callable[[], None]) -> None:
        """Fork the other processes; each does `work` with its own `rank`, beginning at 1."""
        context = multiprocessing.get_context("fork")

        def other(rank: int) -> None:
            self.rank = rank
            torch.set_num_threads(1)  # the pool of threads did not survive the fork
            try:
                work()
            except BaseException:
                self._gate.abort()
                raise

        for rank in range(1, self.size):
            process = context.Process(target=other, args=(rank,), daemon=True)
            process.start()
            self._others.append(process)

    def wait(self) -> None:
        """Go on once all processes are here.

        Raises:
            threading.BrokenBarrierError: if one of them has ended.
        """
        if self._gate is not None:
            self._gate.wait(timeout=900)  # the first steps wait for the compiler

    def order(self, *what: float) -> None:
        """Have the others do a step, with at most three numbers that say which."""
        self._order(STEP, *what)

    def gather(self, own: Any, checkpoint: Path) -> list[Any]:
        """What every process holds by itself, by rank; it comes in files beside the checkpoint."""
        self.save_part(own, checkpoint)
        self._order(SAVE)
        self.wait()
        return [torch.load(self._part_file(checkpoint, rank)) for rank in range(self.size)]

    def save_part(self, own: Any, checkpoint: Path) -> None:
        """Write what this process holds by itself to where `gather` looks for it."""
        torch.save(own, self._part_file(checkpoint, self.rank))

    def end(self, checkpoint: Path) -> None:
        """Have the others end, and take the files of `gather` away."""
        self._order(END)
        for process in self._others:
            process.join()
        for rank in range(self.size):
            self._part_file(checkpoint, rank).unlink(missing_ok=True)

    @staticmethod
    def _part_file(checkpoint: Path, rank: int) -> Path:
        return checkpoint.with_suffix(f".{rank}.part")

    def _order(self, *order: float) -> None:
        self.orders[: len(order)] = torch.tensor(order, dtype=torch.float64)
        self.wait()

    def follow(self, step: Callable[[list[float]], object], save: Callable[[], None]) -> None:
        """Do what the first process orders, until it orders the end."""
        while True:
            self.wait()
            order, *what = self.orders.tolist()
            if order == END:
                return
            if order == SAVE:
                save()
                self.wait()
            else:
                step(what)

    def clear_gradients(self) -> None:
        """Let the next backward pass of this process write into its shared gradients."""
        for weight, gradient in zip(self.parameters, self.gradients[self.rank], strict=True):
            weight.grad = gradient.zero_()

    def gradient(self, index: int) -> Tensor:
        """The mean gradient of one weight over the whole batch, float32."""
        mean = self.gradients[0][index].float()
        for others in self.gradients[1:]:
            mean = mean + others[index]
        return mean / self.size

    def norm(self, own: list[Tensor]) -> float:
        """The norm over all weights, from the gradients of this process' share of them."""
        self.squares[self.rank] = sum(float(each.square().sum()) for each in own)
        self.wait()
        return float(self.squares.sum().sqrt())

    def share(self, costs: list[int]) -> list[int]:
        """The indices of the weights that this process updates: shares of about equal cost."""
        loads = [0] * self.size
        mine: list[int] = []
        for index in sorted(range(len(costs)), key=lambda each: -costs[each]):
            rank = loads.index(min(loads))
            loads[rank] += costs[index]
            if rank == self.rank:
                mine.append(index)
        return sorted(mine)
