import pytest
import torch
from transformers import BertConfig, BertModel

from models.pocket.text_encoder import compress, load_text_encoder, text_states
from tests.tiny import tiny_tokenizer


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    tokenizer = tiny_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
    model = BertModel(config).eval()
    model.save_pretrained(tmp_path / "exact")
    compress(model).save_pretrained(tmp_path / "text_encoder", max_shard_size="20KB")
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    return tmp_path


def test_the_compressed_encoder_loads_in_32_bits_and_says_the_same(folder):
    model, tokenizer = load_text_encoder(folder)
    exact = BertModel.from_pretrained(folder / "exact").eval()
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    ours, mask = text_states(model, tokenizer, ["a cat walks", "a dog"])
    true, _ = text_states(exact, tokenizer, ["a cat walks", "a dog"])
    assert torch.cosine_similarity(ours.float(), true.float(), dim=-1)[mask].min() > 0.99


def test_a_text_has_the_same_states_in_any_company(folder):
    model, tokenizer = load_text_encoder(folder)
    alone, mask = text_states(model, tokenizer, ["a cat"])
    together, _ = text_states(model, tokenizer, ["a dog in a very long sentence", "a cat"])
    torch.testing.assert_close(together[1:][mask].float(), alone[mask].float(), atol=0.05, rtol=0.05)
    assert not alone[~mask].any()


def test_the_empty_prompt_has_tokens_to_attend_to(folder):
    _, mask = text_states(*load_text_encoder(folder), [""])
    assert mask.sum() == 2
