"""What outlives the process: projects, jobs and timings in SQLite, and the media files beside them.

- A project is saved as a whole in one transaction: a crash leaves the old one or the new one.
- A media file appears under its name only when it is complete and on the disk; rows are written afterwards.
  So a crash leaves either nothing or a finished segment, and files that no row refers to are swept later.
- Connections are short and the journal is a write-ahead log: the page reads while a job writes.

The only SQL of the studio is in this package.
"""

from studio.store.media_files import disk_full
from studio.store.owners import Owner
from studio.store.records import JobRecord, ProjectSummary
from studio.store.store import Store

__all__ = ["JobRecord", "Owner", "ProjectSummary", "Store", "disk_full"]
