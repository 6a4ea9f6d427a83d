"""Work for the queue."""

import threading

from studio.jobs import JobHandle

SOON = 20.0  # seconds that no test comes near


class Gate:
    """Work that begins, waits to be let on, and looks whether it was cancelled."""

    def __init__(self):
        self.begun, self.open = threading.Event(), threading.Event()

    def __call__(self, handle: JobHandle) -> None:
        self.begun.set()
        assert self.open.wait(SOON)
        handle.check()


def nothing(handle):
    pass
