"""The scorers on a tiny random CLIP model, loaded from disk as the real one is."""

import numpy as np
import pytest
import torch

from models.clip import Clip
from models.conditioning import Conditioning
from models.errors import InputError
from models.scoring import default_scorers
from models.scoring.clip_space import AT_ONCE, ClipSpace, split_name
from models.scoring.guide import GuideScorer
from models.scoring.motion import MotionScorer
from models.scoring.prompt import PromptScorer
from tests.models.scoring.tiny_clip import save_tiny_clip


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    return ClipSpace.load(save_tiny_clip(tmp_path_factory.mktemp("clip")))


def conditioning(prompt="a fox", guide=None):
    return Conditioning(prompt, "", 1.0, 48, 64, 5, guide)


def noise_frames(num_frames=5, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (num_frames, 48, 64, 3), dtype=np.uint8)


def test_embeddings_are_unit_vectors_one_a_frame(space):
    embeddings = space.frames(Clip(noise_frames(), 8))
    assert embeddings.shape == (5, 32)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(5))


def test_a_long_clip_is_embedded_a_few_frames_at_a_time(space, monkeypatch):
    frames, seen = noise_frames(2 * AT_ONCE + 3), []
    encode = space._model.encode_image
    monkeypatch.setattr(
        space._model, "encode_image", lambda pixels, **how: seen.append(len(pixels)) or encode(pixels, **how)
    )
    embeddings = space.frames(Clip(frames, 8))
    assert seen == [AT_ONCE, AT_ONCE, 3]
    torch.testing.assert_close(embeddings[[0, AT_ONCE, -1]], space.frames(Clip(frames[[0, AT_ONCE, -1]], 8)))


def test_a_clip_is_embedded_once(space, monkeypatch):
    clip = Clip(noise_frames(), 8)
    first = space.frames(clip)
    monkeypatch.setattr(space, "_model", None)
    assert space.frames(clip) is first


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("resize_mode", ["shortest", "squash"])
def test_frames_are_prepared_as_open_clip_prepares_pictures(tmp_path, interpolation, resize_mode):
    import open_clip
    from PIL import Image

    folder = save_tiny_clip(tmp_path, interpolation=interpolation, resize_mode=resize_mode)
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    ramp = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)
    theirs = model.eval().encode_image(preprocess(Image.fromarray(ramp))[None], normalize=True)[0]
    ours = ClipSpace.load(folder).frames(Clip(ramp[None], 8))[0]
    assert float(theirs.detach() @ ours) > 0.999


def test_guide_score_is_the_smallest_similarity_of_a_frame_to_the_guide(space):
    guide, others = noise_frames(1, seed=1), noise_frames(4, seed=2)
    clip = Clip(np.concatenate([guide, others]), 8)
    embeddings = space.frames(clip)
    score = GuideScorer(space).score(clip, conditioning(guide=guide))
    assert score == pytest.approx(float((embeddings[1:] @ embeddings[0]).min()), abs=1e-5)


def test_guide_score_of_a_frozen_clip_is_one(space):
    guide = noise_frames(1)
    frozen = Clip(np.repeat(guide, 5, axis=0), 8)
    assert GuideScorer(space).score(frozen, conditioning(guide=guide)) == pytest.approx(1, abs=1e-5)


def test_without_a_guide_frame_a_clip_is_compared_with_its_first_frame(space):
    clip = Clip(noise_frames(), 8)
    embeddings = space.frames(clip)
    expected = float((embeddings @ embeddings[0]).min())
    assert GuideScorer(space).score(clip, conditioning()) == pytest.approx(expected)


def test_frames_that_repeat_the_guide_do_not_count(space):
    prefix, new = noise_frames(3, seed=1), noise_frames(2, seed=2)
    chunk = Clip(np.concatenate([prefix, new]), 8)
    score = GuideScorer(space).score(chunk, conditioning(guide=prefix))
    guide = space.frames(Clip(prefix, 8))[-1]
    assert score == pytest.approx(float((space.frames(Clip(new, 8)) @ guide).min()), abs=1e-5)


def test_prompt_score_is_the_mean_similarity_to_the_prompt(space):
    clip = Clip(noise_frames(), 8)
    expected = float((space.frames(clip) @ space.prompt("a fox")).mean())
    assert PromptScorer(space).score(clip, conditioning("a fox")) == pytest.approx(expected)
    assert PromptScorer(space).score(clip, conditioning("a snail")) != pytest.approx(expected)


def test_prompt_scorer_has_nothing_to_say_without_a_prompt(space):
    assert PromptScorer(space).score(Clip(noise_frames(), 8), conditioning("")) is None


def test_a_prompt_longer_than_the_context_is_cut_off(space):
    assert space.prompt("fox " * 500).shape == (32,)


def test_motion_is_nothing_for_a_frozen_clip_and_one_from_black_to_white():
    frozen = Clip(np.repeat(noise_frames(1), 5, axis=0), 8)
    flash = np.zeros((2, 48, 64, 3), np.uint8)
    flash[1] = 255
    assert MotionScorer().score(frozen, conditioning()) == 0
    assert MotionScorer().score(Clip(flash, 8), conditioning()) == 1


def test_grain_counts_less_than_a_moving_subject():
    still = np.full((5, 48, 64, 3), 128, np.uint8)
    grain = still + np.random.default_rng(0).integers(-20, 21, still.shape).astype(np.int8).view(np.uint8)
    moving = still.copy()
    for index in range(5):
        moving[index, 8:40, 10 * index : 10 * index + 20] = 255
    scorer = MotionScorer()
    assert scorer.score(Clip(moving, 8), conditioning()) > 2 * scorer.score(Clip(grain, 8), conditioning())


def test_default_scorers_share_one_clip_model(tmp_path):
    scorers = default_scorers(clip=save_tiny_clip(tmp_path))
    assert [scorer.name for scorer in scorers] == ["guide", "prompt", "motion"]
    assert scorers[0]._space is scorers[1]._space


def test_missing_clip_weights_are_told_by_file(tmp_path):
    with pytest.raises(InputError, match=r"open_clip_config\.json is missing"):
        ClipSpace.load(tmp_path / "nothing")


def test_damaged_clip_weights_are_told_by_file(tmp_path):
    weights = save_tiny_clip(tmp_path) / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"open_clip_model\.safetensors .* cannot be read"):
        ClipSpace.load(tmp_path)


def test_an_unknown_clip_name_is_told():
    with pytest.raises(InputError, match="no-such-clip"):
        ClipSpace.load("no-such-clip/openai")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("ViT-B-32/openai", ("ViT-B-32", "openai")),
        ("ViT-B-32", ("ViT-B-32", None)),
        ("hf-hub:timm/a", ("hf-hub:timm/a", None)),
    ],
)
def test_names_of_open_clip_models(source, expected):
    assert split_name(source) == expected
