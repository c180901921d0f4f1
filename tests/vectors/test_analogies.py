"""Analogies: gensim's answers by both methods, golden ones by hand, the same in batches of any size."""

import numpy as np
import pytest

from spacy_embed.errors import InputError, UnknownWordError
from spacy_embed.vectors import WordTable, nearest_rows
from spacy_embed.vectors.analogies import solve_analogies
from spacy_embed.vectors.neighbors import Neighborhood

GRID = {
    "man": (1, 0, 0),
    "woman": (1, 1, 0),
    "king": (1, 0, 1),
    "queen": (1, 1, 1),
    "apple": (0.2, -1, 0.1),
    "pear": (0.1, 0.2, -1),
}


def grid():
    return WordTable.build(list(GRID), np.array(list(GRID.values()), np.float32))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rows = np.random.default_rng(0).normal(size=(3000, 20)).astype(np.float32)
    folder = tmp_path_factory.mktemp("analogies") / "table"
    return WordTable.build([f"w{i}" for i in range(3000)], rows).save(folder)


def random_questions(n, n_words=3000, seed=1):
    ids = np.random.default_rng(seed).integers(0, n_words, size=(n, 3)).tolist()
    return [tuple(f"w{i}" for i in triple) for triple in ids]


@pytest.mark.parametrize("method", ["add", "mul"])
def test_man_is_to_king_as_woman_is_to_queen(method):
    ((best, *_),) = solve_analogies(Neighborhood(grid()), [("man", "king", "woman")], 3, method=method)
    assert best.word == "queen"
    units = {word: np.array(vector) / np.linalg.norm(vector) for word, vector in GRID.items()}
    if method == "add":
        sum_ = units["king"] - units["man"] + units["woman"]
        expected = units["queen"] @ sum_ / np.linalg.norm(sum_)
    else:
        shifted = {word: (1 + units["queen"] @ unit) / 2 for word, unit in units.items()}
        expected = shifted["king"] * shifted["woman"] / (shifted["man"] + 1e-6)
    assert best.similarity == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("restrict", [None, 900])
@pytest.mark.parametrize("method", ["add", "mul"])
def test_answers_are_gensims(table, method, restrict):
    from gensim.models import KeyedVectors

    peer = KeyedVectors(20)
    peer.add_vectors(list(table.words), np.array(table.rows))
    questions = random_questions(40)
    answers = solve_analogies(Neighborhood(table, restrict=restrict), questions, 5, method=method)
    for (a, b, c), found in zip(questions, answers, strict=True):
        options = {"positive": [b, c], "negative": [a], "topn": 5}
        if method == "add":
            expected = peer.most_similar(**options, restrict_vocab=restrict)
        else:
            # its 3CosMul does not restrict what it says it does
            expected = peer.most_similar_cosmul(**{**options, "topn": 3000})
            expected = [(word, score) for word, score in expected if int(word[1:]) < (restrict or 3000)][:5]
        assert [word for word, _ in found] == [word for word, _ in expected]
        np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], atol=3e-6)


@pytest.mark.parametrize("method", ["add", "mul"])
def test_batches_and_blocks_change_nothing(table, monkeypatch, method):
    near = Neighborhood(table)
    # few words in many questions, so that products are shared
    questions = random_questions(400, n_words=30)
    together = solve_analogies(near, questions, 3, method=method)
    for name, size in {"_FIRST_ROWS": 50, "_MOST_ROWS": 777, "_SCORES_AT_ONCE": 4000, "_PAIRS_AT_ONCE": 11}.items():
        monkeypatch.setattr(nearest_rows, name, size)
    alone = [solve_analogies(near, [question], 3, method=method)[0] for question in questions]
    for ours, theirs in zip(together, alone, strict=True):
        assert [word for word, _ in ours] == [word for word, _ in theirs]
        np.testing.assert_allclose([s for _, s in ours], [s for _, s in theirs], atol=1e-7)
    assert [[word for word, _ in found] for found in solve_analogies(near, questions, 3, method=method)] == [
        [word for word, _ in found] for found in together
    ]


@pytest.mark.parametrize("method", ["add", "mul"])
def test_words_of_the_question_are_no_answers(method):
    for question in [("man", "king", "woman"), ("man", "man", "king"), ("king", "king", "king")]:
        (found,) = solve_analogies(Neighborhood(grid()), [question], 99, method=method)
        assert {word for word, _ in found} == set(GRID) - set(question)


def test_a_sum_of_nothing_has_no_answer():
    tripod = WordTable.build(
        ["a", "b", "c", "d"], np.array([[1, 0], [0.5, 3**0.5 / 2], [0.5, -(3**0.5) / 2], [0, 1]], np.float32)
    )
    assert solve_analogies(Neighborhood(tripod), [("a", "b", "c")], 2) == [[]]
    assert solve_analogies(Neighborhood(tripod), [], 2) == []


def test_bad_questions_are_refused():
    near = Neighborhood(grid())
    with pytest.raises(UnknownWordError, match="'emperor'"):
        solve_analogies(near, [("man", "king", "woman"), ("man", "emperor", "woman")])
    with pytest.raises(InputError, match="method 'pair'"):
        solve_analogies(near, [], method="pair")
    with pytest.raises(InputError, match="dot"):
        solve_analogies(Neighborhood(grid(), metric="dot"), [("man", "king", "woman")])
    with pytest.raises(InputError, match="at least 1"):
        solve_analogies(near, [("man", "king", "woman")], 0)
