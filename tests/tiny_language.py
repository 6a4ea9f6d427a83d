"""Tokenizers of tiny language models: they know the words of a template and spell all others."""

from __future__ import annotations

import re
import string

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

SPECIAL = ("<pad>", "<unk>", "<bos>", "<eos>")


def spelling_tokenizer(template: str = "", marks: tuple[str, ...] = ()) -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer that puts `<bos>` before everything.

    Args:
        template: text whose words are one token each.
        marks: markers such as `<|end_header_id|>` that stay whole.
    """
    for mark in marks:
        template = template.replace(mark, " ")
    words = sorted(set(re.findall(r"\w+|[^\w\s]", template.lower())))
    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    pieces = list(dict.fromkeys([*SPECIAL, *letters, *(f"##{letter}" for letter in letters), *words]))
    tokenizer = Tokenizer(WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="<unk>"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in marks])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", bos_token="<bos>", eos_token="<eos>"
    )
