"""The views' files: where they lie, what they say of themselves, and how new ones take the place of old ones.

Decides the layout under `views/`: one folder a view, in it its file, or a folder with one file for each `date=` or `month=`. New files are
made aside, in `.staging`; then whole folders change places with the old ones, so that a reader sees one or the other. What is in a file and
when it is made is decided by `materialize`, how it becomes durable by `pipeline.durable`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from typing import NamedTuple

import polars as pl

from pipeline import durable
from pipeline.questions import Position
from views.catalog import VIEWS, View
from views.columns import VERSION

STAGING = ".staging"
LOCK = ".lock"

VOUCHER = VIEWS[-1]
"""The view that is made last: what its file says holds for all. A crash before that leaves it old, and the same dates are made again."""


class Mark(NamedTuple):
    """To what position of the log and under which terms a view was made."""

    position: Position
    stamp: str
    zone: str

    def metadata(self, view: View) -> dict[str, str]:
        """As a file's metadata."""
        return {
            "ringlet.view": view.name,
            "ringlet.version": str(VERSION),
            "ringlet.epoch": self.position.epoch,
            "ringlet.seq": str(self.position.seq),
            "ringlet.terms": self.stamp,
            "ringlet.zone": self.zone,
        }


def mark(views: str) -> Mark | None:
    """What the view that vouches for all says; None where there is none of this version."""
    try:
        about = pl.read_parquet_metadata(files(views, VOUCHER)[0])
        if about["ringlet.version"] != str(VERSION):
            return None
        return Mark(Position(about["ringlet.epoch"], int(about["ringlet.seq"])), about["ringlet.terms"], about["ringlet.zone"])
    except (IndexError, KeyError, ValueError, OSError, pl.exceptions.PolarsError):
        # A file that is no view of ours says nothing; the views are made anew.
        return None


def has_roll_ups(views: str) -> bool:
    """Whether every view that is one file has it."""
    return all(view.partition or files(views, view) for view in VIEWS)


def files(views: str, view: View) -> list[str]:
    """Paths of a view's files, by partition."""
    folders = sorted(partitions(views, view).values()) if view.partition else [os.path.join(views, view.name)]
    return [path for folder in folders for path in in_folder(folder)]


def partitions(views: str, view: View) -> dict[str, str]:
    """Folder by partition, `date=2026-05-01` or `month=2026-05`; those without a file are left out."""
    folder = os.path.join(views, view.name)
    found = {name: os.path.join(folder, name) for name in _listed(folder) if name.startswith(f"{view.partition}=")}
    return {name: path for name, path in found.items() if in_folder(path)}


def in_partition(views: str, view: View, partition: str) -> list[str]:
    """Paths of the Parquet files of one partition; none where it is missing."""
    return in_folder(os.path.join(views, view.name, partition))


def in_folder(folder: str) -> list[str]:
    """Paths of the Parquet files in one folder."""
    return [os.path.join(folder, name) for name in _listed(folder) if name.endswith(".parquet")]


def scan(paths: Sequence[str], view: View) -> pl.LazyFrame:
    """The rows of some of a view's files."""
    if not paths:
        return pl.LazyFrame(schema=view.columns)
    return pl.scan_parquet(list(paths), hive_partitioning=False).select(pl.col(name).cast(kind) for name, kind in view.columns.items())


class Writer:
    """New files, made aside until `publish`; use as a context manager, within `locked`."""

    def __init__(self, views: str, made: Mark) -> None:
        self._views = views
        self._staging = os.path.join(views, STAGING)
        self._made = made
        self._name = f"{made.position.seq:012}-{os.urandom(3).hex()}.parquet"
        # Files are written and fsynced while the next dates are being made.
        self._pool = ThreadPoolExecutor(2)
        self._pending: list[Future[None]] = []

    def write(self, view: View, partition: str | None, rows: pl.DataFrame | pl.LazyFrame) -> None:
        """Begin to write one file; of a frame that is not collected yet the rows are made on the way."""
        folder = os.path.join(self._staging, view.name)
        if partition is not None:
            folder = os.path.join(folder, partition)
            # Its name is fsynced with all others when they are published.
            durable.fs.mkdir(folder)
        self._pending.append(self._pool.submit(self._write, os.path.join(folder, self._name), view, rows))
        if len(self._pending) > 24:
            self._pending.pop(0).result()

    def staged(self, view: View) -> dict[str, str]:
        """Folder by partition of what has been written so far."""
        for pending in self._pending:
            pending.result()
        self._pending.clear()
        return partitions(self._staging, view)

    def publish(self, *, whole: bool) -> None:
        """All that is staged takes its place, in the order of the views; `whole` views are replaced with all their partitions."""
        for view in VIEWS:
            staged = self.staged(view)
            durable.make_dirs(os.path.join(self._views, view.name))
            durable.fsync_dirs([*staged.values(), os.path.join(self._staging, view.name)])
            if whole or not view.partition:
                self._swap(view.name)
            else:
                for partition in staged:
                    self._swap(os.path.join(view.name, partition))

    def __enter__(self) -> "Writer":
        durable.remove_tree(self._staging)
        for view in VIEWS:
            durable.make_dirs(os.path.join(self._staging, view.name))
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _write(self, path: str, view: View, rows: pl.DataFrame | pl.LazyFrame) -> None:
        buffer = BytesIO()
        made = rows if isinstance(rows, pl.DataFrame) else rows.collect(engine="streaming")
        made.write_parquet(
            buffer,
            compression="zstd",
            compression_level=1,
            row_group_size=65_536,
            # A file of calls is one date: bounds of its columns would cost a third of the writing and spare nobody any reading.
            statistics=view.partition != "date",
            metadata=self._made.metadata(view),
        )
        durable.write_new(path, buffer.getbuffer())

    def _swap(self, name: str) -> None:
        """The staged folder stands where the old one stood, which lies in staging now."""
        staged, target = os.path.join(self._staging, name), os.path.join(self._views, name)
        if not os.path.lexists(target):
            durable.fs.rename_new(staged, target)
        elif not durable.fs.exchange(staged, target):
            # For a moment there is no folder: views can be made again, so this is not worth refusing.
            durable.fs.replace(target, f"{staged}.old")
            durable.fs.replace(staged, target)
        durable.fsync_dirs([os.path.dirname(target)])


@contextmanager
def locked(views: str) -> Iterator[None]:
    """Nobody else writes the views meanwhile; what was staged and not published is gone afterwards. Raises Held."""
    durable.make_dirs(views)
    with durable.lock(os.path.join(views, LOCK)):
        try:
            yield
        finally:
            durable.remove_tree(os.path.join(views, STAGING))


def sizes(views: str) -> Mapping[str, tuple[int, int]]:
    """(files, bytes) of each view."""
    found = {view.name: files(views, view) for view in VIEWS}
    return {name: (len(paths), sum(os.path.getsize(path) for path in paths)) for name, paths in found.items()}


def _listed(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
