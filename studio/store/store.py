"""The verbs of the store."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from sqlmodel import col, delete, select

from studio.errors import InputError
from studio.store import rows
from studio.store.database import Database, DeletedRow, JobRow, ProjectRow, TimingRow, VisitorRow
from studio.store.media_files import MediaFiles
from studio.store.records import JobRecord, ProjectSummary
from studio.timeline import Project, media_names, previews

_Summaries = list[ProjectSummary]
_Jobs = list[JobRecord]


class Store:
    """Everything that outlives the process, under one folder.

    Args:
        data_dir: holds `studio.db` and `media/<project>/`; made where it is missing.
        min_free_mb: free disk that is never used up, in MiB.

    Raises:
        InputError: if the folder cannot be written, or its database is damaged or of another version.
    """

    def __init__(self, data_dir: Path, min_free_mb: int = 0) -> None:
        self.data_dir = Path(data_dir).absolute()
        try:
            (self.data_dir / "media").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"The data folder {self.data_dir} cannot be made ({error.strerror}). "
                "Set STUDIO_DATA_DIR to a folder that can be written."
            ) from error
        self._files = MediaFiles(self.data_dir, min_free_mb * 2**20)
        self._database = Database(self.data_dir / "studio.db", self._files.full())

    # Projects

    def save(self, project: Project, visitor: str = "") -> None:
        """Write the whole project in one transaction, in the place of what was stored under its id.

        Args:
            project: what to write.
            visitor: who begins it, where strangers share the studio.

        Raises:
            InputError: if the disk is full or the database cannot be written; nothing has changed then.
        """
        self.media_dir(project.id)
        with self._database.writing() as session:
            rows.write_project(session, project)
            if visitor:
                session.merge(VisitorRow(project_id=project.id, visitor=visitor))

    def load(self, project_id: str) -> Project:
        """The project of that id.

        Raises:
            InputError: if there is none, or it cannot be read.
        """
        with self._database.reading() as session:
            return rows.read_project(session, project_id)

    def update(self, project_id: str, change: Callable[[Project], Project]) -> Project:
        """Load, change and save in one transaction, so that a job and the page never undo each other's work.

        `change` must be quick and must not call the store. If it raises, nothing has changed. Previews that
        it takes away are removed.

        Raises:
            InputError: if there is no such project, or the disk is full.
        """
        with self._database.writing() as session:
            before = rows.read_project(session, project_id)
            project = change(before)
            rows.write_project(session, project, before)
        self.remove_media(project_id, previews(before.gallery) - media_names(project))
        return project

    def delete(self, project_id: str) -> None:
        """Forget a project with its segments, its jobs and its media files.

        Raises:
            InputError: if there is no such project.
        """
        with self._database.writing() as session:
            rows.delete_project(session, rows.project_row(session, project_id))
        self._remove_deleted()

    def retire(self, before: datetime) -> _Summaries:
        """Delete the projects that were changed last before a time, and for which no job was submitted since.

        Never one for which a job of any process runs or waits; none can begin in between.

        Returns:
            One line for each that is gone.
        """
        active = col(JobRow.state).in_(("queued", "running"))
        in_use = select(JobRow.project_id).where(
            col(JobRow.project_id).is_not(None), active | (col(JobRow.created) >= rows.time_text(before))
        )
        old = select(ProjectRow).where(
            col(ProjectRow.updated) < rows.time_text(before), col(ProjectRow.id).not_in(in_use)
        )
        with self._database.writing() as session:
            found = session.exec(old).all()
            gone = rows.summaries(found)
            for row in found:
                rows.delete_project(session, row)
        self._remove_deleted()
        return gone

    def list(self, visitor: str | None = None) -> _Summaries:
        """One line for each project, or for each that a visitor began, the one changed last first."""
        query = select(ProjectRow).order_by(col(ProjectRow.updated).desc())
        if visitor is not None:
            query = query.join(VisitorRow).where(col(VisitorRow.visitor) == visitor)
        with self._database.reading() as session:
            return rows.summaries(session.exec(query).all())

    def of_same_visitor(self, project_id: str) -> _Summaries:
        """One line for each project of whoever began this one; none if nobody knows who did."""
        query = select(VisitorRow.visitor).where(col(VisitorRow.project_id) == project_id)
        with self._database.reading() as session:
            visitor = session.exec(query).first()
        return self.list(visitor) if visitor else []

    # Media

    def media_dir(self, project_id: str) -> Path:
        """The folder of a project's media files; it need not exist.

        Raises:
            InputError: if the id is none.
        """
        return self._files.folder(project_id)

    def media_path(self, project_id: str, name: str) -> Path:
        """The file of a media name; a name that leads out of the project's folder is refused.

        Raises:
            InputError: if the name is none that `write_media` gives, or the file is gone.
        """
        return self._files.path(project_id, name)

    def write_media(
        self, project_id: str, suffix: str, writer: Callable[[Path], object], name: str | None = None
    ) -> str:
        """Let `writer` fill a file and put it in its place when it is complete and on the disk.

        Args:
            project_id: whose file it is.
            suffix: with its dot, e.g. `.mp4`.
            writer: writes the path it is given; the path has the suffix.
            name: media name to use; by default a new one that cannot be guessed.

        Returns:
            The media name.

        Raises:
            InputError: if the disk is full. Nothing is left behind then, nor after any other error.
        """
        return self._files.write(project_id, suffix, writer, name)

    def remove_unsaved(self, project_id: str) -> None:
        """Remove the media files of a project that could not be completed and was never saved."""
        self._files.remove_folder(project_id)

    def remove_media(self, project_id: str, names: Iterable[str]) -> None:
        """Remove media files of a project that no row refers to any more."""
        for name in names:
            with suppress(InputError):
                self._files.remove(self.media_path(project_id, name))

    def check_disk(self, needed_bytes: int = 0) -> None:
        """Check that so much can be written and the reserve is still free.

        Raises:
            InputError: if not.
        """
        self._files.check_disk(needed_bytes)

    def forget_films(self, project_id: str, name: str, keep: int = 2, min_age: float = 600.0) -> None:
        """Remove exported films that have given way to another one; they are made again when asked for.

        A page plays the mp4 of every chunk that is added, and turns to the next within seconds: of these only
        the last few stay. Other formats were asked for by a person, who may still be fetching them.

        Args:
            project_id: whose films they are.
            name: media name of the film as it is now, which stays in every format.
            keep: how many older mp4 files stay, and how many others.
            min_age: seconds; younger files of other formats stay however many there are.
        """
        self._files.forget_films(project_id, name, keep, min_age)

    def _remove_deleted(self) -> None:
        """Remove the files of deleted projects, those included that a crash or an open file has left."""
        with self._database.reading() as session:
            deleted = session.exec(select(DeletedRow.project_id)).all()
        gone = [each for each in deleted if self._files.remove_folder(each)]
        if gone:
            with self._database.writing() as session:
                session.exec(delete(DeletedRow).where(col(DeletedRow.project_id).in_(gone)))

    def sweep(self, project_id: str | None = None, min_age: float = 3600.0) -> int:
        """Remove media files that no row refers to: what a crash left, old films, previews nobody keeps.

        Folders of which the database knows nothing stay: it may be a copy older than they are, or a new one,
        and the films in them bring their projects back. So do the files of projects that another process is
        at work on, or has in its queue.

        Args:
            project_id: of one project; by default of all.
            min_age: seconds; younger files may belong to another process that has yet to write their row.

        Returns:
            How many files were removed.
        """
        self._remove_deleted()
        busy = {job.project_id for job in self.load_jobs("queued", "running")}
        known = [summary.id for summary in self.list() if summary.id not in busy]
        removed = 0
        for found in known if project_id is None else {project_id} & set(known):
            try:  # the newest film's place has been told
                kept = media_names(self.load(found)) | self._files.newest_film(found)
            except InputError:
                continue  # a project that cannot be read keeps its files
            removed += self._files.sweep(found, kept, min_age)
        return removed

    # Jobs and timings

    def save_job(self, record: JobRecord, beside: Callable[[_Jobs], None] | None = None) -> None:
        """Write the state of one job.

        Args:
            record: what to write.
            beside: is given the other jobs of its project that have not ended, and raises if this one must
                not be written; no other process writes one in between.
        """
        row = JobRow(
            id=record.id,
            project_id=record.project_id,
            state=record.state,
            created=rows.time_text(record.created),
            record=record.model_dump_json(),
        )
        with self._database.writing() as session:
            if beside is not None and record.project_id is not None:
                others = rows.read_jobs(session, ("queued", "running"), record.project_id)
                beside([each for each in others if each.id != record.id])
            session.merge(row)

    def load_job(self, job_id: str) -> JobRecord | None:
        """The stored state of one job, or None."""
        with self._database.reading() as session:
            row = session.get(JobRow, job_id)
            return None if row is None else JobRecord.model_validate_json(row.record)

    def load_jobs(self, *states: str, project_id: str | None = None) -> _Jobs:
        """Jobs in any of these states, by default all, oldest first; of one project, by default of all."""
        with self._database.reading() as session:
            return rows.read_jobs(session, states, project_id)

    def newest_job(self, project_id: str) -> JobRecord | None:
        """The job of a project that was submitted last, or None."""
        query = select(JobRow.record).where(col(JobRow.project_id) == project_id)
        with self._database.reading() as session:
            record = session.exec(query.order_by(col(JobRow.created).desc()).limit(1)).first()
            return None if record is None else JobRecord.model_validate_json(record)

    def forget_jobs(self, before: datetime) -> None:
        """Remove ended jobs that were submitted before that time."""
        ended = col(JobRow.state).not_in(("queued", "running"))
        with self._database.writing() as session:
            session.exec(delete(JobRow).where(col(JobRow.created) < rows.time_text(before), ended))

    def record_timing(self, model: str, key: str, seconds: float) -> None:
        """Note how long something took with a model, e.g. one network evaluation; the newest weighs half."""
        with self._database.writing() as session:
            row = session.get(TimingRow, (model, key))
            mean = seconds if row is None else 0.5 * (row.seconds + seconds)
            session.merge(TimingRow(model=model, key=key, seconds=mean))

    def timing(self, model: str, key: str) -> float | None:
        """Seconds that it took lately, or None if it was never measured."""
        with self._database.reading() as session:
            row = session.get(TimingRow, (model, key))
            return None if row is None else row.seconds
