import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from models.errors import InputError
from models.lingen import LinGenPipeline, LinGenTransformer3DModel
from models.pocket import latents
from models.pocket.autoencoder import decode, encode
from models.pocket.generator import (
    FRAMES_KNOWN,
    PURE,
    as_made,
    build_generator,
    coded_again,
    draw_timesteps,
    flow_loss,
    frames_known,
)
from models.pocket.latents import GIVEN, HELD_OUT_SEED, encoded_again, load_latents
from models.pocket.team import Team
from models.pocket.train_generator import (
    GeneratorSettings,
    MixedOptimizer,
    publish,
    published_weights,
    train_generator,
)
from models.pocket.training_set import TrainingSet
from tests.tiny import tiny_lingen, tiny_vae


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_every_pattern_of_given_frames_has_a_share():
    assert frames_known(0.0) == (0,)
    assert frames_known(FRAMES_KNOWN[0][0] + 0.01) == (0, 1)
    assert frames_known(0.9999) is None
    assert 0.8 < sum(share for share, _ in FRAMES_KNOWN) < 1


def test_training_timesteps_give_some_frames_and_leave_some_to_make():
    timesteps = draw_timesteps(400, 5, rng())
    assert timesteps.shape == (400, 5)
    given = timesteps == 0
    assert 0.7 < given[:, 0].float().mean() < 0.9
    assert not given.all(1).any()
    assert timesteps.max() <= 1000


def test_before_a_turn_the_same_frames_are_given_to_all():
    given = draw_timesteps(40, 5, rng(), (0, 1)) == 0
    assert given[:, :2].all()
    assert not given[:, 2:].any()


@pytest.mark.parametrize(("kind", "known"), [("turns", (0, 1)), ("clips", ()), ("continued", None)])
def test_a_batch_says_which_frames_are_given_to_all(encoded, tmp_path, kind, known):
    tiny_lingen(tmp_path / "pocket")
    data = TrainingSet({kind: load_latents(encoded, kind)}, tmp_path / "pocket", GeneratorSettings(clips=2))
    assert data.draw(kind, rng()).known == known


def test_of_how_a_film_begins_nothing_is_given():
    assert (draw_timesteps(40, 5, rng(), ()) > 0).all()


def test_more_processes_than_clips_in_a_batch_see_one_clip_each(encoded, tmp_path):
    tiny_lingen(tmp_path)
    clips = {"clips": load_latents(encoded, "clips")}
    data = TrainingSet(clips, tmp_path, GeneratorSettings(clips=2))
    assert [len(data.draw("clips", rng(), shares).clean) for shares in (1, 2, 3)] == [2, 1, 1]


@pytest.mark.parametrize("kind", ["turns", "continued", "clips"])
def test_each_kind_is_seen_as_often_as_the_settings_say(encoded, tmp_path, tiny_config, kind, monkeypatch):
    tiny_lingen(tmp_path / "pocket")
    seen = []
    draw = TrainingSet.draw
    monkeypatch.setattr(
        TrainingSet, "draw", lambda self, kind, *more: seen.append(kind) or draw(self, kind, *more)
    )
    settings = GeneratorSettings(
        clips=2,
        warmup=1,
        compile=False,
        stills_only=0.0,
        stills_later=0.0,
        turns=float(kind == "turns"),
        continued=float(kind == "continued"),
    )
    train_generator(tmp_path / "pocket", encoded, 1, settings, max_steps=2, threads=1)
    assert seen == [kind] * 2


def test_pictures_are_never_given():
    assert (draw_timesteps(100, 1, rng()) > 0).all()


class Oracle(torch.nn.Module):
    """Knows the velocity, but is wrong by `error` at frame 0."""

    def __init__(self, velocity, error):
        super().__init__()
        self.velocity, self.error = torch.nn.Parameter(velocity), error

    def forward(self, noisy, timesteps, text, mask, return_dict):
        wrong = self.velocity.clone()
        wrong[:, :, 0] += self.error
        return (wrong,)


def test_the_loss_counts_only_the_frames_to_be_made():
    clean, noise = torch.randn(2, 3, 4, 2, 2), torch.randn(2, 3, 4, 2, 2)
    text, mask = torch.zeros(2, 1, 1), torch.ones(2, 1)
    oracle = Oracle(noise - clean, 2.0)
    timesteps = torch.full((2, 4), 500.0)
    assert flow_loss(oracle, clean, timesteps, noise, text, mask).item() == pytest.approx(1.0, abs=1e-5)
    timesteps[:, 0] = 0
    assert flow_loss(oracle, clean, timesteps, noise, text, mask).item() == pytest.approx(0.0, abs=1e-9)


class Perfect(torch.nn.Module):
    """Knows the clean clip, and says so at every noise level."""

    def __init__(self, clean):
        super().__init__()
        self.clean = torch.nn.Parameter(clean)

    def forward(self, noisy, timesteps, text, mask, return_dict):
        level = timesteps[:, None, :, None, None] / 1000
        return ((noisy - self.clean) / level,)


def test_what_a_perfect_generator_makes_is_the_clip_itself():
    clean, noise = torch.randn(2, 3, 4, 2, 2), torch.randn(2, 3, 4, 2, 2)
    text, mask = torch.zeros(2, 1, 1), torch.ones(2, 1)
    made = as_made(Perfect(clean), clean, torch.tensor([0.3, 0.9]), noise, text, mask)
    torch.testing.assert_close(made, clean)


def test_faulty_frames_are_seen_where_frames_are_given_and_nowhere_else():
    seen = []

    class Watching(Oracle):
        def forward(self, noisy, *rest, **more):
            seen.append(noisy)
            return super().forward(noisy, *rest, **more)

    clean, noise, given = (torch.randn(2, 3, 4, 2, 2) for _ in range(3))
    timesteps = torch.full((2, 4), 500.0)
    timesteps[:, 0] = 0
    text, mask = torch.zeros(2, 1, 1), torch.ones(2, 1)
    flow_loss(Watching(noise - clean, 0.0), clean, timesteps, noise, text, mask, given)
    torch.testing.assert_close(seen[0][:, :, 0], given[:, :, 0])
    torch.testing.assert_close(seen[0][:, :, 1:], (clean + noise)[:, :, 1:] / 2)


def test_the_embedded_generator_has_10_to_30_million_parameters():
    with torch.device("meta"):
        model = build_generator()
    assert 10e6 < sum(parameter.numel() for parameter in model.parameters()) < 30e6


def test_training_is_often_where_scenes_are_decided():
    timesteps = draw_timesteps(4000, 1, torch.Generator().manual_seed(0))[:, 0]
    assert timesteps.eq(1000).float().mean() == pytest.approx(PURE, abs=0.015)
    assert timesteps.gt(970).float().mean() == pytest.approx(0.15, abs=0.02)
    assert timesteps.lt(500).float().mean() > 0.08


def test_muon_takes_the_matrices_of_the_blocks(tiny_config):
    master, worker = build_generator(), build_generator().bfloat16()
    muon, adam = MixedOptimizer(master, worker, Team(1, worker), GeneratorSettings()).parts
    count = [sum(len(group["params"]) for group in part.param_groups) for part in (muon, adam)]
    matrices = [name for name, p in master.named_parameters() if name.startswith("blocks.") and p.ndim == 2]
    assert count[0] == len([name for name in matrices if name.endswith(".weight")]) == 9
    assert sum(count) == len(list(master.parameters()))


def test_encoded_shards_keep_their_captions(encoded):
    clips, stills = load_latents(encoded, "clips"), load_latents(encoded, "stills")
    assert clips.latents.shape == (4, 8, 5, 2, 2)
    assert stills.latents.shape == (4, 8, 1, 2, 2)
    assert clips.captions == [["a cat", "a dog"]] * 4


def test_what_a_second_coding_takes_is_kept_of_the_first_frames(encoded):
    turns = load_latents(encoded, "turns")
    assert turns.lost.shape == (4, 8, GIVEN, 2, 2)
    assert turns.lost.abs().max() > 0


def test_where_it_was_not_looked_at_nothing_is_lost(encoded):
    assert not load_latents(encoded, "clips").lost.any()
    assert load_latents(encoded, "stills").lost is None


def test_the_first_frames_are_coded_last_as_those_of_a_film_are():
    frames = np.random.default_rng(0).integers(0, 255, (2, 17, 32, 32, 3), dtype=np.uint8)
    vae = tiny_vae()
    again = encoded_again(vae, frames)
    backwards = decode(vae, encode(vae, np.ascontiguousarray(frames[:, 8::-1])))
    torch.testing.assert_close(again[:, :, :1], encode(vae, np.ascontiguousarray(backwards[:, -1:])))


def test_given_frames_are_seen_as_they_are_after_a_second_coding():
    clips, lost = torch.zeros(2, 3, 5, 4, 4), torch.ones(2, 3, GIVEN, 4, 4)
    seen = coded_again(clips, lost)
    assert seen[:, :, :GIVEN].eq(1).all()
    assert seen[:, :, GIVEN:].eq(0).all()


def test_held_out_clips_are_kept_apart(encoded):
    assert not torch.equal(
        load_latents(encoded, "clips").latents, load_latents(encoded, "clips", held=True).latents
    )


def test_training_without_clips_says_what_to_run(tmp_path):
    with pytest.raises(InputError, match=r"models\.pocket latents"):
        load_latents(tmp_path, "clips")


@pytest.mark.parametrize("threads", [1, 2])
def test_a_training_can_be_stopped_carried_on_and_published(encoded, tmp_path, tiny_config, threads):
    assets = tmp_path / "pocket"
    tiny_lingen(assets)
    settings = GeneratorSettings(clips=2, stills=2, warmup=1, compile=False, stills_only=0.3)
    train_generator(assets, encoded, 1, settings, max_steps=2, threads=threads)
    train_generator(assets, encoded, 1, settings, max_steps=4, threads=threads)
    record = json.loads((assets / "transformer" / "training.json").read_text())
    assert record["steps"] == 4
    assert [line["step"] for line in record["log"]] == [2, 4]
    pipeline = LinGenPipeline.from_pretrained(assets)
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline(
        "a cat", height=64, width=64, num_frames=5, num_inference_steps=1, output_type="np"
    ).frames.any()


def test_published_files_are_small(tmp_path, tiny_config):
    tiny_lingen(tmp_path)
    publish(tmp_path, build_generator().state_dict(), {})
    assert json.loads((tmp_path / "transformer" / "training.json").read_text()) == {}
    assert max(file.stat().st_size for file in tmp_path.rglob("*.safetensors")) <= 16 * 2**20


def test_publishing_that_breaks_off_leaves_the_weights_of_before(tmp_path, tiny_config, monkeypatch):
    tiny_lingen(tmp_path)
    publish(tmp_path, build_generator().state_dict(), {"steps": 1})

    def full_disk(*_, **__):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(LinGenTransformer3DModel, "save_pretrained", full_disk)
        publish(tmp_path, build_generator().state_dict(), {"steps": 2})
    assert json.loads((tmp_path / "transformer" / "training.json").read_text()) == {"steps": 1}
    assert published_weights(tmp_path).num_parameters() > 0


def test_a_shard_of_pictures_is_rendered_with_several_captions_each(tmp_path, monkeypatch, drawn_sprites):
    monkeypatch.setattr(latents, "cast", lambda: drawn_sprites)
    monkeypatch.setattr(latents, "SHARD", {"clips": 2, "stills": 3})
    for kind, frames in (("clips", 17), ("stills", 1)):
        latents.render_shard(tmp_path / kind, kind, HELD_OUT_SEED)
        with safe_open(tmp_path / kind, "pt") as shard:
            assert shard.get_tensor("frames").shape[1:] == (frames, 128, 128, 3)
            captions = json.loads(shard.metadata()["captions"])
        assert all(len(set(options)) > 1 for options in captions)


def test_shards_are_made_anew_when_scenes_or_encoder_change(tmp_path, monkeypatch, drawn_sprites):
    monkeypatch.setattr(latents, "cast", lambda: drawn_sprites)
    monkeypatch.setattr(latents, "SHARD", {"clips": 1, "stills": 1, "turns": 1, "continued": 1})
    vaes = [tiny_vae().eval(), tiny_vae().eval()]
    monkeypatch.setattr(latents, "load_autoencoder", lambda folder: vaes[0])

    def made() -> list[str]:
        return [line.split()[0] for line in latents.make_latents(tmp_path, tmp_path, clips=1, stills=0)]

    assert len(made()) == 2
    assert not made()
    vaes.pop(0)
    assert len(made()) == 2
    monkeypatch.setattr(latents, "STREAM", {"clips": 9})
    with pytest.raises(InputError, match="other scenes"):
        load_latents(tmp_path, "clips")
    assert len(made()) == 2
    assert len(load_latents(tmp_path, "clips").captions) == 1
