import gzip

import pytest

from spacy_embed.errors import InputError
from spacy_embed.evaluation.word_pairs import read_word_pairs

PAIRS = [("tiger", "cat", 7.35), ("ice cream", "bread", 3.0)]


@pytest.mark.parametrize(
    "text",
    [
        "tiger\tcat\t7.35\nice cream\tbread\t3\n",
        "# of 2002\n\ntiger\tcat\t7.35\r\nice cream\tbread\t3\r\n",
        "Word 1,Word 2,Human (mean)\ntiger,cat,7.35\nice cream,bread,3\n",
        'tiger;cat;7.35\n"ice cream";"bread";3\n',
        "word1\tword2\tPOS\tSimLex999\tconc(w1)\ntiger\tcat\tN\t7.35\t1.5\nice cream\tbread\tN\t3\t2\n",
        "tiger\tcat\tN\t7.35\nice cream\tbread\tN\t3\n",
        "\ufefftiger\tcat\t7.35\t8\t9\nice cream\tbread\t3\t4\t5\n",
        "a\tb\tunnamed\ttoo\ntiger\tcat\tx\t7.35\nice cream\tbread\tx\t3\n",
    ],
    ids=["tabs", "comments", "csv", "quotes", "simlex", "no header", "raters", "header without a known name"],
)
def test_formats(text, tmp_path):
    file = tmp_path / "pairs.txt"
    file.write_text(text, encoding="utf-8")
    assert read_word_pairs(file) == PAIRS


def test_spaces_in_a_file_of_tabs_and_gzip(tmp_path):
    # as in the distributed MTurk-771
    file = tmp_path / "pairs.txt.gz"
    file.write_bytes(gzip.compress("kitchen toilet 2.5\nподъезд\tдом\t1e1\n".encode()))
    assert read_word_pairs(file) == [("kitchen", "toilet", 2.5), ("подъезд", "дом", 10.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\t1\nc\td\n", "line 2: expected two words and a score in column 3, got 'c\\td'"),
        ("a\tb\t1\nc\td\tnan\n", "line 2: expected two words and a score"),
        ("a\tb\t1\n\td\t2\n", "line 2: expected two words"),
        ("a\tb\tN\t1\nc\td\tN\tx\n", "line 2: expected two words and a score in column 4"),
        ("a b\n", "line 1: expected two words and a score in column 3"),
        ("word1\tword2\tscore\n", "holds no word pairs"),
        ("", "holds no word pairs"),
    ],
)
def test_wrong_files(text, message, tmp_path):
    file = tmp_path / "pairs.txt"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        read_word_pairs(file)
    assert message in str(error.value)
    assert str(file) in str(error.value)


def test_wrong_lines_can_be_passed_over(tmp_path):
    file = tmp_path / "pairs.txt"
    file.write_bytes(b"a\tb\t1\nc\td\n\xff\te\t2\nf\tg\t3\n")
    faults = []
    assert read_word_pairs(file, faults.append) == [("a", "b", 1.0), ("f", "g", 3.0)]
    assert [fault.line for fault in faults] == [2, 3]


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_word_pairs(tmp_path / "none.txt")
