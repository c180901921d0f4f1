import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

from spacy_embed.bags import Bags
from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.evaluation import classification
from spacy_embed.evaluation.labelled_texts import read_labelled_corpus, read_labelled_texts
from spacy_embed.transport.exact import word_movers_distance


def some_texts(n=90, classes=3, seed=0):
    random = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centres = random.normal(size=(classes, 6))
    return (centres[labels] + 0.9 * random.normal(size=(n, 6))).astype(np.float32), labels


def test_folds_hold_out_every_text_once_and_share_classes():
    labels = np.array([0] * 50 + [1] * 25 + [2] * 5)
    splits = classification.splits_of(labels, np.zeros(80, bool), seed=3)
    assert sorted(np.concatenate([split.test for split in splits]).tolist()) == list(range(80))
    for split in splits:
        assert not set(split.train) & set(split.test)
        assert np.bincount(labels[split.test]).tolist() == [10, 5, 1]


def test_a_given_split_is_kept():
    (split,) = classification.splits_of(np.array([0, 1, 0]), np.array([False, False, True]), seed=1)
    assert (split.train.tolist(), split.test.tolist()) == ([0, 1], [2])


def test_neighbours_are_those_of_sklearn():
    embeddings, labels = some_texts()
    train, test = np.arange(60), np.arange(60, 90)
    votes = classification._votes(classification.nearest_by_cosine(embeddings), labels, train, test)
    units = unit_rows(embeddings)
    for k in (1, 3, 7):
        model = KNeighborsClassifier(k, algorithm="brute").fit(units[train], labels[train])
        neighbours = labels[train][model.kneighbors(units[test])[1]]
        counts = np.stack([np.bincount(row, minlength=3) for row in neighbours])
        # among equally frequent labels sklearn takes the smallest, we the nearest
        is_clear = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) == 1
        assert is_clear.sum() > 20
        np.testing.assert_array_equal(votes[is_clear, k - 1], model.predict(units[test])[is_clear])
        for i in np.flatnonzero(~is_clear):
            best = np.flatnonzero(counts[i] == counts[i].max())
            assert votes[i, k - 1] == next(label for label in neighbours[i] if label in best)


def test_nearest_by_wmd_is_brute_force():
    random = np.random.default_rng(5)
    rows = random.normal(size=(15, 4)).astype(np.float32)
    places = np.concatenate([np.sort(random.choice(15, 4, replace=False)) for _ in range(11)])
    bags = Bags.build(places, np.ones(44), np.array([*range(0, 45, 4), 44]))  # the last is empty
    found = classification.nearest_by_wmd(bags, rows, normalize=True)
    for i in range(11):
        one = bags.slice(i, i + 1)
        distances = [word_movers_distance(one, bags.slice(j, j + 1), rows, cost="unit") for j in range(11)]
        distances[i] = np.inf
        assert found[i, :10].tolist() == np.argsort(distances, kind="stable")[:10].tolist()
        assert i not in found[i]
    assert set(found[11]) == {-1}


def test_a_text_without_neighbours_gets_the_most_frequent_label():
    labels = np.array([1, 1, 0, 0])
    neighbours = np.array([[1, 2], [0, 2], [0, 1], [-1, -1]])
    votes = classification._votes(neighbours, labels, np.array([0, 1, 2]), np.array([3]))
    assert set(votes[0]) == {1}


def test_both_classifiers_learn_and_scores_are_sklearns():
    embeddings, labels = some_texts(150)
    splits = classification.splits_of(labels, np.zeros(150, bool), seed=1)
    right = labels[np.concatenate([split.test for split in splits])]
    neighbours = classification.nearest_by_cosine(embeddings)
    for found in (
        classification.predict_by_neighbours(neighbours, labels, splits, 1),
        classification.predict_by_regression(embeddings, labels, splits, 1),
    ):
        quality = classification.quality(right, found.labels)
        assert quality.accuracy == np.mean(right == found.labels) > 0.7
        assert quality.macro_f1 == pytest.approx(f1_score(right, found.labels, average="macro"))
        assert len(found.chosen.split(", ")) == 5


def test_macro_f1_by_hand():
    # class 0: precision 1, recall 1/2; class 1: precision 1/2, recall 1
    quality = classification.quality(np.array([0, 0, 1]), np.array([0, 1, 1]))
    assert quality == (pytest.approx(2 / 3), pytest.approx(2 / 3))


@pytest.mark.parametrize(
    ("text", "labels", "texts", "is_test"),
    [
        ("id\tlabel\ttext\n5\tsport\tA game.\n", ["sport"], ["A game."], [False]),
        ('"positive"\tgood\n"negative"\tbad\n', ["positive", "negative"], ["good", "bad"], [False, False]),
        ("business\t001\tAd sales\n", ["business"], ["Ad sales"], [False]),
        ("train\tearn\tnet\ntest\tacq\tbuys\n", ["earn", "acq"], ["net", "buys"], [False, True]),
        ("split\tclass\tbody\ntest\tacq\tbuys\n", ["acq"], ["buys"], [True]),
    ],
)
def test_formats(text, labels, texts, is_test, tmp_path):
    file = tmp_path / "texts.tsv"
    file.write_text(text, encoding="utf-8")
    read = read_labelled_texts(file)
    assert (read.labels, read.texts, read.is_test) == (labels, texts, is_test)


def test_faults_name_file_and_line(tmp_path):
    file = tmp_path / "texts.tsv"
    file.write_text("a\ttext\nno label here\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"texts\.tsv, line 2: expected a label and a text"):
        read_labelled_texts(file)
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(InputError, match="holds no texts"):
        read_labelled_texts(file)


def test_labels_of_a_corpus(tmp_path):
    corpus, labels = tmp_path / "c.jsonl", tmp_path / "labels.tsv"
    corpus.write_text('{"_id": "1", "text": "a"}\n{"_id": "2", "text": "b"}\n', encoding="utf-8")
    labels.write_text("2\tsport\tFake\n9\tnews\tTrue\n", encoding="utf-8")
    assert read_labelled_corpus(corpus, labels).labels == ["sport"]
    assert read_labelled_corpus(corpus, labels, column=3).labels == ["Fake"]
    with pytest.raises(InputError, match=r"labels\.tsv, line 1: expected an id, and a label in column 4"):
        read_labelled_corpus(corpus, labels, column=4)
    labels.write_text("2\tsport\n1\t\n", encoding="utf-8")
    assert read_labelled_corpus(corpus, labels).labels == ["sport"]
    labels.write_text("7\tsport\n", encoding="utf-8")
    with pytest.raises(InputError, match="No id of"):
        read_labelled_corpus(corpus, labels)
