"""word2vec against gensim called directly."""

import numpy as np
import pytest
from gensim.models import Word2Vec

from spacy_embed.embedding import cosine_similarity
from spacy_embed.errors import InputError
from spacy_embed.training.word2vec import train_word2vec

SMALL = {"dim": 12, "min_count": 1, "epochs": 3}


def corpus(n_sentences=60, seed=0):
    """Sentences about one of two topics, each of its own words."""
    rng = np.random.default_rng(seed)
    return [[f"{'xy'[i % 2]}{word}" for word in rng.integers(0, 8, 12)] for i in range(n_sentences)]


@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
@pytest.mark.parametrize("negative", [0, 5])
def test_vectors_are_those_of_gensim(architecture, negative):
    ours = train_word2vec(
        corpus(),
        dim=9,
        architecture=architecture,
        negative=negative,
        window=3,
        min_count=2,
        epochs=4,
        sample=0.01,
        seed=7,
    )
    theirs = Word2Vec(
        corpus(), vector_size=9, sg=int(architecture == "skip-gram"), hs=int(not negative), negative=negative, window=3,
        min_count=2, epochs=4, sample=0.01, seed=7, workers=1,
    ).wv  # fmt: skip
    assert list(ours.words) == theirs.index_to_key
    assert ours.rows.tobytes() == theirs.vectors.tobytes()


def test_one_seed_gives_the_same_bytes_and_another_does_not():
    first, again, other = (train_word2vec(corpus(), seed=seed, **SMALL) for seed in (5, 5, 6))
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != other.fingerprint


def test_words_of_one_topic_come_out_closer_than_those_of_two():
    table = train_word2vec(corpus(400), dim=12, min_count=1, epochs=30)
    within = np.mean([cosine_similarity(table.vector("x0"), table.vector(f"x{i}")) for i in range(1, 8)])
    across = np.mean([cosine_similarity(table.vector("x0"), table.vector(f"y{i}")) for i in range(1, 8)])
    assert within > across + 0.3


def test_sequences_beyond_ten_thousand_tokens_are_not_cut():
    start, end = [word for s in corpus(900) for word in s][:10_000], ["late", "later"] * 4000
    settings = {"dim": 8, "min_count": 1, "epochs": 2, "sample": 0}
    whole = train_word2vec([start + end], **settings)
    in_pieces = train_word2vec([start, end], **settings)
    cut = Word2Vec(
        [start + end], vector_size=8, sg=1, negative=10, min_count=1, epochs=2, sample=0, seed=1, workers=1
    ).wv
    assert whole.rows.tobytes() == in_pieces.rows.tobytes()
    assert np.abs(whole.vector("late") - cut["late"]).max() > 0.1
    assert whole.metadata["source"]["tokens"] == 18_000


def test_rarer_words_than_min_count_get_no_vector():
    table = train_word2vec([["often", "often", "twice"], ["twice", "often", "once"]], dim=4, min_count=2, epochs=1)
    assert list(table.words) == ["often", "twice"]


@pytest.mark.parametrize("negative", [0, 5])
@pytest.mark.parametrize("sequences", [[], [[]], [["one", "two"], ["three"]]])
def test_a_corpus_without_a_word_frequent_enough_is_refused(sequences, negative):
    with pytest.raises(InputError, match="No word occurs 2 times"):
        train_word2vec(sequences, dim=4, min_count=2, negative=negative)


def test_a_generator_is_refused_because_it_can_be_read_once_only():
    with pytest.raises((InputError, TypeError)):
        train_word2vec((sentence for sentence in corpus()), **SMALL)


class Recorded:
    """A corpus that counts how often it is read."""

    def __init__(self, sentences):
        self.sentences = sentences
        self.reads = 0

    def __iter__(self):
        self.reads += 1
        return iter(self.sentences)


@pytest.mark.parametrize(("epochs", "passes"), [(2, 2), (None, 50)])
def test_the_text_is_read_once_for_the_vocabulary_and_once_an_epoch(epochs, passes):
    sentences = Recorded(corpus(4))
    table = train_word2vec(sentences, dim=4, min_count=1, epochs=epochs)
    assert sentences.reads == 1 + passes
    assert table.metadata["source"]["epochs"] == passes


def test_the_metadata_say_how_it_was_trained():
    source = train_word2vec(corpus(), architecture="cbow", window=4, seed=3, **SMALL).metadata["source"]
    assert source == {
        "method": "word2vec", "architecture": "cbow", "negative": 10, "window": 4, "min_count": 1, "epochs": 3,
        "sample": 1e-3, "seed": 3, "tokens": 60 * 12,
    }  # fmt: skip
