"""Errors that reach people; defined where the models can raise them too."""

from __future__ import annotations

from models.errors import CancelledError, InputError

__all__ = ["CancelledError", "InputError"]
