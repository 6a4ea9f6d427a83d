import accelerate
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
    config = model.config
    assert (config.num_layers, config.num_attention_heads, config.ssm_state_size) == (32, 20, 128)
    assert config.num_attention_heads * config.attention_head_dim == 2560


def test_the_published_size_takes_a_minute_of_512p_on_the_meta_device():
    with torch.device("meta"):
        model = LinGenTransformer3DModel(num_layers=1)
        latents, text = torch.randn(1, 16, 136, 64, 64), torch.randn(1, 8, 4096)
        assert model(latents, torch.zeros(1), text).sample.shape == latents.shape


PARTS = ("mamba_branch", "temporal_branch", "rotary_scan", "review")


@pytest.mark.parametrize("part", PARTS)
def test_a_part_can_be_left_out(model, part):
    without = tiny_transformer(**{part: False})
    without.load_state_dict({n: v for n, v in model.state_dict().items() if n in without.state_dict()})
    y = run(without)
    assert y.isfinite().all()
    assert not torch.allclose(y, run(model))


def test_nothing_is_left_without_either_branch():
    with pytest.raises(ValueError, match="must stay"):
        tiny_transformer(mamba_branch=False, temporal_branch=False)


def test_a_configuration_from_before_the_switches_has_every_part(model):
    config = {key: value for key, value in model.config.items() if key not in PARTS}
    old = LinGenTransformer3DModel.from_config(config)
    old.load_state_dict(model.state_dict())
    assert torch.equal(run(old.eval()), run(model))


def test_a_large_window_without_the_scan_is_full_attention():
    full = tiny_transformer(mamba_branch=False, window_size=(64, 64, 64))
    x = torch.randn(1, 8, 3, 4, 4, requires_grad=True)
    full(x, torch.tensor([500.0]), torch.randn(1, 3, 16)).sample[0, 0, 0, 0, 0].backward()
    assert (x.grad[0].abs().sum(0) > 0).all()


def test_the_repeated_blocks_compile_without_a_break(model):
    compiled = tiny_transformer()
    compiled.load_state_dict(model.state_dict())
    compiled.compile_repeated_blocks(fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(run(compiled), run(model), atol=1e-5, rtol=1e-5)


def test_weights_can_wait_outside_and_come_layer_by_layer(model):
    away = tiny_transformer()
    away.load_state_dict(model.state_dict())
    accelerate.cpu_offload(away, execution_device=torch.device("cpu"))
    assert away.blocks[0].modulation.is_meta
    torch.testing.assert_close(run(away), run(model))


@pytest.mark.parametrize("kind", ["block_level", "leaf_level"])
def test_groups_of_weights_can_be_moved_in_and_out(model, kind):
    moved = tiny_transformer()
    moved.load_state_dict(model.state_dict())
    groups = {"num_blocks_per_group": 1} if kind == "block_level" else {}
    moved.enable_group_offload(
        onload_device=torch.device("cpu"), offload_device=torch.device("cpu"), offload_type=kind, **groups
    )
    torch.testing.assert_close(run(moved), run(model))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_device_gives_the_same(model):
    moved = tiny_transformer()
    moved.load_state_dict(model.state_dict())
    moved.enable_group_offload(
        onload_device=torch.device("cuda"), offload_device=torch.device("cpu"), offload_type="leaf_level"
    )
    x, text = torch.randn(1, 8, 3, 4, 4), torch.randn(1, 6, 16)
    with torch.no_grad():
        here = model(x, torch.tensor([500.0]), text).sample
        there = moved(x.cuda(), torch.tensor([500.0]).cuda(), text.cuda()).sample
    torch.testing.assert_close(there.cpu(), here, atol=1e-3, rtol=1e-3)
