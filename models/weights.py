"""Checkpoints on disk: looked over before they are loaded, so that damage is told in plain words."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from models.errors import InputError
from models.gguf_networks import Networks, load_network
from models.placement import Storage
from models.video_model import ModelCard

NETWORKS = ("transformer", "transformer_2", "unet")
"""The parts of a pipeline that denoise."""


def check_folder(folder: Path, title: str) -> None:
    """Check that a diffusers folder is complete and that every weight file can be opened.

    Only the headers of safetensors files are read; a truncated file is found all the same, because the header
    says how long the file is.

    Raises:
        InputError: naming the first file that is missing or damaged, and what to do.
    """
    mend = "Fetch the folder again."
    if not folder.is_dir():
        raise InputError(f"The weights of {title} are missing: there is no folder {folder}. {mend}")
    index = read_json(folder / "model_index.json", title)
    for name, value in index.items():
        used = not name.startswith("_") and isinstance(value, list) and value[0] is not None
        if used and not (folder / name).is_dir():
            raise InputError(f"The weights of {title} are incomplete: {folder / name} is missing. {mend}")
    for shards in sorted(folder.rglob("*.safetensors.index.json")):
        for shard in sorted(set(read_json(shards, title).get("weight_map", {}).values())):
            if not (shards.parent / shard).is_file():
                missing = shards.parent / shard
                raise InputError(f"The weights of {title} are incomplete: {missing} is missing. {mend}")
    for file in sorted(folder.rglob("*.safetensors")):
        check_file(file, title)


def check_kind(folder: Path, card: ModelCard, without: Iterable[str] = ()) -> None:
    """Check that the weights of every part with a configuration are in safetensors files.

    Args:
        folder: of a pipeline, that of an older checkpoint maybe, which has pickles.
        card: of the model that is to be loaded from it.
        without: parts whose weights come from elsewhere.

    Raises:
        InputError: naming the parts without any, and where there are some.
    """
    parts = sorted(file.parent for file in folder.glob("*/config.json"))
    lacking = [
        each.name for each in parts if each.name not in without and not any(each.glob("*.safetensors"))
    ]
    if lacking:
        raise InputError(
            f"There is no safetensors file with the weights of {' and '.join(lacking)} in {folder}. The "
            "studio loads no others (.bin, .ckpt), as those can run code of their makers. Fetch the folder "
            f"again, or choose a checkpoint that has them, such as {card.source}."
        )


def check_file(file: Path, title: str) -> None:
    """Check that a safetensors file can be opened and is as long as its header says.

    Raises:
        InputError: naming the file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"A weight file of {title} is damaged: {file} ({file.stat().st_size} bytes) cannot be read "
            f"({error}). {_fetched_again(file)}"
        ) from error


def _fetched_again(file: Path) -> str:
    """What to do about a damaged file: the hub's client fetches none that it finds, or its link's."""
    return f"Delete {'it' if file.resolve() == file else file.resolve()}, and fetch it again."


def read_json(file: Path, title: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InputError: naming the file if it is missing or damaged.
    """
    if not file.is_file():
        raise InputError(f"The weights of {title} are incomplete: {file} is missing. Fetch the folder again.")
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"A file of {title} is damaged: {file} is not JSON. {_fetched_again(file)}"
        ) from error
    if not isinstance(value, dict):
        raise InputError(f"A file of {title} is damaged: {file} holds no JSON object. {_fetched_again(file)}")
    return value


def load_pipeline(
    pipeline_class: type[Any],
    card: ModelCard,
    source: Path | str | None,
    dtype: Any,
    storage: Storage = "full",
    networks: Networks | None = None,
) -> Any:
    """Load a pipeline from a folder or from the hub, in evaluation mode.

    Args:
        pipeline_class: the diffusers pipeline class.
        card: of the checkpoint.
        source: a folder or hub id in place of the card's.
        dtype: torch dtype of the weights.
        storage: `int8` and `nf4` round the denoising network's weights while they are loaded.
        networks: GGUF files of the denoising networks, in place of the folder's.

    Raises:
        InputError: if files are missing or damaged, or do not fit the model's code, or a package is missing.
    """
    where = str(source or card.source)
    is_folder = source is not None or Path(where).is_absolute()
    if is_folder:
        check_folder(Path(where), card.title)
    try:
        rounding = quantization(storage, pipeline_class, dtype)
        with quiet():
            loaded = _from_files(networks or {}, Path(where), dtype, card.title)
            pipeline = pipeline_class.from_pretrained(
                where,
                revision=card.revision or None,
                dtype=_dtypes(card, dtype),
                local_files_only=is_folder,
                use_safetensors=True,
                **rounding,
                **loaded,
            )
    except ImportError as error:
        raise InputError(
            f'{card.title} needs further packages to be loaded so: pip install -e ".[quantization]". {error}'
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError) as error:
        if is_folder:
            check_kind(Path(where), card, without=networks or {})
        raise InputError(
            f"The weights of {card.title} could not be loaded from {where}: {error} Fetch them again, or "
            f"choose another model."
        ) from error
    for name, module in pipeline.components.items():
        if hasattr(module, "eval"):
            module.eval().requires_grad_(False)
            if is_folder and name not in loaded:
                check_names(module, Path(where) / name, card.title)
    return pipeline


def _dtypes(card: ModelCard, dtype: Any) -> Any:
    """The dtype of all parts, or of each."""
    import torch

    precise = dict.fromkeys(card.precise, torch.float32)
    return {"default": dtype, **precise} if precise else dtype


def _from_files(networks: Networks, folder: Path, dtype: Any, title: str) -> dict[str, Any]:
    """The networks that GGUF files hold, by their parts of the pipeline in this folder."""
    if networks and not (folder / "model_index.json").is_file():
        raise InputError(f"{title} takes no GGUF file, as its parts lie in several places.")
    index = read_json(folder / "model_index.json", title) if networks else {}
    loaded = {}
    for name, file in networks.items():
        if name not in index or name not in NETWORKS:
            held = " and ".join(part for part in NETWORKS if part in index)
            raise InputError(f"{title} has no network called {name}, but {held}. Name the file for that.")
        loaded[name] = load_network(file, folder, name, index[name][1], dtype, title)
    return loaded


def quantization(storage: Storage, pipeline_class: type[Any], dtype: Any) -> dict[str, Any]:
    """The argument of `from_pretrained` that rounds the networks; none for other ways of storage."""
    if storage not in ("int8", "nf4"):
        return {}
    from diffusers import BitsAndBytesConfig, PipelineQuantizationConfig, TorchAoConfig

    if storage == "int8":
        from torchao.quantization import Int8WeightOnlyConfig

        how: Any = TorchAoConfig(Int8WeightOnlyConfig())
    else:
        how = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)
    parts = inspect.signature(pipeline_class.__init__).parameters
    mapping = {name: how for name in NETWORKS if name in parts}
    return {"quantization_config": PipelineQuantizationConfig(quant_mapping=mapping)}


def check_names(module: Any, folder: Path, title: str) -> None:
    """Check that a diffusers model found every tensor it has; it would draw the others at random.

    A network that its pipeline put together from several folders (a motion adapter in a still-image network)
    is not looked at.

    Raises:
        InputError: naming the first tensor that no file of the folder holds.
    """
    from diffusers import ModelMixin
    from safetensors import safe_open

    rounded = getattr(module, "hf_quantizer", None) is not None  # its tensors have further parts
    if not isinstance(module, ModelMixin) or rounded or not (folder / "config.json").is_file():
        return
    if read_json(folder / "config.json", title).get("_class_name") != type(module).__name__:
        return
    found: set[str] = set()
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="numpy") as opened:
            found.update(opened.keys())
    names: dict[str, Any] = dict.fromkeys(found)
    module._fix_state_dict_keys_on_load(names)  # older checkpoints call the parts of attention otherwise
    missing = sorted(set(module.state_dict()) - set(names))
    if missing:
        raise InputError(
            f"The weights of {title} in {folder} are of another version: {missing[0]} and "
            f"{len(missing) - 1} more tensors are not among them. Fetch them again."
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Load without the libraries' progress bars; the studio has its own."""
    import diffusers.utils.logging
    import transformers.utils.logging

    libraries = (diffusers.utils.logging, transformers.utils.logging)
    shown = [library for library in libraries if library.is_progress_bar_enabled()]
    for library in shown:
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library in shown:
            library.enable_progress_bar()
