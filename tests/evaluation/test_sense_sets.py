"""Sense sets in the field's formats, and what is said of files that are not."""

import gzip
import json

import pytest

from spacy_embed.errors import InputError
from spacy_embed.evaluation.predictions import russe_table, semeval_key
from spacy_embed.evaluation.sense_sets import RUSSE_COLUMNS, SenseSet, is_sense_table, read_sense_set

HEADER = "\t".join(RUSSE_COLUMNS) + "\n"


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_russes_columns(tmp_path):
    rows = '1\tлук\t1\t\t0-3,9-12\tлук и ""\n' + '2\tлук\t2\tx\t\t"зеленый ""лук"""\n3\tбор\t1.2\t\t2-5\tв бору\n'
    sense_set = read_sense_set(write(tmp_path / "a.csv", HEADER + rows))
    assert sense_set.by_word == {"лук": [0, 1], "бор": [2]}
    first, second, third = sense_set.contexts
    assert (first.id, first.gold, first.given, first.spans) == ("1", "1", "", ((0, 3),))
    assert second.text == 'зеленый "лук"'
    assert (second.given, second.spans) == ("x", ())
    assert (third.gold, third.text[slice(*third.spans[0])]) == ("1.2", "бор")
    # 9-12 lies outside, and is counted
    assert sense_set.outside == 1
    assert is_sense_table(tmp_path / "a.csv")


def test_twsi(tmp_path):
    header = "context_id\ttarget\ttarget_pos\ttarget_position\tgold_sense_ids\tpredict_sense_ids\tcontext\n"
    sense_set = read_sense_set(write(tmp_path / "t.csv", header + "7\tbank\tn\t4,8\t2\t\tThe bank .\n"))
    (context,) = sense_set.contexts
    assert (context.word, context.gold, context.spans) == ("bank", "2", ((4, 8),))


SEMEVAL = "bank.n 2\nthe left\tof a river\nmoney in the\t\nrun.v 1\nthey\tfast\n"
KEY = "bank.n bank.n.10 bank.n.2\nbank.n bank.n.9 bank.n.1\nrun.v run.v.1 run.v.4/0.8 run.v.2/0.2\n"


def test_semeval_and_its_key(tmp_path):
    with gzip.open(tmp_path / "x-dataset.txt.gz", "wt") as file:
        file.write(SEMEVAL)
    with gzip.open(tmp_path / "x-key.txt.gz", "wt") as file:
        file.write(KEY)
    sense_set = read_sense_set(tmp_path / "x-dataset.txt.gz")
    assert [context.id for context in sense_set.contexts] == ["bank.n.9", "bank.n.10", "run.v.1"]
    assert [context.gold for context in sense_set.contexts] == ["bank.n.1", "bank.n.2", "run.v.4"]
    assert sense_set.contexts[0].text == "the left bank of a river"
    assert all(c.text[slice(*c.spans[0])] == c.lemma for c in sense_set.contexts)
    key = semeval_key(sense_set, {"bank.n": [0, 1], "run.v": [0]})
    assert key.decode().splitlines()[1] == "bank.n bank.n.10 bank.n.sense.2"


def test_labelled_folder(tmp_path):
    folder = tmp_path / "nouns"
    folder.mkdir()
    senses = "\t\tone\t1\n\t\ttwo\t2\n\t\tother\t3\n\t\tcannot tell\t0\n"
    rows = "a \tбор\t b\t1\nc\tборы\td\t2\t2\ne\tбор\tf\t1\t2\ng\tбор\th\t3\ni\tбор\tj\t0\n"
    write(folder / "бор.txt", senses + rows)
    contexts = [[["a", " лука", " b"], "1"], [["c", "лук", "d"], "2"], [["e", "лук", "f"], "0"]]
    write(folder / "лук.json", json.dumps([{"0": "", "1": "", "2": ""}, contexts]))
    sense_set = read_sense_set(tmp_path)
    assert [(c.word, c.lemma, c.gold, c.text) for c in sense_set.contexts] == [
        ("nouns/бор", "бор", "1", "a бор b"),
        ("nouns/бор", "бор", "2", "c боры d"),
        ("nouns/лук", "лук", "1", "a лука b"),
    ]
    assert all(c.text[slice(*c.spans[0])][:2] == c.lemma[:2] for c in sense_set.contexts)


def test_predictions_are_read_again(tmp_path):
    rows = '1\tлук\t1\t\t0-3\t"лук ""x"""\n2\tлук\t2\t\t\tмой лук\n'
    first = read_sense_set(write(tmp_path / "a.csv", HEADER + rows))
    (tmp_path / "b.csv").write_bytes(russe_table(first, {"лук": [1, 0]}))
    again = read_sense_set(tmp_path / "b.csv")
    assert [c._replace(given="") for c in again.contexts] == first.contexts
    assert [c.given for c in again.contexts] == ["2", "1"]
    assert isinstance(again, SenseSet)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,word\n1,лук\n", "line 1: expected RUSSE's"),
        ("context_id\tword\tcontext\n1\tлук\tx\n", "line 1: columns are missing: gold_sense_id, positions"),
        (HEADER, "holds no contexts"),
        (HEADER + "1\tлук\t1\tx\n", "line 2: expected 6 columns with tabs between, got 4"),
        (
            HEADER + "1\tлук\t1\t\t0-3\tлук\n2\tлук\t1\t\tabc\tлук\n",
            "line 3: expected a position start-stop, got 'abc'",
        ),
        (HEADER + "1\tлук\t1\t\t3-0\tлук\n", "line 2: expected a position"),
        (HEADER + "1\tлук\t\t\t0-3\tлук\n", "line 2: a context needs a word, a sense and a text"),
        (HEADER + "1\tлук\t1\t\t\t \n", "line 2: a context needs a word, a sense and a text"),
        (SEMEVAL, "without their senses"),
    ],
)
def test_what_is_not_a_sense_set_is_located(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_sense_set(write(tmp_path / "a.csv", text))


@pytest.mark.parametrize(
    ("dataset", "key", "message"),
    [
        ("bank.n 3\na\tb\nc\td\n", KEY, "line 1: 3 contexts of 'bank.n', but 2 in"),
        ("bank.n 2\na\tb\n", KEY, "ends too soon: 1 more contexts of 'bank.n'"),
        ("bank.n 2\na\tb\nrun.v 1\nc\td\n", KEY, "line 3: 1 more contexts of 'bank.n'"),
        ("bank.n 2\na\tb\nno tab\n", KEY, "line 3: expected left context, tab, right context"),
        (SEMEVAL, "bank.n bank.n.x 1\n", "line 1: expected 'WORD WORD.NUMBER SENSE'"),
    ],
)
def test_what_does_not_fit_its_key_is_located(tmp_path, dataset, key, message):
    key_file = write(tmp_path / "k.txt", key)
    with pytest.raises(InputError, match=message):
        read_sense_set(write(tmp_path / "a.txt", dataset), key=key_file)


def test_a_damaged_labelled_file_is_named(tmp_path):
    write(tmp_path / "a.json", "[1, 2, 3]")
    with pytest.raises(InputError, match=r"a\.json: expected senses, and contexts"):
        read_sense_set(tmp_path)
    write(tmp_path / "a.json", "[{}, []]")
    with pytest.raises(InputError, match=r"a\.json: expected senses"):
        read_sense_set(tmp_path)
    (tmp_path / "a.json").unlink()
    write(tmp_path / "a.txt", "\t\tone\t1\nonly two\tcolumns\n")
    with pytest.raises(InputError, match="line 2: expected left context, word, right context"):
        read_sense_set(tmp_path)
