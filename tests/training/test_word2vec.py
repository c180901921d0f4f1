"""word2vec against gensim called directly."""

import numpy as np
import pytest
from gensim.models import Word2Vec

from spacy_embed.embedding import cosine_similarity
from spacy_embed.errors import InputError
from spacy_embed.training.sequences import TokenSequences
from spacy_embed.training.word2vec import train_word2vec
from tests.training.texts import sentences

SMALL = {"dim": 12, "min_count": 1, "epochs": 3}


def corpus(n_sentences=60, seed=0):
    """Sentences about one of two topics, each of its own words."""
    rng = np.random.default_rng(seed)
    return [[f"{'xy'[i % 2]}{word}" for word in rng.integers(0, 8, 12)] for i in range(n_sentences)]


@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
@pytest.mark.parametrize("negative", [0, 5])
@pytest.mark.parametrize("sample", [0, 0.01])
def test_vectors_are_those_of_gensim(architecture, negative, sample):
    text = sentences()
    assert sum(map(len, text)) > 40_000
    settings = {"window": 3, "min_count": 40, "epochs": 2, "sample": sample, "seed": 7, "workers": 1}
    ours = train_word2vec(text, dim=9, architecture=architecture, negative=negative, alpha=0.04, **settings)
    theirs = Word2Vec(
        text, vector_size=9, sg=int(architecture == "skip-gram"), hs=int(not negative), negative=negative, alpha=0.04,
        **settings,
    ).wv  # fmt: skip
    assert list(ours.words) == theirs.index_to_key
    assert 100 < len(ours) < 300
    assert ours.rows.tobytes() == theirs.vectors.tobytes()


@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
@pytest.mark.parametrize("negative", [0, 5])
def test_the_loss_is_that_of_gensim(architecture, negative):
    text = sentences(600)
    loss = train_word2vec(text, dim=9, architecture=architecture, negative=negative, epochs=3).metadata["source"][
        "loss"
    ]
    model = Word2Vec(
        text, vector_size=9, sg=int(architecture == "skip-gram"), hs=int(not negative), negative=negative,
        min_count=2, epochs=3, seed=1, workers=1, compute_loss=True,
    )  # fmt: skip
    n_tokens = sum(map(len, text))
    assert len(loss) == 3
    assert sum(loss) * n_tokens == pytest.approx(model.get_latest_training_loss(), rel=1e-3)


def test_the_loss_of_several_threads_is_whole():
    one, three = (train_word2vec(sentences(), dim=8, epochs=1, workers=n).metadata["source"]["loss"][0] for n in (1, 3))
    assert three == pytest.approx(one, rel=0.05)


def test_the_loss_falls():
    loss = train_word2vec(corpus(2000), dim=12, min_count=1, epochs=8).metadata["source"]["loss"]
    assert loss[-1] < 0.9 * loss[0]


def test_an_error_while_reading_ends_the_run():
    numbered = TokenSequences.of(sentences())
    reads = iter(range(10))

    def blocks():
        # the first two reads number and count
        if next(reads) > 1:
            raise OSError("the disk is gone")
        return numbered.blocks()

    broken = TokenSequences(numbered.words, numbered.counts, numbered.n_sequences, blocks)
    with pytest.raises(OSError, match="the disk is gone"):
        train_word2vec(broken, dim=4, epochs=3)


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
def test_the_text_is_read_once(epochs, passes):
    text = Recorded(corpus(4))
    table = train_word2vec(text, dim=4, min_count=1, epochs=epochs)
    assert text.reads == 1
    assert table.metadata["source"]["epochs"] == passes


def test_the_metadata_say_how_it_was_trained():
    source = train_word2vec(corpus(), architecture="cbow", window=4, seed=3, **SMALL).metadata["source"]
    assert len(source.pop("loss")) == 3
    assert source == {
        "method": "word2vec", "architecture": "cbow", "negative": 10, "window": 4, "min_count": 1, "epochs": 3,
        "sample": 1e-3, "alpha": 0.025, "seed": 3, "workers": 1, "tokens": 60 * 12,
    }  # fmt: skip
