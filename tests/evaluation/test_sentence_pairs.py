import numpy as np
import pytest

from spacy_embed.bags import Bags
from spacy_embed.embedding import EMBEDDINGS
from spacy_embed.errors import InputError
from spacy_embed.evaluation.scored_pairs import ScoredPairs
from spacy_embed.evaluation.sentence_pairs import PairTexts, pair_similarities, paired_cosines, score_pairs
from spacy_embed.evaluation.text_bags import Vocabulary
from spacy_embed.evaluation.text_methods import text_method, text_methods
from spacy_embed.training.encoder_file import EncoderFile
from spacy_embed.vectors import WordTable

FORMS = ["river", "bank", "money", "xyzzy"]
ROWS = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
TABLE = WordTable.build(FORMS[:3], ROWS)
# river | bank, river money | money, xyzzy | river
FORM_BAGS = Bags.build(np.array([0, 0, 2, 3, 1, 2, 0]), np.ones(7), np.array([0, 1, 3, 4, 5, 6, 7]))
PAIRS = ScoredPairs(np.array([3.0, 2.0, 1.0]), ["a", "b", "c"], ["d", "e", "f"])


@pytest.fixture
def texts():
    return PairTexts(PAIRS, FORM_BAGS, Vocabulary.of(FORMS, TABLE))


def test_by_hand(texts):
    found = {
        name: pair_similarities(method.comparison, method.fitted(texts.counts, texts.vocabulary), texts.counts, ROWS)
        for name in ("mean", "wmd", "soft-cosine")
        for method in [text_method(name)]
    }
    np.testing.assert_allclose(found["mean"], [0.6, np.sqrt(0.5), 0.0], atol=1e-6)
    # half of the mass of (river, money) stays, half goes the distance of sqrt(2)
    np.testing.assert_allclose(found["wmd"], [1 / (1 + np.sqrt(0.8)), 1 / (1 + np.sqrt(2) / 2), 0.0], atol=1e-6)
    np.testing.assert_allclose(found["soft-cosine"], [0.36, 1 / np.sqrt(2), 0.0], atol=1e-6)


def test_unknown_words_count_as_zero_and_are_told(texts):
    scores = score_pairs(texts, text_methods("mean,wmd"), texts.counts)
    assert (scores.pairs, scores.tokens, scores.covered, scores.without_vector) == (3, 7, 6, 1)
    assert [score.similarities[2] for score in scores.scores] == [0.0, 0.0]
    assert scores.as_json()["scores"]["mean"]["auc"] == 1.0  # three whole numbers are classes


def test_pairs_of_unknown_words_alone():
    with pytest.raises(InputError, match="None of the words"):
        Vocabulary.of(["xyzzy", "plugh"], TABLE)


def test_nan_is_null_in_json(texts):
    alike = texts._replace(pairs=PAIRS._replace(gold=np.ones(3)))
    facts = score_pairs(alike, text_methods("mean"), texts.counts).as_json()["scores"]["mean"]
    assert (facts["spearman"], facts["pearson"], facts["auc"]) == (None, None, None)


def test_components_are_those_of_the_corpus(texts):
    method = text_method("mean-1")
    fitted = method.fitted(texts.counts, texts.vocabulary)
    gram = fitted.reduce(texts.counts, ROWS).T @ fitted.reduce(texts.counts, ROWS)
    assert abs(fitted.components[0] @ np.linalg.eigh(gram)[1][:, -1]) == pytest.approx(1.0, abs=1e-5)


def test_an_encoder_weighs_and_maps(texts):
    turn = np.array([[0, 1], [-1, 0]], np.float32)
    encoder = EncoderFile("en", ["river", "unseen"], np.array([3.0, 9.0], np.float32), turn)
    (score,) = score_pairs(texts, text_methods("fitted"), texts.counts, encoder=encoder).scores
    idf = text_method("tfidf").fitted(texts.counts, texts.vocabulary).weighting.idf
    own = texts.vocabulary.form_rows
    vector = 3 * idf[own[0]] * ROWS[0] + idf[own[2]] * ROWS[2]
    # a rotation changes no cosine; the weight of river does
    assert score.similarities[1] == pytest.approx(vector[1] / np.linalg.norm(vector), abs=1e-6)
    with pytest.raises(InputError, match="needs --encoder"):
        score_pairs(texts, text_methods("fitted"), texts.counts)
    with pytest.raises(InputError, match="maps 3 dimensions, but the table has 2"):
        score_pairs(texts, text_methods("fitted"), texts.counts, encoder=encoder._replace(projection=np.eye(3)))


def test_the_sentence_encoder_sees_whole_texts(texts):
    seen = []

    def encode(sentences):
        seen.extend(sentences)
        return np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)

    (score,) = score_pairs(texts, text_methods("sentence"), texts.counts, sentence_encoder=encode).scores
    assert seen == ["a", "b", "c", "d", "e", "f"]
    assert score.similarities.tolist() == [0.0, 0.0, 0.0]


def test_names_of_methods():
    assert text_method("sif").embedding.n_components == EMBEDDINGS["sif"].n_components == 1
    assert text_method("sif-0").embedding.n_components == 0
    assert text_method("tfidf-12").embedding.n_components == 12
    assert text_method("wmd-sif", a=0.5).embedding.weighting.a == 0.5
    for names in ("nonsense", "mean-x", "wmd-5", ""):
        with pytest.raises(InputError, match="expected some of sum, mean"):
            text_methods(names)
    with pytest.raises(InputError, match="named twice"):
        text_methods("mean, mean")


def test_zero_embeddings_have_cosine_zero():
    assert paired_cosines(np.array([[0, 0], [1, 0], [1, 0], [2, 0]], np.float32)).tolist() == [0.0, 1.0]
