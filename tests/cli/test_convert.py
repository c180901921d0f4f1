"""``spacy-embed convert`` and ``info`` of tables, end to end."""

import json

import numpy as np
import pytest

from spacy_embed.vectors import WordTable, load_vectors


@pytest.fixture
def vec(tmp_path):
    path = tmp_path / "ru.vec"
    path.write_bytes("4 3\nдом_NOUN 1 2 2 \nидти_VERB 0 3 4 \nдом_VERB 1 1 1 \nнет 0 0 0 \n".encode())
    return path


def test_convert_says_what_it_did(cli, vec, tmp_path):
    result = cli("convert", vec, tmp_path / "ru", "--strip-pos", "--normalize")
    assert (result.code, result.out.strip()) == (0, f"{tmp_path / 'ru'}: 3 words, 3 dimensions (word2vec-txt to table)")
    assert [line.partition(" words")[0] for line in result.err.strip().splitlines()] == [
        "note: 1",
        "note: 4 lines have spaces at their end, which count for nothing.",
        "note: 3",
        "note: 1",
    ]
    table = load_vectors(tmp_path / "ru")
    assert list(table.words) == ["дом", "идти", "нет"]
    assert np.array(table.rows).tolist() == np.array([[1 / 3, 2 / 3, 2 / 3], [0, 0.6, 0.8]], "f").tolist()
    assert table.find(["идти", "нет"]).tolist() == [1, -1]


def test_convert_in_json(cli, vec, tmp_path):
    result = cli("convert", vec, tmp_path / "out.glove.txt.gz", "--top", "2", "--lower", "--json")
    facts = json.loads(result.out)
    assert (facts["words"], facts["dim"], facts["format_written"], facts["reading"]["only_first"]) == (
        *(2, 3, "glove"),
        True,
    )
    assert list(load_vectors(tmp_path / "out.glove.txt.gz").words) == ["дом_noun", "идти_verb"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["missing", "out"], "no vectors at"),
        (["ru.vec", "out.xyz"], "choose --to one of"),
        (["ru.vec", "out", "--to", "gensim"], "choose --to one of"),
        (["ru.vec", "ru.vec"], "--overwrite"),
        (["ru.vec", "out", "--unwritable", "cry"], "refuse, replace, leave-out"),
        (["bad.txt", "out"], "bad.txt, line 2"),
        (["spaces.txt", "out.bin"], "'new york'"),
    ],
)
def test_bad_conversions(cli, vec, tmp_path, monkeypatch, arguments, expected):
    (tmp_path / "bad.txt").write_text("a 1 2\nb nan 2\n")
    (tmp_path / "spaces.txt").write_text("a 1 2\nnew york 1 2\n")
    before = sorted(file.name for file in tmp_path.iterdir())
    result = cli("convert", *(tmp_path / a if i < 2 else a for i, a in enumerate(arguments)))
    assert result.code == 2, result
    assert expected in result.err
    assert sum(line.startswith("error: ") for line in result.err.splitlines()) == 1
    assert result.out == ""
    assert sorted(file.name for file in tmp_path.iterdir()) == before


def test_info_of_a_table(cli, tmp_path):
    rng = np.random.default_rng(0)
    words = [
        "the",
        "river",
        "bridge",
        "house",
        "water",
        "of",
        "and",
        "with",
        "over",
        "under",
        "река",
        "мост",
        "дом",
        "桥",
        "河",
    ]
    rows = rng.normal(size=(15, 8)).astype(np.float32)
    rows[3] = 0
    rows[5] = rows[4]
    rows[7] = 2 * rows[6]
    table = WordTable.build([*words, "same"], rows, word_rows=[*range(15), 2])
    table.save(tmp_path / "table")
    result = cli("info", tmp_path / "table", "--json", "--verify")
    facts = json.loads(result.out)
    lengths = np.linalg.norm(np.delete(rows, 3, axis=0), axis=1)
    assert (facts["words"], facts["rows"], facts["dim"], facts["format"]) == (16, 15, 8, "table")
    assert facts["norms"]["median"] == pytest.approx(np.median(lengths), abs=1e-4)
    assert facts["norms"]["smallest"] == pytest.approx(lengths.min(), abs=1e-4)
    assert (facts["words_without_vector"], facts["words_that_share_a_row"], facts["repeated_rows"]) == (1, 1, 1)
    assert (facts["languages"]["ru"], facts["languages"]["zh"]) == (round(3 / 16, 3), round(2 / 16, 3))
    (near,) = facts["neighbors"].values()
    assert len(near) == 5
    text = cli("info", tmp_path / "table").out
    assert "lower_quartile" in text
    assert "neighbors" in text


def test_info_of_a_file_says_what_is_odd(cli, vec):
    facts = json.loads(cli("info", vec, "--json").out)
    assert facts["format"] == "word2vec-txt"
    assert any("zero vector" in note for note in facts["notes"])
    assert "zero vector" in cli("info", vec).out
