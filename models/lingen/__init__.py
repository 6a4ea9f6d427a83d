"""LinGen: text-to-video with linear complexity, in diffusers' own base classes.

`DiffusionPipeline.from_pretrained` finds a pipeline class by its name among diffusers' own, and a component
by the module that `model_index.json` names, if that module is imported. Importing this package makes both
work.
"""

from __future__ import annotations

import diffusers

from models.lingen.pipeline import LinGenPipeline, LinGenPipelineOutput
from models.lingen.transformer import LinGenTransformer3DModel
from models.lingen.upscaler import VideoUpscaler

__all__ = ["LinGenPipeline", "LinGenPipelineOutput", "LinGenTransformer3DModel", "VideoUpscaler"]

diffusers.LinGenPipeline = LinGenPipeline
