"""The one error that a person can mend."""

from __future__ import annotations


class InputError(ValueError):
    """Something that a person asked for cannot be done.

    The message is one or two sentences in plain words: what is wrong, and what to do. The page shows it as
    it is and the command line prints it and ends with exit code 2. Nothing has been changed when it is
    raised.
    """


class CancelledError(Exception):
    """A run was cancelled between two denoising steps. Everything that was finished before it is kept."""
