"""Checkpoints from the Hugging Face hub: told how large before they are fetched, and fetched but once."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import InputError
from models.video_model import ModelCard

Tell = Callable[[str], None]
"""Is given one sentence on how far a download is."""

FILES = ("model_index.json", "*/*.json", "*/*.safetensors", "*/*.txt", "*/*.model", "*/*.jinja")
"""What a diffusers pipeline loads; single-file checkpoints beside it are left on the hub."""
OTHERS = ("*.fp16.*", "*.bf16.*", "*.non_ema.*", "*/*.onnx*", "*/flax_*", "*/tf_*")
SPARE_GB = 2.0
"""GiB that must be free on the disk after a download."""


@dataclass(frozen=True)
class Plan:
    """What a download would bring.

    Attributes:
        size, missing: bytes in all, and of those not on this machine yet.
        free: bytes free where they would go.
    """

    size: int
    missing: int
    free: int

    @property
    def sentence(self) -> str:
        """How much is missing, and how much room there is."""
        if not self.missing:
            return f"All {in_gb(self.size)} are on this machine."
        return (
            f"{in_gb(self.missing)} of {in_gb(self.size)} are to be downloaded; {in_gb(self.free)} are free."
        )


def on_hub(card: ModelCard) -> bool:
    """Whether the card's weights come from the hub and not from a folder."""
    return not Path(card.source).is_absolute()


def is_here(card: ModelCard) -> bool:
    """Whether a model can be loaded without the network: its folder, or a whole download of it, is there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if not on_hub(card):
        return Path(card.source).is_dir()
    try:
        snapshot_download(card.source, **_choice(card), local_files_only=True)
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError):
        return False
    return True


def plan(card: ModelCard) -> Plan:
    """Ask the hub how large a checkpoint is, and look what of it is here already.

    Raises:
        InputError: if the hub is out of reach, does not know the checkpoint, or does not hand it out.
    """
    from huggingface_hub import snapshot_download

    with _in_words(card):
        files: Any = snapshot_download(card.source, **_choice(card), dry_run=True, tqdm_class=_bar(None))
    size = sum(file.file_size or 0 for file in files)
    missing = sum(file.file_size or 0 for file in files if file.will_download)
    return Plan(size, missing, _free())


def fetch(card: ModelCard, tell: Tell | None = None) -> Path:
    """The folder of a checkpoint, downloaded where it is not here yet; broken downloads are carried on.

    Args:
        card: of the checkpoint.
        tell: hears about the progress, from other threads; what it raises ends the download.

    Raises:
        InputError: if the disk is too full, or as `plan`.
    """
    from huggingface_hub import snapshot_download

    if is_here(card):
        return Path(snapshot_download(card.source, **_choice(card), local_files_only=True))
    wanted = plan(card)
    if wanted.free < wanted.missing + SPARE_GB * 2**30:
        raise InputError(
            f"{card.title} needs {in_gb(wanted.missing)} on the disk and {in_gb(wanted.free)} are free. Make "
            "room, or set HF_HOME to a folder on a larger disk."
        )
    had = wanted.size - wanted.missing

    def told(done: int) -> None:
        if tell is not None:
            here = in_gb(min(had + done, wanted.size))
            tell(f"{card.title} is being downloaded: {here} of {in_gb(wanted.size)}.")

    told(0)
    with _in_words(card):
        return Path(snapshot_download(card.source, **_choice(card), tqdm_class=_bar(told)))


def in_gb(size: int) -> str:
    """A size as people say it: `28.1 GB`, `350 MB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _choice(card: ModelCard) -> dict[str, Any]:
    return {
        "revision": card.revision or None,
        "allow_patterns": list(FILES),
        "ignore_patterns": list(OTHERS),
    }


def _free() -> int:
    """Bytes free where the hub's files are kept."""
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = Path(HF_HUB_CACHE)
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _bar(told: Callable[[int], None] | None) -> type[Any]:
    """A progress bar that draws nothing and tells the bytes that have arrived."""
    from tqdm.auto import tqdm

    arrived, lock = [0], threading.Lock()

    class Silent(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "disable": True})
            self.counts_bytes, self.bytes_done = kwargs.get("unit") == "B", 0

        def update(self, n: float | None = 1) -> None:
            if told is None or not self.counts_bytes:
                return
            with lock:
                self.bytes_done += int(n or 0)
                arrived[0] = max(arrived[0], self.bytes_done)  # two bars count: received, and written
                told(arrived[0])

    return Silent


@contextmanager
def _in_words(card: ModelCard) -> Iterator[None]:
    """Turn what the hub's client raises into a sentence that says what to do."""
    from huggingface_hub.errors import DryRunError, HfHubHTTPError, LocalEntryNotFoundError

    try:
        yield
    except (LocalEntryNotFoundError, DryRunError, HfHubHTTPError, OSError) as error:
        raise InputError(_sentence(card, error.__cause__ or error)) from error


def _sentence(card: ModelCard, error: BaseException) -> str:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    page = f"huggingface.co/{card.source}"
    if isinstance(error, GatedRepoError):
        return (
            f"{card.title} is handed out to those who accepted its licence. Accept it at {page}, then set "
            "the variable HF_TOKEN to a token of your account."
        )
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"The hub does not know {card.source}, or keeps it private. If you have access, set the variable "
            "HF_TOKEN to a token of your account; else choose another model."
        )
    return (
        f"The weights of {card.title} are not on this machine and {page} is out of reach. Connect to the "
        "network (and leave HF_HUB_OFFLINE unset), or choose a model that is here, as the embedded one is."
    )
