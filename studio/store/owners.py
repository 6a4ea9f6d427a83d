"""Who is at work over a data folder: whoever holds a file of that folder locked.

A process number tells nothing here: another container counts anew, and another machine has its own.
"""

import logging
import re
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from studio.timeline import new_id

_LOG = logging.getLogger(__name__)
_SUFFIX = ".lock"
_LEFT_OVER = 3600.0  # seconds after which a file that nobody holds is no owner's who just begins


class Owner:
    """One who works over a data folder, alive until it is closed or its process ends, however that happens.

    Args:
        data_dir: of the store.

    Attributes:
        name: by which others over the same folder ask for it.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "owners"
        self.name = new_id()
        self._lock = FileLock(self._folder / (self.name + _SUFFIX), thread_local=False)
        try:
            self._folder.mkdir(exist_ok=True)
            self._sweep()
            self._lock.acquire()
        except OSError as error:  # a full disk: films can still be watched and saved elsewhere
            _LOG.warning("other programs cannot see that this one works in %s: %s", data_dir, error)

    def alive(self, name: str) -> bool:
        """Whether the owner of that name, this one or another, still is at work."""
        file = self._folder / (name + _SUFFIX)
        return re.fullmatch("[0-9a-f]{32}", name) is not None and file.is_file() and not _free(file)

    def close(self) -> None:
        """Be at work no more. Safe to call twice."""
        if self._lock.is_locked:
            _give_up(self._lock)

    def _sweep(self) -> None:
        """Remove the files of those who ended before they could."""
        for file in self._folder.glob("*" + _SUFFIX):
            with suppress(OSError):
                if time.time() - file.stat().st_mtime > _LEFT_OVER:
                    _free(file, remove=True)


def _free(file: Path, *, remove: bool = False) -> bool:
    """Whether nobody holds a file locked."""
    lock = FileLock(file, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return False
    except OSError:  # a file system without locks: as if it were free
        return True
    if remove:
        _give_up(lock)
    else:
        lock.release()
    return True


def _give_up(lock: FileLock) -> None:
    """Remove a lock's file and let go of it; Windows removes it with the release."""
    with suppress(OSError):
        Path(lock.lock_file).unlink()
    lock.release()
