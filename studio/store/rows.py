"""Between records and rows: what a session is told, and what it tells."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from pydantic import ValidationError
from sqlmodel import Session, col, delete, select

from studio.errors import InputError
from studio.store.database import DeletedRow, JobRow, ProjectRow, SegmentRow
from studio.store.records import JobRecord, ProjectSummary
from studio.timeline import Gallery, Project, Segment

_LOG = logging.getLogger(__name__)


def project_row(session: Session, project_id: str) -> ProjectRow:
    """The row of a project.

    Raises:
        InputError: if there is none.
    """
    row = session.get(ProjectRow, project_id)
    if row is None:
        raise InputError("There is no such project; it may have been deleted. Choose another from the list.")
    return row


def summaries(rows: Iterable[ProjectRow]) -> list[ProjectSummary]:
    """One line for each project."""
    return [ProjectSummary.model_validate(row, from_attributes=True) for row in rows]


def delete_project(session: Session, row: ProjectRow) -> None:
    """Delete a project with its segments and jobs, and note that its files have to go."""
    session.delete(row)
    session.exec(delete(JobRow).where(col(JobRow.project_id) == row.id))
    session.merge(DeletedRow(project_id=row.id))


def read_project(session: Session, project_id: str) -> Project:
    """The project of an id.

    Raises:
        InputError: if there is none, or it cannot be read.
    """
    row = project_row(session, project_id)
    query = select(SegmentRow).where(SegmentRow.project_id == project_id).order_by(col(SegmentRow.position))
    try:
        return _project(row, [found.record for found in session.exec(query).all()])
    except ValidationError as error:
        _LOG.warning("project %s: %s", project_id, error)
        raise InputError(
            f"The project {row.title!r} cannot be read; it was damaged or made by another version of the "
            "studio. Open it with that version, or begin a new one."
        ) from error


def read_jobs(session: Session, states: Sequence[str], project_id: str | None) -> list[JobRecord]:
    """Jobs in any of these states, or in all if none is named, oldest first; of one project, or of all."""
    query = select(JobRow.record).order_by(col(JobRow.created))
    if states:
        query = query.where(col(JobRow.state).in_(states))
    if project_id is not None:
        query = query.where(col(JobRow.project_id) == project_id)
    return [JobRecord.model_validate_json(record) for record in session.exec(query).all()]


def _project(row: ProjectRow, records: Iterable[str]) -> Project:
    segments = [Segment.model_validate_json(record) for record in records]
    return Project(
        id=row.id,
        title=row.title,
        segments={segment.id: segment for segment in segments},
        head=row.head,
        gallery=None if row.gallery is None else Gallery.model_validate_json(row.gallery),
        created=datetime.fromisoformat(row.created),
        updated=datetime.fromisoformat(row.updated),
    )


def write_project(session: Session, project: Project, stored: Project | None = None) -> None:
    """Write a project; where it is known what is stored of it, only the segments that have changed."""
    film = project.branch()
    session.merge(
        ProjectRow(
            id=project.id,
            title=project.title,
            head=project.head,
            gallery=None if project.gallery is None else project.gallery.model_dump_json(),
            seconds=project.seconds,
            num_segments=len(film),
            poster=film[0].poster if film else None,
            created=time_text(project.created),
            updated=time_text(project.updated),
        )
    )
    session.flush()  # the foreign key of the segments
    old = () if stored is None else enumerate(stored.segments.values())
    before = {segment.id: (position, segment) for position, segment in old}
    of_project = col(SegmentRow.project_id) == project.id
    if stored is None:
        session.exec(delete(SegmentRow).where(of_project))
    elif gone := before.keys() - project.segments.keys():
        session.exec(delete(SegmentRow).where(of_project, col(SegmentRow.id).in_(gone)))
    for position, segment in enumerate(project.segments.values()):
        if before.get(segment.id) == (position, segment):
            continue
        session.merge(
            SegmentRow(
                project_id=project.id,
                id=segment.id,
                position=position,
                parent=segment.parent,
                record=segment.model_dump_json(),
            )
        )


def time_text(moment: datetime) -> str:
    """Text that sorts as the moments do."""
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds")
