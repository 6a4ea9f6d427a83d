"""Every option of the studio, once: from the environment (`STUDIO_...`) or the command line."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from studio.errors import InputError


class Settings(BaseSettings):
    """Options with their defaults.

    Attributes:
        data_dir: where projects, media and the database lie.
        host, port: where the page listens; port None takes the first free one from 7860.
        model: the card that is loaded first.
        warm: load the model in the background at start.
        max_upload_mb, max_film_mb: largest guide image, and largest film or video taken, in MiB.
        shared: whether strangers share the page, so that each browser lists the projects that it began and no
            others; so it is by itself on a Hugging Face Space.
        min_free_mb: free disk below which no new work is begun, in MiB.
        keep_days: days after which a project that nobody has changed is removed while the page is open, 0
            for never.
        device: where the model runs, as torch names it; None chooses, as for the next three.
        offload: `none`, `model` (one part of the pipeline at a time on the GPU), `group` (a few layers at a
            time) or `disk` (the same, the rest on disk).
        storage: `full`; or `float8`, `int8` (needs torchao) or `nf4` (needs bitsandbytes) for a denoising
            network kept in 8 or 4 bits.
        attention: an attention backend of diffusers, e.g. `flash`, `sage`, `xformers`.
        cache: how little a step of a large model may change to be skipped (first-block cache); about 0.1 is
            usual, None skips none.
        at_once: how many candidates of a search are denoised together, in one call of the network a step.
        lora_dir: folder of LoRA files (safetensors).
        threads: CPU threads of the model; None leaves it to torch.
        live_share: how much of a full run's time may go into looking into it while it runs, 0 for never.
        sources: folders to load weights from instead of those on the cards, by model name; `clip` is the
            one that judges candidates.
        networks: GGUF files to take a model's denoising network from, by model name; for a model with two of
            them an object with a file for each (`transformer`, `transformer_2`).
        tiny_decoders: what shows a long run while it is made, by model name: folders or hub ids of
            `AutoencoderTiny` weights, or safetensors files of TAEHV weights.
    """

    model_config = SettingsConfigDict(env_prefix="STUDIO_", env_file=None, env_ignore_empty=True)

    data_dir: Path = Path("var/studio")
    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=1, le=65535)
    model: str = "pocket"
    warm: bool = True
    shared: bool = Field(default_factory=lambda: "SPACE_ID" in os.environ)
    max_upload_mb: int = Field(default=20, ge=1)
    max_film_mb: int = Field(default=500, ge=1)
    min_free_mb: int = Field(default=200, ge=0)
    keep_days: float = Field(default=0, ge=0, le=36_500)
    device: str | None = None
    offload: Literal["none", "model", "group", "disk"] | None = None
    storage: Literal["full", "float8", "int8", "nf4"] | None = None
    attention: str | None = None
    cache: float | None = Field(default=None, ge=0, le=1)
    at_once: int = Field(default=1, ge=1)
    lora_dir: Path = Path("var/loras")
    threads: int | None = Field(default=None, ge=1)
    live_share: float = Field(default=0.04, ge=0, le=1)
    sources: dict[str, str] = Field(default_factory=dict)
    networks: dict[str, str | dict[str, str]] = Field(default_factory=dict)
    tiny_decoders: dict[str, str] = Field(default_factory=dict)

    @field_validator("data_dir", "lora_dir")
    @classmethod
    def _at_home(cls, folder: Path) -> Path:
        return _from_home(folder)

    @field_validator("sources")
    @classmethod
    def _all_at_home(cls, sources: dict[str, str]) -> dict[str, str]:
        return {
            name: str(_from_home(Path(source))) if source.startswith("~") else source
            for name, source in sources.items()
        }


def _from_home(path: Path) -> Path:
    """No shell looks at what a container or a service is given, nor at `--data=~/films`."""
    with suppress(RuntimeError):  # nobody is called so
        return path.expanduser()
    return path


def read_settings(**given: Any) -> Settings:
    """Settings from the environment, and from what is given.

    Raises:
        InputError: naming the setting that cannot be used.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise InputError(f"The setting {name} cannot be used: {first['msg']}.") from error
    except SettingsError as error:
        raise InputError(
            f"A setting cannot be read ({error}). Lists of names are written as JSON, e.g. "
            """STUDIO_SOURCES='{"pocket": "/a/folder"}'."""
        ) from error
