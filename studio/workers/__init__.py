"""Where runs live: this process, or elsewhere behind the same contract. Importing this imports no torch."""

from studio.workers.contract import Task, Worker
from studio.workers.local import LocalWorker

__all__ = ["LocalWorker", "Task", "Worker"]
