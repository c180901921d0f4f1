"""Folders of model2vec: whole words with the vectors that the package gives them."""

import json

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.vectors import load_vectors

save_file = pytest.importorskip("safetensors.numpy", reason="the extra 'formats' is not installed").save_file

WORD_PIECES = ["[PAD]", "[UNK]", "river", "##s", "bridge", "##ge", "река", "桥", "two words", "river2"]
SENTENCE_PIECES = ["<pad>", "<unk>", "▁river", "s", "▁", "▁река", "桥", "桥梁", "▁桥", "▁two▁words", "abc", "東京"]
EMBEDDINGS = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)


def special(*tokens):
    return [{"id": i, "content": token, "special": True} for i, token in enumerate(tokens)]


def word_piece(added=()):
    vocabulary = {token: i for i, token in enumerate(WORD_PIECES)}
    model = {"type": "WordPiece", "vocab": vocabulary, "unk_token": "[UNK]", "continuing_subword_prefix": "##"}
    return {"model": model, "added_tokens": [*special("[PAD]", "[UNK]"), *added]}


def unigram():
    vocabulary = [[token, -float(i)] for i, token in enumerate(SENTENCE_PIECES)]
    return {"model": {"type": "Unigram", "vocab": vocabulary}, "added_tokens": special("<pad>", "<unk>")}


@pytest.fixture
def written(tmp_path):
    def write(tokenizer, tensors, place=""):
        folder = tmp_path / "model" / place
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / "model.safetensors")
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
        return tmp_path / "model"

    return write


def test_word_pieces(written):
    table = load_vectors(written(word_piece(), {"embeddings": EMBEDDINGS[:10]}))
    assert list(table.words) == ["river", "bridge", "река", "桥", "two words", "river2"]
    np.testing.assert_array_equal(table.rows, EMBEDDINGS[[2, 4, 6, 7, 8, 9]])


def test_sentence_pieces(written):
    table = load_vectors(written(unigram(), {"embedding.weight": EMBEDDINGS}, "0_StaticEmbedding"))
    # a Chinese token needs no mark; "桥" stands there first, "▁桥" after it
    assert list(table.words) == ["river", "река", "桥", "桥梁", "東京"]
    np.testing.assert_array_equal(table.rows, EMBEDDINGS[[2, 5, 6, 7, 11]])


def test_weights_and_mapping(written):
    weights = np.linspace(0.5, 1.5, 10).astype(np.float32)
    mapping = np.array([0, 0, 1, 1, 2, 2, 3, 3, 0, 1])
    tensors = {"embeddings": EMBEDDINGS[:4], "weights": weights, "mapping": mapping}
    table = load_vectors(written(word_piece(), tensors))
    np.testing.assert_allclose(table.vector("bridge"), EMBEDDINGS[2] * weights[4], rtol=1e-6)
    np.testing.assert_allclose(table.vector("river2"), EMBEDDINGS[1] * weights[9], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int8])
def test_other_types_of_number(written, dtype):
    values = (EMBEDDINGS[:10] * 40).astype(dtype)
    table = load_vectors(written(word_piece(), {"embeddings": values}))
    np.testing.assert_array_equal(table.vector("river"), values[2].astype(np.float32))


def test_added_words_are_words(written):
    added = [{"id": 3, "content": "##s", "special": False}]
    assert "##s" in load_vectors(written(word_piece(added), {"embeddings": EMBEDDINGS[:10]}))


def test_vectors_equal_the_packages(tmp_path):
    model2vec = pytest.importorskip("model2vec", reason="model2vec is not installed")
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.pre_tokenizers import Whitespace

    vocabulary = {token: i for i, token in enumerate(WORD_PIECES)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]"])
    weights = np.linspace(0.5, 1.5, 10)
    model = model2vec.StaticModel(EMBEDDINGS[:10], tokenizer, weights=weights, normalize=False)
    model.save_pretrained(str(tmp_path / "model"))
    table = load_vectors(tmp_path / "model")
    for word in ("river", "bridge", "река", "桥"):
        np.testing.assert_allclose(table.vector(word), model.encode([word])[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("tokenizer", "tensors", "message"),
    [
        ({}, {"embeddings": EMBEDDINGS}, "tokenizer"),
        ([], {"embeddings": EMBEDDINGS}, "tokenizer"),
        ({"model": {"type": "Unigram", "vocab": [1]}}, {"embeddings": EMBEDDINGS}, "tokenizer"),
        ({"model": {"type": "BPE", "vocab": {"Ġriver": 0}}}, {"embeddings": EMBEDDINGS}, "kind BPE"),
        (word_piece(), {"embeddings": EMBEDDINGS[:9]}, "there are 9 vectors"),
        (word_piece(), {"bert.weight": EMBEDDINGS}, "no static model"),
        (word_piece(), {"embeddings": EMBEDDINGS[0]}, "form no table"),
        (word_piece(), {"embeddings": EMBEDDINGS[:10] * np.float32(np.nan)}, "NaN"),
        (word_piece(), {"embeddings": EMBEDDINGS[:2], "mapping": np.arange(10)}, "mapping"),
        (word_piece(), {"embeddings": EMBEDDINGS[:10], "weights": np.ones(3)}, "expected 10 weights"),
    ],
)
def test_what_cannot_be_read_is_refused(written, tokenizer, tensors, message):
    with pytest.raises(InputError, match=message) as error:
        load_vectors(written(tokenizer, tensors))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [0, 7, 60, 300])
def test_truncated_tensors_are_refused(written, size):
    folder = written(word_piece(), {"embeddings": EMBEDDINGS})
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(InputError, match="truncated"):
        load_vectors(folder)
