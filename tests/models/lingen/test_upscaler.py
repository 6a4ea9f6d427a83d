import numpy as np
import pytest
import torch
from accelerate import cpu_offload
from PIL import Image
from torch.nn import functional as F

from models.lingen import LinGenPipeline, VideoUpscaler
from tests.tiny import tiny_lingen

CALL = {"num_frames": 9, "num_inference_steps": 2, "output_type": "np"}


def trained(seed=0, **config):
    """As if it had learned something: no weight is zero."""
    torch.manual_seed(seed)
    upscaler = VideoUpscaler(**{"channels": 8, "num_blocks": 2, **config})
    with torch.no_grad():
        for weight in upscaler.parameters():
            weight.normal_(std=0.1)
    return upscaler.eval()


@pytest.fixture(scope="module")
def pipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("upscaled")
    tiny_lingen(folder, upscaled=False)
    parts = LinGenPipeline.from_pretrained(folder).components
    LinGenPipeline(**{**parts, "upscaler": trained()}).save_pretrained(folder)
    pipeline = LinGenPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def noise():
    return torch.Generator().manual_seed(0)


def test_an_untrained_one_enlarges_bilinearly():
    video = torch.rand(2, 3, 5, 12, 16)
    plain = F.interpolate(video.transpose(1, 2).flatten(0, 1), scale_factor=2, mode="bilinear")
    torch.testing.assert_close(VideoUpscaler()(video).transpose(1, 2).flatten(0, 1), plain)


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("frames", [1, 5])
def test_any_size_and_length(scale, frames):
    assert trained(scale=scale)(torch.rand(2, 3, frames, 12, 16)).shape == (
        2, 3, frames, 12 * scale, 16 * scale,
    )  # fmt: skip


def test_a_frame_learns_from_as_many_neighbours_as_there_are_blocks():
    upscaler, video = trained(num_blocks=2), torch.rand(1, 3, 9, 8, 8)
    other = video.clone()
    other[:, :, 4] += 0.5
    with torch.no_grad():
        changed = (upscaler(video) - upscaler(other)).abs().amax((0, 1, 3, 4)) > 0
    assert changed.nonzero().flatten().tolist() == [2, 3, 4, 5, 6]


def test_videos_of_a_batch_do_not_see_each_other():
    upscaler, videos = trained(), torch.rand(2, 3, 5, 8, 8)
    torch.testing.assert_close(upscaler(videos)[1:], upscaler(videos[1:]))


def offloaded(upscaler):
    return cpu_offload(upscaler, execution_device="cpu")


def cast_to_8_bits(upscaler):
    upscaler.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)
    return upscaler


@pytest.mark.parametrize("wait", [offloaded, cast_to_8_bits])
def test_weights_can_wait_elsewhere_or_in_8_bits_until_their_layer_is_asked(wait):
    video = torch.rand(1, 3, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(wait(trained())(video), trained()(video), atol=0.1, rtol=0.1)


def test_the_pipeline_draws_twice_the_size_of_what_its_transformer_makes(pipe):
    assert pipe("a cat", **CALL, generator=noise()).frames.shape == (1, 9, 128, 128, 3)
    small = pipe("a cat", **{**CALL, "output_type": "latent"}, generator=noise()).frames
    assert small.shape == (1, 8, 3, 4, 4)
    with pytest.raises(ValueError, match="multiples of 64"):
        pipe("a cat", **CALL, height=32)


def test_without_an_upscaler_the_same_latents_are_decoded_as_they_are(pipe):
    plain = LinGenPipeline(**{**pipe.components, "upscaler": None})
    plain.set_progress_bar_config(disable=True)
    call = {**CALL, "output_type": "latent"}
    torch.testing.assert_close(
        plain("a cat", **call, generator=noise()).frames, pipe("a cat", **call, generator=noise()).frames
    )
    assert plain("a cat", **CALL).frames.shape == (1, 9, 64, 64, 3)


def test_a_film_goes_on_from_large_frames_as_from_their_mean_of_four_pixels(pipe):
    large = torch.rand(1, 3, 5, 64, 64) * 2 - 1
    plain = LinGenPipeline(**{**pipe.components, "upscaler": None})
    torch.testing.assert_close(
        pipe.encode_video(large), plain.encode_video(F.avg_pool3d(large, (1, 2, 2))), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_in_16_bits_a_film_goes_on_from_an_image_on_a_cpu_too(pipe, tmp_path, dtype):
    pipe.save_pretrained(tmp_path)
    half = LinGenPipeline.from_pretrained(tmp_path, torch_dtype=dtype)
    half.set_progress_bar_config(disable=True)
    picture = Image.new("RGB", (64, 64), "orange")
    assert np.isfinite(half("a cat", image=picture, **CALL, generator=noise()).frames).all()


def test_the_folder_keeps_the_upscaler(pipe, tmp_path):
    pipe.save_pretrained(tmp_path)
    again = LinGenPipeline.from_pretrained(tmp_path)
    again.set_progress_bar_config(disable=True)
    np.testing.assert_array_equal(
        again("a cat", **CALL, generator=noise()).frames, pipe("a cat", **CALL, generator=noise()).frames
    )


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_pixel_is_mixed_with_those_before_and_after_it_and_with_itself_at_the_ends(frames):
    block, x = trained().blocks[0], torch.randn(2 * frames, 8, 6, 4)
    inner = x + block.second(F.silu(block.first(x)))
    video = F.silu(inner).unflatten(0, (2, frames))
    before, after = (video[:, [max(0, min(frames - 1, at + by)) for at in range(frames)]] for by in (-1, 1))
    weight, bias = block.through_time.weight, block.through_time.bias
    mixed = F.conv2d(torch.cat([before, video, after], 2).flatten(0, 1), weight, bias)
    torch.testing.assert_close(block(x, frames), inner + mixed, rtol=1e-4, atol=1e-5)
