"""FastText against gensim called directly, known words and composed ones."""

import numpy as np
import pytest
from gensim.models import FastText

from spacy_embed.errors import InputError
from spacy_embed.training.fasttext import train_fasttext
from tests.training.texts import sentences

UNSEEN = ["w9999", "ww1", "дом", "x", "w1w2w3", "河流"]


@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
@pytest.mark.parametrize("negative", [0, 5])
def test_vectors_are_those_of_gensim(architecture, negative):
    text = sentences()
    settings = {"window": 3, "min_count": 40, "epochs": 2, "sample": 0.01, "seed": 7, "workers": 1}
    subwords = {"min_n": 2, "max_n": 4}
    ours = train_fasttext(text, dim=9, architecture=architecture, negative=negative, buckets=80, **subwords, **settings)
    theirs = FastText(
        text, vector_size=9, sg=int(architecture == "skip-gram"), hs=int(not negative), negative=negative, bucket=80,
        **subwords, **settings,
    ).wv  # fmt: skip
    assert list(ours.words) == theirs.index_to_key
    assert ours.rows.tobytes() == theirs.vectors.tobytes()
    assert ours.extras["subwords"].tobytes() == theirs.vectors_ngrams.tobytes()
    np.testing.assert_allclose(ours.compose(UNSEEN), [theirs[word] for word in UNSEEN], atol=1e-6)


def test_a_saved_table_composes_as_before(tmp_path):
    table = train_fasttext(sentences(200), dim=6, buckets=40, epochs=1)
    opened = table.save(tmp_path / "table")
    assert opened.composes
    assert opened.compose(UNSEEN).tobytes() == table.compose(UNSEEN).tobytes()
    assert opened.metadata["source"]["method"] == "fasttext"


def test_no_loss_is_made_up():
    assert train_fasttext(sentences(200), dim=6, buckets=40, epochs=2).metadata["source"]["loss"] is None


def test_without_subwords_nothing_is_composed():
    table = train_fasttext(sentences(200), dim=6, buckets=40, epochs=1, max_n=0)
    assert len(table) > 100
    assert not table.composes
    assert not table.compose(UNSEEN).any()


def test_more_than_gensim_reads_at_once_is_not_cut():
    long = ["early"] * 10_000 + ["late"] * 10_000
    settings = {"dim": 6, "buckets": 40, "epochs": 1, "sample": 0, "min_count": 1}
    whole, pieces = train_fasttext([long], **settings), train_fasttext([long[:10_000], long[10_000:]], **settings)
    assert whole.rows.tobytes() == pieces.rows.tobytes()


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"min_n": 5, "max_n": 4}, "5 to 4 characters"), ({"min_count": 10**6}, "No word occurs 1000000 times")],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        train_fasttext(sentences(20), **settings)
