"""Whether a download is whole, judged by its own files: older clients of the hub kept no list of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any


def is_whole(folder: Path, allow_patterns: list[str], ignore_patterns: list[str]) -> bool:
    """Whether a download has every file that it names: parts, weights beside a configuration, and shards.

    Args:
        folder: of the download.
        allow_patterns, ignore_patterns: what was asked of the repository, as `snapshot_download` takes them.

    Raises:
        ValueError: if an index is no JSON.
    """
    from huggingface_hub.utils import filter_repo_objects

    def asked(names: Iterable[str]) -> set[str]:
        return set(filter_repo_objects(names, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns))

    names = asked(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    literal = {pattern for pattern in allow_patterns if "*" not in pattern}
    folders = {str(PurePosixPath(name).parent) for name in names}
    configurations = {name for name in names if PurePosixPath(name).name == "config.json"}
    weights = {_beside(name, "model.safetensors") for name in names if name.endswith(".safetensors")}
    return (
        names >= literal | set(_shards(folder, names))
        and all(part in folders for part in _parts(folder, names) if asked([f"{part}/config.json"]))
        and asked(_beside(name, "config.json") for name in weights) <= configurations
        and asked(_beside(name, "model.safetensors") for name in configurations) <= weights
    )


def _beside(name: str, other: str) -> str:
    """Another file in the folder of a file."""
    return str(PurePosixPath(name).with_name(other))


def _parts(folder: Path, names: Iterable[str]) -> list[str]:
    """The parts of a pipeline that its index names."""
    if "model_index.json" not in names:
        return []
    named = _read(folder / "model_index.json").items()
    return [part for part, kind in named if isinstance(kind, list) and kind[0] is not None]


def _shards(folder: Path, names: Iterable[str]) -> Iterator[str]:
    """The files that weights in several files are spread over."""
    for name in names:
        if name.endswith(".safetensors.index.json"):
            for shard in _read(folder / name).get("weight_map", {}).values():
                yield _beside(name, shard)


def _read(file: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return read
