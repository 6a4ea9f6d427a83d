"""The table of models."""

import re
import subprocess
import sys

import pytest

from models.catalog import CARDS, card, load_model
from models.errors import InputError


@pytest.mark.parametrize("name", ["", "Pocket", "sdv"])
def test_an_unknown_model_is_refused_with_the_known_ones(name):
    for ask in (card, load_model):
        with pytest.raises(InputError, match=r"Choose one of: .*pocket"):
            ask(name)


@pytest.mark.parametrize("model", CARDS.values(), ids=CARDS)
def test_the_defaults_of_a_card_are_within_its_limits(model):
    assert CARDS[model.name] is model
    model.check_num_frames(model.num_frames)
    model.check_num_frames(model.max_frames)
    model.check_size(model.height, model.width)
    model.check_steps(model.num_inference_steps, model.preview_steps)
    model.check_num_frames(model.min_frames or model.frame_stride + model.frame_offset)
    assert 0 <= model.prefix_frames < model.num_frames


@pytest.mark.parametrize("model", CARDS.values(), ids=CARDS)
def test_every_clip_can_be_continued_by_its_model_or_by_its_partner(model):
    assert model.takes_image == (model.prefix_frames > 0)
    if not model.takes_image:
        partner = card(model.partner)
        assert partner.takes_image
        partner.check_size(model.height, model.width)


@pytest.mark.parametrize("model", CARDS.values(), ids=CARDS)
def test_a_revision_is_a_commit_or_left_to_the_hub(model):
    assert re.fullmatch("([0-9a-f]{40})?", model.revision)


def test_the_embedded_model_comes_first():
    assert next(iter(CARDS)) == "pocket"


def test_reading_the_table_loads_no_torch():
    code = "import sys, models.catalog, models.scoring; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
