"""Checkpoints from the Hugging Face hub: told how large before they are fetched, and fetched but once."""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import InputError
from models.revisions import REVISIONS
from models.video_model import ModelCard
from models.whole_download import is_whole

Tell = Callable[[str], None]
"""Is given one sentence on how far a download is."""

FILES = ("model_index.json", "*/*.json", "*/*.safetensors", "*/*.txt", "*/*.model", "*/*.jinja")
"""What a diffusers pipeline loads; single-file checkpoints beside it are left on the hub."""
OTHERS = ("*.fp16[.-]*", "*.bf16[.-]*", "*.non_ema[.-]*", "*/*.onnx*", "*/flax_*", "*/tf_*")
DISK_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
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


def is_here(card: ModelCard, without: Iterable[str] = ()) -> bool:
    """Whether a model can be loaded without the network: its folder, or a whole download of it, is there.

    Args:
        card: of the checkpoint.
        without: parts whose weights come from elsewhere, e.g. `transformer`.
    """
    if not on_hub(card):
        return Path(card.source).is_dir()
    return all(_here(choice) for choice in _choices(card, without))


def plan(card: ModelCard, without: Iterable[str] = ()) -> Plan:
    """Ask the hub how large a checkpoint is, and look what of it is here already; arguments as `is_here`.

    Raises:
        InputError: if the hub is out of reach, does not know the checkpoint, or does not hand it out.
    """
    from huggingface_hub import snapshot_download

    files: list[Any] = []
    for choice in map(_as_it_is_here, _choices(card, without)):
        with _in_words(card, choice["repo_id"]):
            files += snapshot_download(**choice, dry_run=True, tqdm_class=_bar(None))
    size = sum(file.file_size or 0 for file in files)
    missing = sum(file.file_size or 0 for file in files if file.will_download)
    return Plan(size, missing, _free())


def fetch(card: ModelCard, tell: Tell | None = None, without: Iterable[str] = ()) -> Path | None:
    """Download what of a checkpoint is not here yet; broken downloads are carried on.

    What older clients of the hub downloaded is compared with the hub once, where it is in reach.

    Args:
        card: of the checkpoint.
        tell: hears about the progress, from other threads; what it raises ends the download.
        without: as `is_here`.

    Returns:
        The folder of the pipeline; None for one that is gathered from several repositories by their ids, all
        of which are here then.

    Raises:
        InputError: if the disk is too full, or as `plan`.
    """
    from huggingface_hub import snapshot_download

    how: dict[str, Any] = {"local_files_only": True}
    without = tuple(without)
    choices = [_as_it_is_here(choice) for choice in _choices(card, without)]
    here = is_here(card, without)
    if not here or not (all(map(_listed, choices)) or _out_of_reach()):
        try:
            how = {"tqdm_class": _bar(_progress(card, tell, without))}
        except InputError:
            if not here:
                raise
    folders = []
    for choice in choices:
        with _in_words(card, choice["repo_id"]):
            folders.append(Path(snapshot_download(**choice, **how)))
    return folders[0] if (folders[0] / "model_index.json").is_file() else None


def _progress(card: ModelCard, tell: Tell | None, without: Iterable[str]) -> Callable[[int], None]:
    """What tells how many bytes have arrived, if there is room for all that are missing."""
    wanted = plan(card, without)
    if wanted.free < wanted.missing + SPARE_GB * 2**30:
        raise InputError(
            f"{card.title} needs {in_gb(wanted.missing)} on the disk and {in_gb(wanted.free)} are free. Make "
            "room, or set HF_HOME to a folder on a larger disk."
        )
    had = wanted.size - wanted.missing

    def told(done: int) -> None:
        if tell is not None:
            tell(f"{card.title} is being downloaded: {in_gb(had + done)} of {in_gb(wanted.size)}.")

    if wanted.missing:
        told(0)
    return told


def in_gb(size: int) -> str:
    """A size as people say it: `28.1 GB`, `350 MB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _choices(card: ModelCard, without: Iterable[str]) -> list[dict[str, Any]]:
    """What to ask of each repository, the card's own first."""
    elsewhere = [f"{part}/*.safetensors*" for part in without]
    return [
        {
            "repo_id": repository,
            "revision": (card.revision if repository == card.source else REVISIONS.get(repository)) or None,
            "allow_patterns": list(patterns),
            "ignore_patterns": [*OTHERS, *elsewhere],
        }
        for repository, patterns in (card.parts or {card.source: FILES}).items()
    ]


def _here(choice: dict[str, Any]) -> Path | None:
    """The folder of a download that is whole, if there is one."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(**choice, local_files_only=True))
        patterns = choice["allow_patterns"], choice["ignore_patterns"]
        return folder if _listed(choice) or is_whole(folder, *patterns) else None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError):
        return None


def _listed(choice: dict[str, Any]) -> bool:
    """Whether it is known here which files the hub has. If not, its client takes any folder for whole."""
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        get_cached_repo_tree(choice["repo_id"], revision=choice["revision"])
    except CachedRepoTreeNotFoundError:
        return False
    return True


def _out_of_reach() -> bool:
    """Whether the hub does not answer at once; its client asks five times more then, for 23 seconds."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=5)
    except (OSError, _network_error()):
        return True
    return False


def _network_error() -> Any:
    """The root of all errors of httpx, whichever of its versions the hub's client uses."""
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError.__bases__[0]


def _as_it_is_here(choice: dict[str, Any]) -> dict[str, Any]:
    """The same at the commit that is here, where only the list of its files is missing."""
    if _listed(choice) or (folder := _here(choice)) is None:
        return choice
    return {**choice, "revision": folder.name}


def _free() -> int:
    """Bytes free where the hub's files are kept."""
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = Path(HF_HUB_CACHE)
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _bar(told: Callable[[int], None] | None) -> type[Any]:
    """A progress bar that draws nothing and tells the bytes that arrived, in all downloads it is given to."""
    from huggingface_hub.utils import tqdm

    written, lock = [0], threading.Lock()

    class Silent(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # of the two bars that count bytes, the one of those received would count them again
            received = str(kwargs.get("name")).endswith(".transfer")
            super().__init__(*args, **{**kwargs, "disable": True})
            self.counts = kwargs.get("unit") == "B" and not received

        def update(self, n: float | None = 1) -> None:
            if told is not None and self.counts:
                with lock:
                    written[0] += int(n or 0)
                    told(written[0])

    return Silent


@contextmanager
def _in_words(card: ModelCard, repository: str) -> Iterator[None]:
    """Turn what the hub's client raises into a sentence that says what to do."""
    try:
        yield
    except (OSError, RuntimeError, _network_error()) as error:
        raise InputError(_sentence(card, repository, (error, error.__cause__))) from error


def _sentence(card: ModelCard, repository: str, errors: tuple[BaseException | None, ...]) -> str:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    page = f"huggingface.co/{repository}"
    if any(isinstance(error, GatedRepoError) for error in errors):
        return (
            f"{card.title} is handed out to those who accepted its licence. Accept it at {page}, then set "
            "the variable HF_TOKEN to a token of your account."
        )
    if any(isinstance(error, RepositoryNotFoundError) for error in errors):
        return (
            f"The hub does not know {repository}, or keeps it private. If you have access, set the variable "
            "HF_TOKEN to a token of your account; else choose another model."
        )
    if any(isinstance(error, RevisionNotFoundError) for error in errors):
        return (
            f"The hub no longer holds the revision {card.revision_name} of {repository}. Update the studio, "
            f"or download the model to a folder and name it in STUDIO_SOURCES, as {card.name!r}."
        )
    return _interruption(card, errors) or (
        f"The weights of {card.title} are not on this machine and {page} is out of reach. Connect to the "
        "network (and leave HF_HUB_OFFLINE unset), or choose a model that is here, as the embedded one is."
    )


def _interruption(card: ModelCard, errors: tuple[BaseException | None, ...]) -> str:
    """What ended a download though the hub is in reach; empty if it is not."""
    from huggingface_hub.errors import DryRunError, HfHubHTTPError, LocalEntryNotFoundError

    if any(getattr(getattr(error, "response", None), "status_code", 0) == 401 for error in errors):
        return (
            "The hub refuses the token of this machine. Set the variable HF_TOKEN to one that is valid, or "
            "remove it: most models need none."
        )
    if any(getattr(error, "errno", 0) in DISK_FULL or "os error 28" in str(error) for error in errors):
        return (
            f"The disk is full. What has arrived of {card.title} is kept, and the next try goes on from it. "
            "Make room, or set HF_HOME to a folder on a larger disk."
        )
    if isinstance(errors[0], (DryRunError, HfHubHTTPError, LocalEntryNotFoundError)):
        return ""
    said = " ".join(str(errors[0]).split())[:200] or type(errors[0]).__name__
    return f"The download of {card.title} broke off ({said}). What has arrived is kept, so try again."
