"""Says in varied English what a scene shows; some captions leave attributes out, as people do."""

from __future__ import annotations

import numpy as np

from models.pocket.scenes import Actor, Scene
from models.pocket.subjects import subject_by_noun

PLACES: dict[str, tuple[str, ...]] = {
    "meadow": ("in a meadow", "on green grass", "in a green field", "among flowers in a meadow"),
    "sea": ("on the sea", "in the ocean", "on blue water", "in the waves"),
    "snow": ("in the snow", "through snow", "in a snowy landscape", "in front of snowy mountains"),
    "desert": ("in the desert", "on sand dunes", "across the desert", "on yellow sand"),
    "street": ("on a street", "along a street", "in the city", "on a city road"),
    "space": ("in space", "in outer space", "among the stars", "between planets"),
    "room": ("in a room", "indoors", "at home", "in a living room"),
    "sky": ("in the sky", "among the clouds", "above the clouds", "high in the sky"),
}
HOURS: dict[str, tuple[str, ...]] = {
    "day": ("by day", "in daylight", "on a bright day"),
    "dusk": ("at dusk", "at sunset", "in the evening"),
    "night": ("at night", "in the dark", "by night"),
}
WEATHERS: dict[str, tuple[str, ...]] = {
    "rain": ("in the rain", "while it rains", "on a rainy day"),
    "snow": ("in falling snow", "while it snows", "during snowfall"),
    "stars": ("under the stars", "under a starry sky"),
    "none": ("",),
}
GOES: dict[str, tuple[str, ...]] = {
    "animal": ("walks", "runs", "moves", "goes"),
    "bird": ("walks", "moves", "waddles", "goes"),
    "swimmer": ("swims", "moves", "glides"),
    "vehicle": ("drives", "moves", "goes", "rolls"),
    "boat": ("sails", "moves", "floats"),
    "flyer": ("flies", "moves", "floats"),
    "object": ("moves", "slides", "goes"),
}
DEEDS: dict[str, tuple[str, ...]] = {
    "up": ("rises", "goes up", "moves up", "floats upwards"),
    "down": ("sinks", "goes down", "moves down", "comes down"),
    "jumps": ("jumps", "hops", "bounces", "jumps up and down"),
    "spins": ("spins", "turns around", "rotates", "does a somersault"),
    "circles": ("moves in a circle", "goes around in circles", "circles"),
    "grows": ("comes closer", "approaches", "grows bigger", "comes towards us"),
    "shrinks": ("goes away", "moves away", "shrinks", "gets smaller"),
    "still": ("stands still", "stays in place", "is", "waits"),
}
SIDES: dict[str, tuple[str, ...]] = {
    "left": ("left", "to the left", "to the left", "leftwards", "from right to left"),
    "right": ("right", "to the right", "to the right", "rightwards", "from left to right"),
}
OPENINGS = ("a video of", "a clip of", "an animation of", "a cartoon of")
DOUBLED = ("run", "swim", "hop", "spin", "get")
CAMERA_WORDS: dict[str, tuple[str, ...]] = {
    "pan left": ("the camera pans left", "camera moving left"),
    "pan right": ("the camera pans right", "camera moving right"),
    "zoom in": ("the camera zooms in", "slow zoom in"),
}


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]


def _with_article(words: str) -> str:
    vowel = words[0].lower() in "aeiou" and not words.startswith(("UFO", "one"))
    return f"{'an' if vowel else 'a'} {words}"


def _name(rng: np.random.Generator, noun: str) -> str:
    subject = subject_by_noun(noun)
    name = subject.noun if rng.random() < 0.5 or not subject.synonyms else _pick(rng, subject.synonyms)
    adjectives = [word for word in subject.adjectives if word not in name]
    if adjectives and rng.random() < 0.25:
        name = f"{adjectives[int(rng.integers(len(adjectives)))]} {name}"
    return name


def _deed(rng: np.random.Generator, actor: Actor) -> str:
    if actor.motion in ("left", "right"):
        deed = f"{_pick(rng, GOES[subject_by_noun(actor.noun).kind])} {_pick(rng, SIDES[actor.motion])}"
    else:
        deed = _pick(rng, DEEDS[actor.motion])
    return doing(deed) if rng.random() < 0.3 else deed


def doing(deed: str) -> str:
    """What somebody `does to the left` is `doing to the left`: a deed's verb with -ing; nothing for `is`."""
    verb, *rest = deed.split(" ")
    if verb == "is":
        return " ".join(rest)
    stem = verb[:-2] if verb.endswith(("oes", "ches")) else verb[:-1]
    stem = "fly" if stem == "flie" else stem
    if stem in DOUBLED:
        stem += stem[-1]
    elif stem.endswith("e") and not stem.endswith("ee"):
        stem = stem[:-1]
    return " ".join([f"{stem}ing", *rest])


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """One English caption; always names every subject, and mostly setting and motion too."""
    place = _pick(rng, PLACES[scene.setting]) if rng.random() < 0.88 else ""
    time_odds = 0.2 if scene.time == "day" else 0.8
    hour = _pick(rng, HOURS[scene.time]) if scene.setting != "space" and rng.random() < time_odds else ""
    weather = _pick(rng, WEATHERS[scene.weather]) if rng.random() < 0.85 else ""
    about = [part for part in (place, hour, weather) if part]
    subjects = []
    for actor in scene.actors:
        named = _with_article(_name(rng, actor.noun))
        deed = _deed(rng, actor) if rng.random() < 0.85 else ""
        subjects.append(f"{named} {deed}".strip() if deed != "is" or about else named)
    text = " and ".join(subjects)
    style = rng.random()
    if style < 0.06:
        text, about = " and ".join(_name(rng, actor.noun) for actor in scene.actors), []
    elif style < 0.16 and about:
        text, about = f"{about[0]}, {text}", about[1:]
    elif style < 0.22:
        text = f"{_pick(rng, OPENINGS)} {text}"
    text = " ".join([text, *about])
    if scene.camera in CAMERA_WORDS and rng.random() < 0.7:
        text = f"{text}, {_pick(rng, CAMERA_WORDS[scene.camera])}"
    return text


def plain_caption(scene: Scene) -> str:
    """The same plain sentence for equal scenes: every noun, its motion, the setting, hour and weather."""
    parts = []
    for actor in scene.actors:
        kind = subject_by_noun(actor.noun).kind
        deed = (
            f"{GOES[kind][0]} {actor.motion}" if actor.motion in ("left", "right") else DEEDS[actor.motion][0]
        )
        parts.append(f"{_with_article(actor.noun)} {deed}")
    hour = HOURS[scene.time][0] if scene.time != "day" and scene.setting != "space" else ""
    about = [PLACES[scene.setting][0], hour, WEATHERS[scene.weather][0]]
    return " ".join([" and ".join(parts), *[part for part in about if part]])
