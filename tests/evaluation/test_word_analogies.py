import math

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.evaluation.word_analogies import Section, analogy_accuracy, read_analogies
from spacy_embed.evaluation.word_lookup import WordLookup
from spacy_embed.vectors import WordTable


def test_google_format(tmp_path):
    file = tmp_path / "questions.txt"
    file.write_text(": capitals\nAthens Greece Oslo Norway\n\n: empty\n: family\nson\tdaughter\tboy\tgirl\n# end\n")
    assert read_analogies(file) == [
        Section("capitals", [("Athens", "Greece", "Oslo", "Norway")]),
        Section("family", [("son", "daughter", "boy", "girl")]),
    ]


def test_questions_before_a_section(tmp_path):
    file = tmp_path / "questions.txt"
    file.write_text("a b c d\n")
    assert read_analogies(file) == [Section("", [("a", "b", "c", "d")])]


@pytest.mark.parametrize(
    ("text", "message"),
    [(": s\na b c\n", "line 2: expected four words or ': SECTION', got 'a b c'"), (": s\n", "holds no analogies")],
)
def test_wrong_files(text, message, tmp_path):
    file = tmp_path / "questions.txt"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        read_analogies(file)
    assert message in str(error.value)


def test_accuracy_by_hand():
    # gender is the second coordinate, age the third
    rows = np.array([[3, 1, 1], [3, -1, 1], [3, 1, -1], [3, -1, -1], [-1, 0, 9]], np.float32)
    table = WordTable.build(["man", "woman", "boy", "girl", "far"], rows)
    sections = [
        Section("gender", [("man", "woman", "boy", "girl"), ("boy", "girl", "Man", "woman")]),
        Section("odd", [("man", "woman", "boy", "far"), ("man", "woman", "king", "queen")]),
        Section("unknown", [("x", "y", "z", "a")]),
    ]
    found = analogy_accuracy(table, sections)
    gender, odd, unknown = found.sections
    assert (gender.add, gender.mul, gender.covered, gender.coverage) == (1.0, 1.0, 2, 1.0)
    assert (odd.add, odd.covered, odd.coverage) == (0.0, 1, 0.5)
    assert unknown.covered == 0
    assert math.isnan(unknown.add)
    assert (found.total.add, found.total.covered, found.total.questions) == (2 / 3, 3, 5)


def test_restricted_vocabulary_and_exact_case():
    rows = np.array([[3, 1, 1], [3, -1, 1], [3, 1, -1], [3, -1, -1]], np.float32)
    table = WordTable.build(["man", "woman", "boy", "girl"], rows)
    sections = [Section("s", [("man", "woman", "boy", "girl"), ("Man", "woman", "boy", "girl")])]
    assert analogy_accuracy(table, sections, vocabulary=3).total.covered == 0
    assert analogy_accuracy(table, sections, WordLookup(lower=False)).total.covered == 1


def test_words_that_share_a_row_answer_for_each_other():
    rows = np.array([[3, 1, 1], [3, -1, 1], [3, 1, -1], [3, -1, -1]], np.float32)
    table = WordTable.build(
        ["man", "woman", "boy", "girl", "lass"], rows, word_rows=np.array([0, 1, 2, 3, 3], np.int32)
    )
    assert analogy_accuracy(table, [Section("s", [("man", "woman", "boy", "lass")])]).total.add == 1.0


def test_accuracy_is_gensims(tmp_path):
    from gensim.models import KeyedVectors

    random = np.random.default_rng(0)
    words = [f"w{i}" for i in range(60)]
    rows = random.normal(size=(60, 3)).astype(np.float32)
    questions = [tuple(f"w{i}" for i in random.choice(66, 4, replace=False)) for _ in range(600)]
    file = tmp_path / "questions.txt"
    file.write_text("".join(f": s{start}\n" + "".join(" ".join(q) + "\n" for q in questions[start : start + 200])
                            for start in (0, 200, 400)))  # fmt: skip
    model = KeyedVectors(3)
    model.add_vectors(words, rows)
    score, of_sections = model.evaluate_word_analogies(str(file), case_insensitive=False)
    found = analogy_accuracy(WordTable.build(words, rows), read_analogies(file))
    assert 0.005 < score < 0.5
    assert found.total.add == pytest.approx(score)
    for mine, theirs in zip(found.sections, of_sections, strict=False):
        right, wrong = len(theirs["correct"]), len(theirs["incorrect"])
        assert (mine.covered, round(mine.add * mine.covered)) == (right + wrong, right)
