"""Damage to a checkpoint's files is told by file, before anything is loaded."""

import functools
import shutil

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from sentencepiece import SentencePieceTrainer
from transformers import T5Tokenizer

from models.catalog import CARDS
from models.errors import InputError
from models.image_model import IMAGE_MODEL
from models.lingen.pipeline import LinGenPipeline
from models.weights import check_kind, check_names, load_pipeline
from tests.tiny import tiny_lingen, tiny_transformer


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    tiny_lingen(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "model")


def load(folder):
    return load_pipeline(LinGenPipeline, CARDS["pocket"], folder, torch.float32)


def test_a_whole_folder_loads_ready_for_inference(folder):
    pipeline = load(folder)
    assert not pipeline.transformer.training
    assert not any(parameter.requires_grad for parameter in pipeline.vae.parameters())


def test_a_tokenizer_that_is_a_sentencepiece_file_is_read(tmp_path):
    """CogVideoX and LTX-Video ship theirs so."""
    words = tmp_path / "words.txt"
    words.write_text("a red fox runs through the deep snow at night\n" * 50)
    SentencePieceTrainer.train(
        input=str(words), model_prefix=str(tmp_path / "spiece"), vocab_size=25, pad_id=0, eos_id=1, unk_id=2,
        bos_id=-1, minloglevel=2, hard_vocab_limit=False,
    )  # fmt: skip
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "T5Tokenizer"}')
    tokenizer = T5Tokenizer.from_pretrained(tmp_path)
    assert tokenizer.decode(tokenizer("the red fox").input_ids, skip_special_tokens=True) == "the red fox"


def test_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match=r"there is no folder .*nowhere"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("left", [0, 5, 1000, -100])
def test_a_truncated_weight_file(folder, left):
    file = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(InputError, match=r"damaged: .*transformer/diffusion_pytorch_model\.safetensors"):
        load(folder)


def test_a_weight_file_of_something_else(folder):
    (folder / "vae" / "diffusion_pytorch_model.safetensors").write_text("<html>not found</html>")
    with pytest.raises(
        InputError, match=r"vae/diffusion_pytorch_model\.safetensors .*Delete it, and fetch it again"
    ):
        load(folder)


def test_a_missing_weight_file(folder):
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(InputError, match=r"no safetensors file with the weights of vae"):
        load(folder)


def test_pickles_are_not_loaded_and_an_alternative_is_named(tmp_path):
    """As older text-to-image checkpoints have them, which somebody wants for first frames."""
    for part, name in (("unet", "diffusion_pytorch_model.bin"), ("text_encoder", "model.safetensors")):
        (tmp_path / part).mkdir()
        (tmp_path / part / "config.json").write_text("{}")
        (tmp_path / part / name).touch()
    sentence = (
        r"no safetensors file with the weights of unet in .* loads no others \(\.bin, \.ckpt\).* such as "
        r"stable-diffusion-v1-5/stable-diffusion-v1-5\."
    )
    with pytest.raises(InputError, match=sentence):
        check_kind(tmp_path, IMAGE_MODEL)
    check_kind(tmp_path, IMAGE_MODEL, without=("unet",))


def test_a_missing_component(folder):
    shutil.rmtree(folder / "vae")
    with pytest.raises(InputError, match=r"incomplete: .*vae is missing"):
        load(folder)


def test_a_missing_shard(folder, tmp_path):
    shutil.rmtree(folder / "transformer")
    tiny_transformer().save_pretrained(folder / "transformer", max_shard_size="20KB")
    shard = sorted((folder / "transformer").glob("*-of-*.safetensors"))[1]
    shard.unlink()
    with pytest.raises(InputError, match=f"incomplete: .*{shard.name} is missing"):
        load(folder)


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_damaged_index(folder, text):
    (folder / "model_index.json").write_text(text)
    with pytest.raises(InputError, match=r"model_index\.json"):
        load(folder)


def test_weights_of_another_shape(folder):
    config = folder / "transformer" / "config.json"
    config.write_text(config.read_text().replace('"ffn_dim": 32', '"ffn_dim": 64'))
    with pytest.raises(InputError, match="could not be loaded"):
        load(folder)


def test_weights_without_one_of_the_tensors(folder):
    from safetensors.torch import load_file, save_file

    file = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    removed = min(tensors)
    del tensors[removed]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(InputError, match=f"another version: {removed}"):
        load(folder)


@pytest.fixture
def image_autoencoder(tmp_path):
    """As Stable Diffusion 1.5 has it: its files name the parts of attention in the old way."""
    vae = AutoencoderKL(block_out_channels=(32,), latent_channels=4)
    vae.save_pretrained(tmp_path)
    file = tmp_path / "diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = {
        functools.reduce(lambda name, new: name.replace(new, old[new]), old, name): tensor
        for name, tensor in load_file(file).items()
    }
    assert any("proj_attn" in name for name in tensors)
    save_file(tensors, file, metadata={"format": "pt"})
    return tmp_path


def test_names_of_older_checkpoints_are_known(image_autoencoder):
    check_names(AutoencoderKL.from_pretrained(image_autoencoder), image_autoencoder, "SD")


def test_a_network_put_together_from_several_folders_is_not_looked_at(image_autoencoder):
    class Assembled(AutoencoderKL):
        """Has more than the folder holds."""

    vae = Assembled(block_out_channels=(32, 32), latent_channels=4)
    check_names(vae, image_autoencoder, "SD")
    check_names(vae, image_autoencoder / "nowhere", "SD")
