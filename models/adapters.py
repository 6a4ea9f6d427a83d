"""LoRA files on a loaded pipeline: loaded when first asked for, then switched on and off from run to run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.conditioning import Lora
from models.errors import InputError
from models.weights import check_file


class Adapters:
    """The LoRA files of one pipeline.

    Args:
        pipeline: any diffusers pipeline.
        title: of the model, for messages.
    """

    def __init__(self, pipeline: Any, title: str) -> None:
        self._pipeline, self._title = pipeline, title
        self._names: dict[Path, str] = {}
        self._active: tuple[Lora, ...] = ()

    def use(self, loras: Sequence[Lora]) -> None:
        """Let exactly these files count from now on. Costs nothing if they already do.

        Raises:
            InputError: if the model takes none, a file is missing, damaged, no LoRA, or for another model.
        """
        wanted = tuple(loras)
        if wanted == self._active:
            return
        for lora in wanted:
            if lora.path not in self._names:
                self._load(lora.path)
        if wanted:
            self._pipeline.enable_lora()
            self._pipeline.set_adapters(
                [self._names[lora.path] for lora in wanted], [lora.weight for lora in wanted]
            )
        else:
            self._pipeline.disable_lora()
        self._active = wanted

    def _load(self, path: Path) -> None:
        if not hasattr(self._pipeline, "load_lora_weights"):
            raise InputError(f"{self._title} takes no LoRA files. Remove them, or choose another model.")
        if path.suffix != ".safetensors":
            raise InputError(f"{path.name} is no safetensors file. Take the LoRA in that format.")
        if not path.is_file():
            raise InputError(f"There is no LoRA file {path}. Put it there, or remove it from the request.")
        check_file(path, path.stem)
        name = f"lora_{len(self._names)}"
        try:
            self._pipeline.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name=name)
        except Exception as error:  # whatever a file for another network makes the loader stumble over
            why = str(error).splitlines()[0][:200]
            if "PEFT" in why:
                raise InputError(
                    'LoRA files need the package peft: .venv/bin/pip install -e ".[lora]".'
                ) from error
            raise InputError(f"{path.name} cannot be used with {self._title}: {why}") from error
        self._names[path] = name
