"""LoRA files on a loaded pipeline: loaded when first asked for, then switched on and off from run to run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.conditioning import Lora
from models.errors import InputError
from models.weights import check_file

_File = tuple[Path, tuple[int, int] | None]
"""A file as it was when somebody looked; one of before stays for the runs that began with it."""


def _file(lora: Lora) -> _File:
    return lora.path, lora.version


class Adapters:
    """The LoRA files of one pipeline.

    Args:
        pipeline: any diffusers pipeline.
        title: of the model, for messages.
    """

    def __init__(self, pipeline: Any, title: str) -> None:
        self._pipeline, self._title = pipeline, title
        self._names: dict[_File, str] = {}
        self._tried = 0
        self._active: tuple[Lora, ...] | None = ()

    def use(self, loras: Sequence[Lora]) -> None:
        """Let exactly these files count from now on. Costs nothing if they already do.

        Raises:
            InputError: if the model takes none, a file is missing, damaged, no LoRA, or for another model.
        """
        wanted = tuple(loras)
        if wanted == self._active:
            return
        unknown = [file for file in dict.fromkeys(map(_file, wanted)) if file not in self._names]
        for path, _ in unknown:
            self._check(path)
        for file in unknown:
            self._active = None  # until it is known again: loading a file switches it on
            self._load(file)
        if wanted:
            self._pipeline.enable_lora()
            self._switch_on([self._names[_file(lora)] for lora in wanted], [lora.weight for lora in wanted])
        elif self._names:  # a pipeline that holds none may have no such method
            self._pipeline.disable_lora()
        self._active = wanted

    def _check(self, path: Path) -> None:
        """Refuse what needs no try, while the pipeline is as it was."""
        from diffusers import utils

        if not hasattr(self._pipeline, "load_lora_weights"):
            raise InputError(f"{self._title} takes no LoRA files. Remove them, or choose another model.")
        if path.suffix != ".safetensors":
            raise InputError(f"{path.name} is no safetensors file. Take the LoRA in that format.")
        if not path.is_file():
            raise InputError(f"There is no LoRA file {path}. Put it there, or remove it from the request.")
        check_file(path, path.stem)
        if not utils.USE_PEFT_BACKEND:
            raise InputError('LoRA files need the package peft: .venv/bin/pip install -e ".[lora]".')

    def _load(self, file: _File) -> None:
        path = file[0]
        name = f"lora_{self._tried}"  # never one that failed: its layers may lie on disk under that name
        self._tried += 1
        try:
            for into_second in _networks_for(path, self._pipeline):
                self._pipeline.load_lora_weights(
                    str(path.parent), weight_name=path.name, adapter_name=name, **into_second
                )
        except Exception as error:  # whatever a file for another network makes the loader stumble over
            self._recover(name)
            why = str(error).splitlines()[0][:200]
            raise InputError(f"{path.name} cannot be used with {self._title}: {why}") from error
        self._names[file] = name

    def _recover(self, name: str) -> None:
        """Undo what a file that failed has left, and put offloading back, which loading takes away."""
        self._pipeline.maybe_free_model_hooks()
        held = {each for names in self._pipeline.get_list_adapters().values() for each in names}
        if name in held:
            self._pipeline.delete_adapters([name])
        if held - {name}:
            self._pipeline.disable_lora()

    def _switch_on(self, names: list[str], weights: list[float]) -> None:
        """Let these files count, each in the networks that it was loaded into."""
        held = self._pipeline.get_list_adapters()
        if "transformer_2" not in held:
            self._pipeline.set_adapters(names, weights)
            return
        for part in ("transformer", "transformer_2"):
            network = getattr(self._pipeline, part)
            chosen = [(name, weight) for name, weight in zip(names, weights, strict=True)
                      if name in held.get(part, ())]  # fmt: skip
            if chosen:
                network.set_adapters([name for name, _ in chosen], [weight for _, weight in chosen])
            elif part in held:
                network.disable_lora()


def _networks_for(path: Path, pipeline: Any) -> list[dict[str, bool]]:
    """Arguments that load a file into the networks that it is for.

    A model with one network for high and one for low noise (Wan 2.2) comes with a file for each, told apart
    by their names; what names neither goes into both.
    """
    if getattr(pipeline, "transformer_2", None) is None:
        return [{}]
    high, low = (_says(path.stem, word) for word in ("high", "low"))
    first, second = {"load_into_transformer_2": False}, {"load_into_transformer_2": True}
    return [first, second] if high == low else [first] if high else [second]


def _says(stem: str, word: str) -> bool:
    """Whether a word stands in a file's name by itself or before `noise`, not in `flow` or `highway`."""
    return re.search(rf"(?<![a-z]){word}(?=noise|[^a-z]|$)", stem.lower()) is not None
