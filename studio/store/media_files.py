"""Media files: complete or absent, under names that cannot be guessed."""

import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from studio.errors import InputError
from studio.timeline import new_id

UNFINISHED = "unfinished-"

_PROJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MEDIA_NAME = re.compile(r"(film-)?[0-9a-f]{32}\.[a-z0-9]{1,5}")
_DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)


def disk_full(error: BaseException) -> bool:
    """Whether an error, or one that caused it, says that no more can be written to the disk."""
    at: BaseException | None = error
    while at is not None:
        if getattr(at, "errno", None) in _DISK_FULL or "disk is full" in str(at):
            return True
        at = at.__cause__ or at.__context__
    return False


class MediaFiles:
    """A folder of media files for each project.

    Args:
        data_dir: holds `media/<project>/`; must exist.
        min_free: bytes of the disk that are never used up.
    """

    def __init__(self, data_dir: Path, min_free: int) -> None:
        self._data_dir = data_dir
        self._media = data_dir / "media"
        self._min_free = min_free

    def folder(self, project_id: str) -> Path:
        """The folder of a project; it need not exist.

        Raises:
            InputError: if the id is none.
        """
        if _PROJECT_ID.fullmatch(project_id) is None:
            raise InputError("There is no such project. Choose one from the list.")
        return self._media / project_id

    def path(self, project_id: str, name: str) -> Path:
        """The file of a media name.

        Raises:
            InputError: if the name is none that `write` gives, or the file is gone.
        """
        path = self.folder(project_id) / name
        if _MEDIA_NAME.fullmatch(name) is None or not path.is_file():
            raise InputError(
                "That file is not part of this project. Reload the page; if that does not help, the data "
                "folder has lost it, and an exported film restores the project."
            )
        return path

    def write(
        self, project_id: str, suffix: str, writer: Callable[[Path], object], name: str | None = None
    ) -> str:
        """Let `writer` fill a file and put it in its place when it is complete and on the disk.

        Raises:
            InputError: if the disk is full. Nothing is left behind then, nor after any other error.
            ValueError: if the suffix or the name is not one that `path` accepts.
        """
        folder = self.folder(project_id)
        name = name or new_id() + suffix
        if _MEDIA_NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is not a media name")
        unfinished = folder / (UNFINISHED + new_id() + suffix)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            writer(unfinished)
            _to_disk(unfinished)
            unfinished.replace(folder / name)
            _to_disk(folder)
        except BaseException as error:
            self.remove(unfinished)
            if disk_full(error) and not isinstance(error, InputError):
                raise self.full() from error
            raise
        return name

    def remove(self, path: Path) -> bool:
        """Remove a file, or leave it to a later sweep: Windows keeps what a browser is being sent."""
        try:
            path.unlink()
        except OSError:
            return False
        return True

    def remove_folder(self, project_id: str) -> bool:
        """Remove all files of a project; whether none is left."""
        folder = self.folder(project_id)
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    def sweep(self, project_id: str, kept: frozenset[str], min_age: float) -> int:
        """Remove media files of a project that are not among `kept` and at least `min_age` seconds old."""
        removed = 0
        for path in _files(self.folder(project_id)):
            ours = path.name.startswith(UNFINISHED) or _MEDIA_NAME.fullmatch(path.name)
            if ours and path.name not in kept and _age(path) >= min_age:
                removed += self.remove(path)
        return removed

    def forget_films(self, project_id: str, name: str, keep: int, min_age: float) -> None:
        """Remove films that are not the film `name` in any format; see `Store.forget_films`."""
        films, shown = self._films(project_id), self.folder(project_id) / name
        if films and films[0].stem != shown.stem:
            with suppress(OSError):  # not at every look: browsers keep a file as long as its age is the same
                os.utime(shown)
        films = [path for path in films if path.stem != shown.stem]
        played = [path for path in films if path.suffix == ".mp4"]
        saved = [path for path in films if path.suffix != ".mp4"]
        for path in played[keep:] + [path for path in saved[keep:] if _age(path) >= min_age]:
            self.remove(path)

    def newest_film(self, project_id: str) -> frozenset[str]:
        """The media name of the film that was exported last, if there is one."""
        return frozenset(path.name for path in self._films(project_id)[:1])

    def _films(self, project_id: str) -> list[Path]:
        """Exported films, the newest first."""
        films = self.folder(project_id).glob("film-*")
        return sorted((path for path in films if _MEDIA_NAME.fullmatch(path.name)), key=_age)

    def check_disk(self, needed: int) -> None:
        """Check that `needed` bytes can be written and the reserve is still free.

        Raises:
            InputError: if not.
        """
        free = shutil.disk_usage(self._data_dir).free
        needed += self._min_free
        if free < needed:
            raise InputError(
                f"The disk is nearly full: {free // 2**20} MiB free in {self._data_dir}, "
                f"{-(-needed // 2**20)} MiB needed. Delete a project or other files, "
                "or set STUDIO_DATA_DIR to a folder on another disk."
            )

    def full(self) -> InputError:
        """What to say when a write failed for want of space."""
        return InputError(
            f"The disk with {self._data_dir} is full or cannot be written; nothing half-written was kept. "
            "Delete a project or other files, or set STUDIO_DATA_DIR to a folder on another disk."
        )


def _to_disk(path: Path) -> None:
    """Make a file or a folder outlive a loss of power; folders only where the system can."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from [path for path in folder.iterdir() if path.is_file()]


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0  # somebody else has just removed it
