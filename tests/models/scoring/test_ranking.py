"""The order of a gallery."""

from models.scoring import rank


def test_of_two_moving_clips_the_one_closer_to_the_guide_wins():
    near = {"guide": 0.95, "prompt": 0.25, "motion": 0.03}
    far = {"guide": 0.80, "prompt": 0.25, "motion": 0.08}
    assert rank(near, has_guide=True) > rank(far, has_guide=True)


def test_a_frozen_clip_never_wins_by_its_perfect_similarity():
    frozen = {"guide": 1.0, "prompt": 0.25, "motion": 0.0}
    moving = {"guide": 0.6, "prompt": 0.25, "motion": 0.02}
    assert rank(moving, has_guide=True) > rank(frozen, has_guide=True)
    assert rank(moving, has_guide=False) > rank(frozen, has_guide=False)


def test_beyond_the_floor_more_motion_wins_nothing():
    calm = {"guide": 0.9, "prompt": 0.25, "motion": 0.02}
    wild = {"guide": 0.9, "prompt": 0.25, "motion": 0.5}
    assert rank(calm, has_guide=True) == rank(wild, has_guide=True)


def test_the_prompt_weighs_more_for_text_alone():
    clear = {"guide": 0.85, "prompt": 0.32, "motion": 0.05}
    steady = {"guide": 0.90, "prompt": 0.25, "motion": 0.05}
    assert rank(clear, has_guide=False) > rank(steady, has_guide=False)
    assert rank(steady, has_guide=True) > rank(clear, has_guide=True)


def test_missing_scores_count_nothing():
    assert rank({}, has_guide=False) == 0
    assert rank({"guide": 0.9}, has_guide=True) == 0.9
