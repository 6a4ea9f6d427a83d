"""Reads words that the embedded model was never taught as the nearest ones that it was.

Its generator learned what 154 names and 26 places look like, not what words mean. Its text encoder knows
that: a poodle is near a dog, and a forest near a meadow.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from models.pocket import captions
from models.pocket.subjects import SUBJECTS
from models.reading import Reading

Embed = Callable[[list[str]], Tensor]
"""Texts -> unit vectors [n, D]; near ones mean nearly the same."""

NEAR_SUBJECT, NEAR_PLACE = 0.45, 0.65
"""Least cosine at which a word is read as another; places are compared as `in the ...`, which is nearer."""
PLACES: dict[str, tuple[str, ...]] = {
    "meadow": ("meadow", "grass", "green field", "flowers"),
    "sea": ("sea", "ocean", "water", "waves"),
    "snow": ("snow", "snowy mountains"),
    "desert": ("desert", "sand", "sand dunes"),
    "street": ("street", "city", "road", "city road"),
    "space": ("space", "outer space", "stars", "planets"),
    "room": ("room", "home", "living room"),
    "sky": ("sky", "clouds"),
}


def _words(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(word.lower() for text in texts for word in re.findall(r"[A-Za-z][A-Za-z'-]*", text))


DETERMINERS = _words(
    ["a an the one two three four five some many several another this that my your his her its our their"]
)
PREPOSITIONS = _words(
    [
        "in on at through across along among over above under between into near beside behind around inside",
        "past by to towards from onto off down up with",
    ]
)
OTHER = _words(["and or while as is are of then it they very"])


def _verbs() -> frozenset[str]:
    deeds = [each for table in (captions.GOES, captions.DEEDS) for row in table.values() for each in row]
    return _words([*(deed.split(" ")[0] for deed in deeds), *map(captions.doing, deeds), *deeds])


NAMES: dict[str, str] = {name.lower(): subject.noun for subject in SUBJECTS for name in subject.names}
PLACE_ADJECTIVES = "dark bright green blue yellow snowy rainy starry"
ADJECTIVES = _words([PLACE_ADJECTIVES, *(each for subject in SUBJECTS for each in subject.adjectives)])
_TABLES = (captions.PLACES, captions.HOURS, captions.WEATHERS, captions.SIDES, captions.CAMERA_WORDS)
KNOWN = (
    _words(each for table in _TABLES for row in table.values() for each in row)
    | _words(captions.OPENINGS)
    | (_verbs() | OTHER | DETERMINERS | PREPOSITIONS)
) - ADJECTIVES
"""Words that the model was taught, but those of names and of what names are joined with."""
_LONGEST_FIRST = sorted(NAMES, key=len, reverse=True)
TOKENS = re.compile(
    rf"(?P<name>\b(?:{'|'.join(map(re.escape, _LONGEST_FIRST))})\b)|(?P<word>[^\W\d_][\w'’-]*)|[^\s]",
    re.IGNORECASE,
)


def in_latin_letters(word: str) -> bool:
    """Whether the text encoder can spell a word: accents do not matter, other scripts are all one."""
    plain = unicodedata.normalize("NFKD", word)
    return all(letter.isascii() or unicodedata.combining(letter) or letter == "’" for letter in plain)


@dataclass(frozen=True)
class Group:
    """Words in a row that may name one thing.

    Attributes:
        unknown: those that the model was not taught, with where they stand in the prompt.
        place: whether a preposition stands before them.
    """

    unknown: tuple[re.Match[str], ...]
    place: bool


def groups(prompt: str) -> list[Group]:
    """The groups of words of a prompt that hold an unknown word and no known name."""
    found: list[Group] = []
    row: list[re.Match[str]] = []
    named = place = False
    for match in TOKENS.finditer(prompt):
        word = match.group().lower()
        if match["name"]:
            named = True
        elif match["word"] and word not in KNOWN:
            row += [] if word in ADJECTIVES else [match]
        else:
            if row and not named:
                found.append(Group(tuple(row), place))
            row, named = [], False
            place = word in PREPOSITIONS or (place and word in DETERMINERS)
    if row and not named:
        found.append(Group(tuple(row), place))
    return found


def sentence_vectors(
    encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, device: torch.device
) -> Embed:
    """Mean token states of the text encoder, as all-MiniLM-L6-v2 is meant to be used.

    Args:
        encoder, tokenizer: of the pipeline.
        device: where the encoder computes; its weights may wait elsewhere.
    """

    @torch.no_grad()
    def embed(texts: list[str]) -> Tensor:
        given = tokenizer(texts, padding=True, truncation=True, max_length=32, return_tensors="pt")
        given = given.to(device)
        states = encoder(**given).last_hidden_state.float()
        weight = given.attention_mask[..., None].float()
        mean = (states * weight).sum(1) / weight.sum(1)
        return torch.nn.functional.normalize(mean, dim=-1).cpu()

    return embed


class Vocabulary:
    """Knows what the model was taught, and what comes near to it.

    Args:
        embed: meaning of texts; called for all known ones when the first unknown word comes.
    """

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._known: tuple[Tensor, Tensor] | None = None

    def read(self, prompt: str) -> tuple[str, Reading]:
        """The prompt in words that the model knows, and what was made of the others, in their order."""
        instead: list[tuple[re.Match[str], str]] = []
        unknown: list[str] = []
        for group in groups(prompt):
            nearest = self._place(group) if group.place else self._subject(group)
            if nearest is not None:
                instead.append(nearest)
            else:
                unknown += [match.group() for match in group.unknown]
        text = prompt
        for match, word in reversed(instead):
            before = re.sub(
                r"\b([Aa])n? $", rf"\1{'n' if word[0] in 'aeiou' else ''} ", text[: match.start()]
            )
            text = before + word + text[match.end() :]
        as_others = {match.group(): word for match, word in instead}
        return text, Reading(as_others, tuple(dict.fromkeys(unknown)))

    def _vectors(self) -> tuple[Tensor, Tensor]:
        if self._known is None:
            places = [f"in the {each}" for row in PLACES.values() for each in row]
            self._known = self._embed(list(NAMES)), self._embed(places)
        return self._known

    def _subject(self, group: Group) -> tuple[re.Match[str], str] | None:
        """The word of a group that comes nearest to a name, and the usual name of that subject."""
        spelled = [match for match in group.unknown if in_latin_letters(match.group())]
        if not spelled:
            return None
        near = self._embed([match.group().lower() for match in spelled]) @ self._vectors()[0].T
        best = near.amax(1)
        at = int(best.argmax())
        if best[at] < NEAR_SUBJECT:
            return None
        return spelled[at], list(NAMES.values())[int(near[at].argmax())]

    def _place(self, group: Group) -> tuple[re.Match[str], str] | None:
        """The last word of a group, and the setting that comes nearest."""
        last = group.unknown[-1]
        if not in_latin_letters(last.group()):
            return None
        near = (self._embed([f"in the {last.group().lower()}"]) @ self._vectors()[1].T)[0]
        settings = [setting for setting, row in PLACES.items() for _ in row]
        at = int(near.argmax())
        return (last, settings[at]) if near[at] >= NEAR_PLACE else None
