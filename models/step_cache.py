"""Steps that change little are skipped: diffusers' first-block cache, for runs that are suspended.

The cache keeps what a network's blocks added in the step before, and keeps it in the network. Runs that take
turns on one network would find each other's; here each has its own, as each runs in a thread of its own.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from typing import Any

from diffusers import FirstBlockCacheConfig
from diffusers.hooks._helpers import TransformerBlockRegistry
from diffusers.hooks.hooks import CacheContext, StateManager
from diffusers.models.cache_utils import CacheMixin


class _PerThread(StateManager):
    """A state manager that has been given other states for every thread."""

    own: threading.local

    @property
    def _state_cache(self) -> dict[str, Any]:
        states: dict[str, Any] = self.own.__dict__.setdefault("states", {})
        return states

    @property
    def _context(self) -> CacheContext | None:
        return getattr(self.own, "context", None)

    @_context.setter
    def _context(self, context: CacheContext | None) -> None:
        self.own.context = context

    def set_context(self, context: CacheContext | None) -> None:
        """At the end of a call, let go of what only its own blocks read: a third of what a run keeps."""
        super().set_context(context)
        if context is None:
            for state in self._state_cache.values():
                state.head_block_output = None


def takes_cache(pipeline_class: type[Any]) -> bool:
    """Whether the cache knows the pipeline's network, and the pipeline tells it which pass it is in."""
    if "cache_context(" not in inspect.getsource(pipeline_class.__call__):
        return False
    networks = pipeline_class._get_signature_types().get("transformer", ())
    TransformerBlockRegistry._register()
    known = {block.__module__ for block in TransformerBlockRegistry._registry}
    return any(
        isinstance(each, type) and issubclass(each, CacheMixin) and each.__module__ in known
        for each in networks
    )


def cache_steps(network: Any, threshold: float) -> None:
    """Skip the blocks of a network but the first where that one does almost what it did in the step before.

    Args:
        network: a transformer of a pipeline that `takes_cache`.
        threshold: mean change of the first block's residual, relative to its mean, below which the rest is
            skipped; 0.05 to 0.15 are usual, 0 skips nothing.
    """
    network.enable_cache(FirstBlockCacheConfig(threshold=threshold))
    for manager in _managers(network):
        manager.__dict__.update(own=threading.local())
        manager.__class__ = _PerThread


def _managers(network: Any) -> Iterator[StateManager]:
    """What keeps the states of all hooks in a network, each once."""
    found: dict[int, StateManager] = {}
    for module in network.modules():
        registry = getattr(module, "_diffusers_hook", None)
        for hook in registry.hooks.values() if registry is not None else ():
            found |= {id(value): value for value in vars(hook).values() if isinstance(value, StateManager)}
    return iter(found.values())
