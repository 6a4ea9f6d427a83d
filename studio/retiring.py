"""Old projects go by themselves where the operator wants it, so that a disk that many share is never full."""

import logging
import threading
from datetime import timedelta

from studio.store import Store
from studio.timeline import now

_EVERY = 3600.0  # seconds
_LOG = logging.getLogger(__name__)


def retire_from_now_on(store: Store, keep_days: float, closing: threading.Event) -> None:
    """Remove projects that nobody has changed for long, at once and then every hour, in the background.

    Each is told in the log; so is whatever goes wrong, and it is tried again an hour later.

    Args:
        store: whose projects they are.
        keep_days: days for which a project is kept that nobody changes.
        closing: ends it when it is set.
    """

    def work() -> None:
        while not closing.is_set():
            _retire(store, keep_days)
            closing.wait(_EVERY)

    threading.Thread(target=work, name="studio-retire", daemon=True).start()


def _retire(store: Store, keep_days: float) -> None:
    try:
        for gone in store.retire(now() - timedelta(days=keep_days)):
            since = gone.updated.isoformat(timespec="minutes")
            _LOG.warning("project %s is removed: unchanged since %s (STUDIO_KEEP_DAYS)", gone.id, since)
    except Exception:
        _LOG.warning("old projects stay for another hour", exc_info=True)
