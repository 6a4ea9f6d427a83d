"""A small decoder that shows what a run is at, in place of the large one."""

import json

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import save_file

from models.catalog import card
from models.diffusers_run import DiffusersModel
from models.errors import InputError
from models.rough_decoder import RoughDecoder
from models.tiny_decoder import load_tiny_decoder
from models.tiny_video_decoder import TinyVideoDecoder
from studio.settings import Settings
from studio.workers.local import local_worker
from tests.contract.cases import models
from tests.contract.tiny import svd
from tests.tiny import tiny_lingen


@pytest.fixture(scope="module")
def svd_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("svd")
    return folder, svd.save(folder, card("svd"))


def tiny(folder, channels=4):
    torch.manual_seed(1)
    blocks = {"encoder_block_out_channels": (8, 8), "decoder_block_out_channels": (8, 8)}
    counts = {"num_encoder_blocks": (1, 1), "num_decoder_blocks": (1, 1)}
    AutoencoderTiny(latent_channels=channels, **blocks, **counts).save_pretrained(folder)
    return folder


def begun(model):
    guide = np.full((1, 16, 16, 3), 128, np.uint8)
    run = model.begin(model.encode("", guide=guide), seed=0, num_inference_steps=3)
    run.advance(1)
    return run


def test_a_glimpse_is_there_before_anything_was_decoded(svd_folder, tmp_path):
    folder, of = svd_folder
    plain = begun(DiffusersModel.load(of, device="cpu", source=folder))
    shown = begun(DiffusersModel.load(of, device="cpu", source=folder, tiny_decoder=tiny(tmp_path)))
    assert plain.glimpse() is None
    glimpse = shown.glimpse()
    assert glimpse.frames.shape == (2, 16, 16, 3)
    assert glimpse.frames.std() > 0
    np.testing.assert_array_equal(shown.finish().frames, plain.finish().frames)


def save_for(vae, file):
    """Random weights of a small decoder for the latents of this autoencoder."""
    torch.manual_seed(2)
    channels = getattr(vae.config, "z_dim", None) or vae.config.latent_channels
    times = (2, 2, 2) if type(vae).__name__ == "AutoencoderKLLTX2Video" else (1, 2, 2)
    save_file(TinyVideoDecoder(channels, (8, 8, 8, 8), times, patch=1).state_dict(), file)
    return file


FAMILIES = (
    "wan",
    "skyreels",
    "helios",
    "sana_video",
    "hunyuan",
    "hunyuan15",
    "framepack",
    "cogvideox",
    "ltx2",
)


@models(lambda card: card.family in FAMILIES)
def test_video_latents_are_shown_by_a_causal_one(model, begin, tmp_path, monkeypatch):
    vae = model._pipeline.vae
    small = load_tiny_decoder(save_for(vae, tmp_path / "small.safetensors"), vae, model.card.title)
    monkeypatch.setattr(model, "_rough", RoughDecoder(vae, small))
    run = begin(seed=3)
    run.advance(1)
    glimpse = run.glimpse()
    assert len(glimpse) == model.card.num_frames
    assert glimpse.frames.std() > 0
    assert len(run.finish()) == model.card.num_frames


def test_weights_that_are_not_there_are_told(svd_folder, tmp_path):
    folder, of = svd_folder
    with pytest.raises(InputError, match="could not be loaded from"):
        DiffusersModel.load(of, device="cpu", source=folder, tiny_decoder=tmp_path / "none")


def test_one_for_other_latents_is_refused(svd_folder, tmp_path):
    folder, of = svd_folder
    with pytest.raises(InputError, match="has 16 latent channels, that of Stable Video Diffusion has 4"):
        DiffusersModel.load(of, device="cpu", source=folder, tiny_decoder=tiny(tmp_path, channels=16))


def test_a_model_with_latents_of_its_own_is_refused(tmp_path):
    tiny_lingen(tmp_path / "pocket")
    with pytest.raises(InputError, match="no small decoder for the latents of"):
        DiffusersModel.load(
            card("pocket"), device="cpu", source=tmp_path / "pocket", tiny_decoder=tiny(tmp_path / "tiny")
        )


def test_the_setting_reaches_the_model(svd_folder, tmp_path, monkeypatch):
    folder, _ = svd_folder
    monkeypatch.setenv("STUDIO_TINY_DECODERS", json.dumps({"svd": str(tiny(tmp_path))}))
    sources = {"svd": str(folder), "clip": "assets/pocket/clip"}
    worker = local_worker(Settings(device="cpu", sources=sources))
    worker.load("svd")
    assert worker._model._rough.ready
    worker.close()
