"""The corpus' cast: which animated emoji play, and by which words people call them.

A row is a code point of the animated set, the noun used in captions, further words for the same thing,
its kind (which decides the verbs), and adjectives that fit how it looks. Every sprite looks to the left
unless ``faces`` says otherwise. To grow the cast, add rows; nothing else depends on their number.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """One member of the cast.

    ``kind`` is ``animal``, ``bird``, ``swimmer``, ``vehicle``, ``boat``, ``flyer``
    or ``object``; ``faces`` is ``left`` or ``front`` (a front view is never mirrored).
    """

    codepoint: str
    noun: str
    kind: str
    synonyms: tuple[str, ...] = ()
    adjectives: tuple[str, ...] = ()
    faces: str = "left"

    @property
    def names(self) -> tuple[str, ...]:
        """All words for this subject, the usual one first."""
        return (self.noun, *self.synonyms)


SUBJECTS: tuple[Subject, ...] = (
    Subject(
        "1f415",
        "dog",
        "animal",
        ("puppy", "hound", "doggy", "terrier", "beagle", "spaniel"),
        ("brown", "small"),
    ),
    Subject(
        "1f408", "cat", "animal", ("kitten", "kitty", "feline", "house cat", "tabby"), ("orange", "striped")
    ),
    Subject("1f98a", "fox", "animal", ("fox face", "red fox", "fox cub"), ("orange",), "front"),
    Subject("1f405", "tiger", "animal", ("big cat", "Bengal tiger", "tiger cub"), ("orange", "striped")),
    Subject("1f981", "lion", "animal", ("lion face", "lion cub"), ("golden",), "front"),
    Subject("1f40e", "horse", "animal", ("pony", "stallion", "foal", "colt"), ("brown",)),
    Subject("1f993", "zebra", "animal", ("striped horse", "plains zebra"), ("striped", "black and white")),
    Subject("1f404", "cow", "animal", ("dairy cow", "calf", "ox", "cattle"), ("black and white", "spotted")),
    Subject("1f416", "pig", "animal", ("piglet", "swine", "sow"), ("pink",)),
    Subject("1f418", "elephant", "animal", ("elephant calf", "mammoth"), ("grey", "big")),
    Subject("1f407", "rabbit", "animal", ("bunny", "hare", "bunny rabbit"), ("white", "grey")),
    Subject(
        "1f43b", "bear", "animal", ("brown bear", "grizzly", "bear cub", "teddy bear"), ("brown",), "front"
    ),
    Subject("1f43c", "panda", "animal", ("panda bear", "giant panda"), ("black and white",), "front"),
    Subject(
        "1f427",
        "penguin",
        "animal",
        ("emperor penguin", "penguin chick"),
        ("black and white", "little"),
        "front",
    ),
    Subject("1f986", "duck", "bird", ("mallard", "duckling", "waterfowl"), ("green-headed",)),
    Subject("1f989", "owl", "bird", ("barn owl", "snowy owl"), ("brown",), "front"),
    Subject("1f9a9", "flamingo", "bird", ("pink bird", "wading bird"), ("pink",)),
    Subject("1f438", "frog", "animal", ("toad", "tree frog"), ("green",), "front"),
    Subject("1f422", "turtle", "animal", ("tortoise", "sea turtle"), ("green",)),
    Subject(
        "1f433", "whale", "swimmer", ("blue whale", "humpback whale", "sperm whale"), ("blue", "spouting")
    ),
    Subject("1f996", "dinosaur", "animal", ("T-Rex", "dino", "velociraptor"), ("green",)),
    Subject("1f419", "octopus", "swimmer", ("squid", "cuttlefish"), ("pink",), "front"),
    Subject("1f980", "crab", "animal", ("lobster", "shellfish"), ("red",), "front"),
    Subject(
        "1f98b", "butterfly", "flyer", ("moth", "monarch butterfly"), ("orange", "black and orange"), "front"
    ),
    Subject("1f41d", "bee", "flyer", ("honeybee", "bumblebee", "wasp"), ("striped", "yellow")),
    Subject(
        "1f682", "train", "vehicle", ("locomotive", "steam engine", "railway engine"), ("red and black",)
    ),
    Subject("1f68c", "bus", "vehicle", ("coach", "school bus", "omnibus"), ("orange", "yellow")),
    Subject("1f692", "fire engine", "vehicle", ("fire truck", "fire lorry"), ("red",)),
    Subject("1f697", "car", "vehicle", ("automobile", "motor car", "hatchback", "convertible"), ("red",)),
    Subject("1f69c", "tractor", "vehicle", ("farm tractor", "farm vehicle"), ("green",)),
    Subject(
        "26f5", "sailboat", "boat", ("boat", "sailing boat", "sailing ship", "dinghy"), ("yellow", "orange")
    ),
    Subject("1f681", "helicopter", "flyer", ("chopper", "rescue helicopter"), ("orange",)),
    Subject(
        "1f680",
        "rocket",
        "flyer",
        ("spaceship", "space rocket", "space shuttle", "spacecraft"),
        ("red and white",),
    ),
    Subject("1f6f8", "flying saucer", "flyer", ("UFO", "alien spaceship", "alien craft"), ("grey", "silver")),
    Subject("1f388", "balloon", "flyer", ("party balloon", "toy balloon"), ("red",), "front"),
    Subject("26bd", "ball", "object", ("soccer ball", "football"), ("blue and white",), "front"),
    Subject("26c4", "snowman", "object", ("snow figure", "snow sculpture"), ("white",), "front"),
    Subject(
        "1f383", "pumpkin", "object", ("jack-o-lantern", "Halloween pumpkin", "squash"), ("orange",), "front"
    ),
    Subject("1f916", "robot", "object", ("robot face", "android", "droid", "automaton"), ("white",), "front"),
    Subject("1f47b", "ghost", "object", ("spook", "ghoul", "spirit"), ("white",), "front"),
)

NOUNS: tuple[str, ...] = tuple(subject.noun for subject in SUBJECTS)


def subject_by_noun(noun: str) -> Subject:
    """The cast member with this noun; ``KeyError`` if there is none."""
    for subject in SUBJECTS:
        if subject.noun == noun:
            return subject
    raise KeyError(noun)
