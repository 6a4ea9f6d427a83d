"""Denoising networks from GGUF files: rounded to a few bits by whoever published them.

The file holds the network alone; text encoder, decoder and configurations come from the model's own folder.
Weights are widened to 16 or 32 bits where they are calculated with, so a file of a quarter of the size takes
a quarter of the memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.errors import InputError
from models.video_model import ModelCard

Networks = Mapping[str, Path]
"""GGUF files by the part of the pipeline that they hold, e.g. `transformer`."""


def networks_of(choice: str | Mapping[str, str]) -> Networks:
    """What was set for a model: a file for its `transformer`, or files by the names of its networks."""
    named = {"transformer": choice} if isinstance(choice, str) else choice
    return {name: Path(file).expanduser() for name, file in named.items()}


def check_files(networks: Networks, title: str) -> None:
    """Check that the files are there and that they are GGUF files.

    Raises:
        InputError: naming the first that is not.
    """
    for name, file in networks.items():
        if not file.is_file():
            raise InputError(f"The {name} of {title} is missing: there is no file {file}.")
        with file.open("rb") as opened:
            if opened.read(4) != b"GGUF":
                raise InputError(f"{file} is no GGUF file. Fetch it again, or name another for {title}.")


def with_networks(card: ModelCard, networks: Networks) -> ModelCard:
    """The card of a model whose networks take no more memory than their files.

    Raises:
        InputError: see `check_files`.
    """
    check_files(networks, card.title)
    if not networks:
        return card
    sizes = [file.stat().st_size for file in networks.values()]
    others = max(card.memory_gb - len(sizes) * card.parameters_b * 2e9 / 2**30, 0.0)
    largest = max(sizes) / 2e9 if len(sizes) >= card.networks else card.parameters_b
    return dataclasses.replace(card, memory_gb=others + sum(sizes) / 2**30, parameters_b=largest)


def load_network(file: Path, folder: Path, name: str, class_name: str, dtype: Any, title: str) -> Any:
    """The network of a GGUF file, with the configuration that lies in the model's folder.

    Args:
        file: what others rounded.
        folder: of the pipeline.
        name: of the part, a folder in it.
        class_name: diffusers' class of the part.
        dtype: torch dtype in which it calculates.
        title: of the model, for errors.

    Raises:
        InputError: if the model has no such part, diffusers reads no GGUF files for it, or the file does not
            hold all of it.
        ImportError: if the package gguf is missing.
    """
    import diffusers

    network_class: Any = getattr(diffusers, class_name, None)
    if not hasattr(network_class, "from_single_file"):
        raise InputError(f"{title} cannot be loaded from a GGUF file: its {name} is a {class_name}.")
    lacking = f"{file} does not hold all of the {name} of {title}. Name another file for it."
    try:
        network = network_class.from_single_file(
            str(file),
            config=str(folder),
            subfolder=name,
            quantization_config=diffusers.GGUFQuantizationConfig(compute_dtype=dtype),
            dtype=dtype,
            local_files_only=True,
        )
    except NotImplementedError as error:  # torch moves no tensor that has no data
        raise InputError(lacking) from error
    if any(weight.is_meta for weight in network.parameters()):
        raise InputError(lacking)
    return network
