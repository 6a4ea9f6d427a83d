"""What to tell a person about any error, and what scores are called."""

from __future__ import annotations

from studio.errors import InputError
from studio.store import disk_full

SCORE_NAMES = {"guide": "likeness"}


def score_name(key: str) -> str:
    """What a person reads in place of a score's key."""
    return SCORE_NAMES.get(key, key)


def sentence_of(error: BaseException) -> str:
    """Why something failed and what to do, in words for whoever asked for it."""
    if isinstance(error, InputError):
        return str(error)
    if disk_full(error):
        return (
            "The disk is full; what was finished is kept. Delete a project or other files, or set "
            "STUDIO_DATA_DIR to a folder on another disk."
        )
    if "OutOfMemory" in type(error).__name__:
        return (
            "The GPU's memory did not suffice. Take a smaller size or fewer frames where the model lets you, "
            "set STUDIO_OFFLOAD=group or STUDIO_STORAGE=float8, or lower STUDIO_AT_ONCE."
        )
    if isinstance(error, MemoryError):
        return "The memory did not suffice. Take a smaller size or fewer frames, or close other programs."
    said = " ".join(str(error).split())[:200]
    return (
        f"Something went wrong inside the studio ({type(error).__name__}{': ' + said if said else ''}). "
        "What was finished is kept. Try again; the log has the details."
    )


def sayable(text: str) -> str:
    """A text that can be stored and shown: a folder's name can hold bytes that are no character."""
    return text.encode(errors="backslashreplace").decode()
