from __future__ import annotations

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from models.pocket import train_clip
from models.pocket.scenes import draw_scene
from models.pocket.train_clip import ClipSettings, build_clip, publish_clip

ASSETS = Path("assets/pocket/clip")


@pytest.fixture
def drawn_cast(monkeypatch: pytest.MonkeyPatch, drawn_sprites: dict[str, np.ndarray]) -> None:
    monkeypatch.setattr(train_clip, "cast", lambda: drawn_sprites)


def test_a_published_model_loads_through_open_clip_with_its_own_tokenizer(tmp_path: Path) -> None:
    model = build_clip().eval()
    publish_clip(model.state_dict(), tmp_path / "clip", {"steps": 0})
    loaded, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tmp_path / 'clip'}")
    tokens = open_clip.get_tokenizer(f"local-dir:{tmp_path / 'clip'}")(["a fox"])
    picture = preprocess(Image.new("RGB", (128, 128)))[None]
    assert tokens.shape == (1, 32)
    assert picture.shape == (1, 3, 96, 96)
    with torch.no_grad():
        same = torch.cosine_similarity(loaded.eval().encode_text(tokens), model.encode_text(tokens))
    assert same.item() > 0.98


def test_the_weights_stay_below_sixteen_megabytes(tmp_path: Path) -> None:
    publish_clip(build_clip().state_dict(), tmp_path / "clip", {})
    assert (tmp_path / "clip" / "open_clip_model.safetensors").stat().st_size <= 16e6


@pytest.mark.usefixtures("drawn_cast")
def test_a_short_training_ends_with_a_record_of_its_accuracy(tmp_path: Path) -> None:
    settings = ClipSettings(batch=4, pool=8, fresh=1)
    out = train_clip.train_clip(tmp_path / "clip", tmp_path, 1, settings, max_steps=2)
    assert "subject_accuracy_clean" in (out / "training.json").read_text()
    assert torch.load(tmp_path / "clip.pt", weights_only=True)["step"] == 2


@pytest.mark.usefixtures("drawn_cast")
def test_the_accuracy_is_measured_where_the_model_is() -> None:
    class Elsewhere(torch.nn.Module):
        """A model on another device than the frames, which answers from the CPU."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1, device="meta"))

        def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
            assert tokens.device == self.weight.device
            return torch.ones(len(tokens), 2)

        encode_image = torch.no_grad()(lambda self, pixels, normalize: self.encode_text(pixels))

    assert set(train_clip.subject_accuracy(Elsewhere(), None, count=1)) == {"subject_accuracy_clean"}


@pytest.mark.usefixtures("drawn_cast")
def test_pictures_come_augmented_with_a_caption_each() -> None:
    pixels, captions = train_clip.FramePool(ClipSettings(batch=6, pool=6, rough=1.0), None, 0).draw()
    assert pixels.shape == (6, 3, 96, 96)
    assert len(captions) == 6 and all(captions)
    assert pixels.abs().max() <= 1


@pytest.mark.skipif(not ASSETS.is_dir(), reason="the trained model is not there")
@pytest.mark.skipif(not Path("var/pocket/sprites.npz").exists(), reason="the sprites have not been packed")
def test_the_shipped_model_ranks_the_right_noun_first_for_a_corpus_frame() -> None:
    from models.pocket.corpus import cast
    from models.pocket.scenes import render
    from models.pocket.subjects import NOUNS

    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{ASSETS}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{ASSETS}")
    rng = np.random.default_rng(12)
    scenes = [scene for scene in (draw_scene(rng) for _ in range(30)) if len(scene.actors) == 1][:8]
    with torch.no_grad():
        texts = model.eval().encode_text(tokenizer([f"a {noun}" for noun in NOUNS]), normalize=True)
        right = 0
        for scene in scenes:
            frame = Image.fromarray(render(scene, cast(), (8,))[0])
            scores = model.encode_image(preprocess(frame)[None], normalize=True) @ texts.T
            right += NOUNS[int(scores.argmax())] == scene.actors[0].noun
    assert right >= 6
