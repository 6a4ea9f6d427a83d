"""Tables, connections and transactions."""

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool
from sqlmodel import Field, Session, SQLModel, create_engine

from studio.errors import InputError
from studio.store.media_files import disk_full

SCHEMA_VERSION = 1
BUSY_SECONDS = 15

_LOG = logging.getLogger(__name__)


class ProjectRow(SQLModel, table=True):
    """A project without its segments."""

    __tablename__ = "project"
    id: str = Field(primary_key=True)
    title: str
    head: str | None
    gallery: str | None  # Gallery as JSON
    seconds: float
    num_segments: int
    poster: str | None
    created: str
    updated: str = Field(index=True)


class SegmentRow(SQLModel, table=True):
    """A segment; `record` is the whole of it as JSON, request and candidates included."""

    __tablename__ = "segment"
    project_id: str = Field(primary_key=True, foreign_key="project.id", ondelete="CASCADE")
    id: str = Field(primary_key=True)
    position: int
    parent: str | None
    record: str


class JobRow(SQLModel, table=True):
    """A job; `record` is the whole of it as JSON."""

    __tablename__ = "job"
    id: str = Field(primary_key=True)
    project_id: str | None = Field(index=True)
    state: str = Field(index=True)
    created: str = Field(index=True)
    record: str


class VisitorRow(SQLModel, table=True):
    """Which browser began a project, where strangers share the studio."""

    __tablename__ = "visitor"
    project_id: str = Field(primary_key=True, foreign_key="project.id", ondelete="CASCADE")
    visitor: str = Field(index=True)


class DeletedRow(SQLModel, table=True):
    """A project that is deleted, until its files are gone too."""

    __tablename__ = "deleted"
    project_id: str = Field(primary_key=True)


class TimingRow(SQLModel, table=True):
    """How long something takes with a model."""

    __tablename__ = "timing"
    model: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    seconds: float


_NAMES = ("project", "segment", "visitor", "job", "deleted", "timing")
_TABLES = [SQLModel.metadata.tables[name] for name in _NAMES]


class Database:
    """One SQLite file: write-ahead log, foreign keys, short connections.

    Args:
        path: the file; made where it is missing.
        full: what to raise when the disk is full.

    Raises:
        InputError: if the file is damaged, no database, or of another version.
    """

    def __init__(self, path: Path, full: InputError) -> None:
        self.path = path
        self._full = full
        self._engine = _engine(path)
        self._create_tables()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state of the database and holds up nobody."""
        with self._plainly(), Session(self._engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that writes all or nothing, one at a time."""
        engine = self._engine.execution_options(writes=True)
        with self._plainly(), Session(engine) as session, session.begin():
            yield session

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Say in a sentence what SQLite says in codes."""
        try:
            yield
        except DatabaseError as error:
            _LOG.warning("database %s: %s", self.path, error.orig)
            if disk_full(error) or "disk I/O" in str(error.orig):
                raise InputError(*self._full.args) from error
            if "locked" in str(error.orig):
                raise InputError(
                    f"Another program keeps {self.path} locked. Close it and try again."
                ) from error
            if "readonly" in str(error.orig) or not os.access(self.path.parent, os.W_OK):
                raise InputError(
                    f"{self.path} cannot be written; nothing in it is damaged. Change the permissions of its "
                    "folder, or set STUDIO_DATA_DIR to another one."
                ) from error
            raise InputError(
                f"The database {self.path} cannot be used ({error.orig}). Put back a copy of it, or move it "
                "away to begin with an empty one; the media files stay where they are."
            ) from error

    def _create_tables(self) -> None:
        with self._plainly(), self._engine.execution_options(writes=True).begin() as connection:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
            if version not in (0, SCHEMA_VERSION) or (version == 0 and tables):
                raise InputError(
                    f"The database {self.path} has version {version}; this studio reads version "
                    f"{SCHEMA_VERSION}. Use the studio that made it, or another STUDIO_DATA_DIR."
                )
            SQLModel.metadata.create_all(connection, tables=_TABLES)  # those that are missing
            if version == 0:
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _log_ahead(connection: Any) -> None:
    """Only the first time it changes anything: then SQLite does not wait for others who begin as well."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.05)


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=NullPool,
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        _log_ahead(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later would fail at once when another one wrote between.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
