import pytest
import torch

from models.lingen import LinGenTransformer3DModel
from tests.tiny import tiny_transformer


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return tiny_transformer()


def run(model, frames=3, height=4, width=4, timestep=None, mask=None, text=None, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 8, frames, height, width, generator=g)
    states = torch.randn(2, 6, 16, generator=g) if text is None else text
    timestep = torch.full((2, frames), 500.0) if timestep is None else timestep
    with torch.no_grad():
        return model(x, timestep, states, mask, return_dict=False)[0]


@pytest.mark.parametrize(
    ("frames", "height", "width"), [(1, 4, 4), (3, 4, 4), (7, 4, 4), (2, 8, 6), (1, 2, 2)]
)
def test_any_size_and_length(model, frames, height, width):
    y = run(model, frames, height, width)
    assert y.shape == (2, 8, frames, height, width)
    assert y.isfinite().all()


def test_one_timestep_a_video_is_the_same_one_for_each_frame(model):
    per_video = run(model, timestep=torch.tensor([300.0, 700.0]))
    per_frame = run(model, timestep=torch.tensor([[300.0] * 3, [700.0] * 3]))
    torch.testing.assert_close(per_video, per_frame)


def test_a_frame_at_timestep_0_changes_the_velocity_of_the_others(model):
    noisy = torch.full((2, 3), 500.0)
    conditioned = noisy.clone()
    conditioned[:, 0] = 0
    assert not torch.allclose(
        run(model, timestep=noisy)[:, :, 1:], run(model, timestep=conditioned)[:, :, 1:]
    )


def test_masked_text_has_no_effect(model):
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]] * 2)
    text = torch.randn(2, 6, 16)
    other = text.clone()
    other[:, 4:] = torch.randn(2, 2, 16)
    torch.testing.assert_close(run(model, mask=mask, text=text), run(model, mask=mask, text=other))


def test_text_has_an_effect(model):
    assert not torch.allclose(run(model, text=torch.zeros(2, 6, 16)), run(model))


def test_a_new_network_predicts_zero():
    fresh = LinGenTransformer3DModel(
        8,
        num_layers=1,
        num_attention_heads=1,
        attention_head_dim=8,
        text_embed_dim=16,
        ffn_dim=16,
        ssm_head_dim=8,
    )
    assert not run(fresh).any()


def test_what_is_saved_is_loaded_back(model, tmp_path):
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    torch.testing.assert_close(run(LinGenTransformer3DModel.from_pretrained(tmp_path)), run(model))


@pytest.mark.parametrize("shape", [(3,), (2, 4)])
def test_timesteps_that_fit_no_frame_are_refused(model, shape):
    with pytest.raises(ValueError, match="one a latent frame"):
        run(model, timestep=torch.zeros(shape))


def test_latents_that_do_not_divide_into_patches_are_refused(model):
    with pytest.raises(ValueError, match="patches of 2x2"):
        run(model, height=3)


def test_checkpointed_gradients_are_the_same(model):
    x, text = torch.randn(1, 8, 2, 4, 4), torch.randn(1, 3, 16)
    gradients = []
    for enable in (model.disable_gradient_checkpointing, model.enable_gradient_checkpointing):
        enable()
        model.zero_grad()
        model.train()(x, torch.tensor([500.0]), text).sample.square().mean().backward()
        gradients.append(model.patch_embed.weight.grad.clone())
    model.disable_gradient_checkpointing()
    model.eval()
    torch.testing.assert_close(*gradients)


def test_the_published_size_has_about_4_billion_parameters():
    with torch.device("meta"):
        model = LinGenTransformer3DModel()
    assert 3.5e9 < sum(parameter.numel() for parameter in model.parameters()) < 4.8e9
    assert model.config.num_layers == 32
