"""The table of models."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from models import card_table
from models.catalog import CARDS, card, load_model
from models.errors import InputError
from models.guide_image import IMAGE_MODEL
from models.revisions import REVISIONS


@pytest.mark.parametrize("name", ["", "Pocket", "sdv"])
def test_an_unknown_model_is_refused_with_the_known_ones(name):
    for ask in (card, load_model):
        with pytest.raises(InputError, match="`studio models` lists them all"):
            ask(name)


@pytest.mark.parametrize("model", CARDS.values(), ids=CARDS)
def test_the_defaults_of_a_card_are_within_its_limits(model):
    assert CARDS[model.name] is model
    model.check_num_frames(model.num_frames)
    model.check_num_frames(model.max_frames)
    model.check_size(model.height, model.width)
    model.check_steps(model.num_inference_steps, model.preview_steps)
    model.check_guidance(model.guidance_scale, model.negative_prompt)
    model.check_num_frames(model.min_frames or model.frame_stride + model.frame_offset)
    assert 0 <= model.prefix_frames < model.num_frames


@pytest.mark.parametrize("model", [card("wan2.1-t2v-1.3b"), card("ltx-0.9.5")], ids=lambda model: model.name)
def test_the_authors_negative_prompt_may_stand_where_guidance_is_turned_off(model):
    assert model.check_guidance(1, model.negative_prompt) == 1
    with pytest.raises(InputError, match="read with guidance only"):
        model.check_guidance(1, "snow")


@pytest.mark.parametrize("model", CARDS.values(), ids=CARDS)
def test_every_clip_can_be_continued_by_its_model_or_by_its_partner(model):
    assert model.takes_image == (model.prefix_frames > 0)
    if not model.takes_image:
        partner = card(model.partner)
        assert partner.takes_image
        partner.check_size(model.height, model.width)


@pytest.mark.parametrize("model", CARDS.values(), ids=CARDS)
def test_a_revision_is_a_commit_or_a_branch_or_left_to_the_hub(model):
    assert re.fullmatch("([0-9a-f]{40}|diffusers/.+)?", model.revision)


def test_every_pinned_repository_is_one_that_is_offered():
    offered = {model.source for model in CARDS.values()} | {IMAGE_MODEL.source}
    assert set(REVISIONS) <= offered
    assert len(set(REVISIONS.values())) == len(REVISIONS)


def test_a_card_is_pinned_to_the_commit_of_its_own_repository():
    assert CARDS["svd"].revision == REVISIONS["stabilityai/stable-video-diffusion-img2vid"]
    assert CARDS["pocket"].revision == ""


def test_the_embedded_model_comes_first():
    assert next(iter(CARDS)) == "pocket"


def test_reading_the_table_loads_no_torch():
    code = "import sys, models.catalog, models.scoring; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_documentation_of_the_models_is_what_the_cards_say():
    documented = Path(__file__).parents[2] / "docs" / "models.md"
    assert documented.read_text(encoding="utf-8") == card_table.page(), f"run: {card_table.COMMAND}"


@pytest.mark.parametrize("model", CARDS.values(), ids=CARDS)
def test_a_line_of_the_documentation_has_every_column(model):
    cells = card_table.row(model)
    assert len(cells) == len(card_table.HEADINGS)
    assert all(cell and "|" not in cell for cell in cells)
