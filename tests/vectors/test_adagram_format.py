"""AdaGram.jl's model files: byte for byte through a table, facts by hand, every damage told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_embed.errors import InputError, SpacyEmbedError
from spacy_embed.vectors import WordTable, load_vectors
from spacy_embed.vectors.adagram_format import read_adagram, write_adagram
from spacy_embed.vectors.conversion import convert
from spacy_embed.vectors.formats import Reading, Writing, format_of
from spacy_embed.vectors.sense_table import SenseTable
from tests.vectors.sense_models import WORDS, adagram_file, sense_table


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "options", [{}, {"n_senses": 1, "dim": 1}, {"longest": 40, "alpha": "1.0e-5", "discount": "0.25"}]
)
def test_a_file_goes_through_a_table_byte_for_byte(seed, options, tmp_path):
    model = adagram_file(tmp_path / "model", seed=seed, **options)
    assert format_of(model).name == "adagram"
    table = load_vectors(model).save(tmp_path / "table")
    write_adagram(table, tmp_path / "again", Writing())
    assert (tmp_path / "again").read_bytes() == model.read_bytes()


def test_what_a_file_holds(tmp_path):
    table = load_vectors(adagram_file(tmp_path / "model", dim=5, n_senses=4))
    assert list(table.words) == list(WORDS)
    assert table.dim == 5
    assert table.metadata["senses"] == {
        "alpha": 0.1, "discount": 0.0, "longest_way": 9, "written": ["0.1", "0.0"],
    }  # fmt: skip
    senses = SenseTable.of(table)
    assert len(table.rows) == senses.n_senses.sum()
    assert senses.senses("bank")[0].prior >= senses.senses("bank")[-1].prior
    assert senses.disambiguate("bank", ["river", "money"]).sum() == pytest.approx(1)
    assert senses.window == 5


def test_our_own_tables_become_models_and_come_back(tmp_path):
    table = sense_table()
    write_adagram(table, tmp_path / "model", Writing())
    again = load_vectors(tmp_path / "model")
    assert (tmp_path / "model").read_bytes().split(b"\n")[:2] == [b"7 6 3", b"0.3 0.0"]
    np.testing.assert_array_equal(again.rows, table.rows)
    for name in ("offsets", "priors", "slots", "counts", "frequencies", "nodes", "codes", "ways"):
        np.testing.assert_array_equal(again.extras[f"senses.{name}"], table.extras[f"senses.{name}"])
    write_adagram(again, tmp_path / "again", Writing())
    assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()


def test_converted_both_ways(tmp_path):
    model = adagram_file(tmp_path / "model")
    assert convert(model, tmp_path / "table").format_read == "adagram"
    convert(tmp_path / "table", tmp_path / "again.adagram")
    assert (tmp_path / "again.adagram").read_bytes() == model.read_bytes()


def test_every_cut_is_told(tmp_path):
    data = adagram_file(tmp_path / "model", words=WORDS[:3], dim=2, longest=3).read_bytes()
    cut = tmp_path / "cut"
    for size in range(data.index(b"3\n") + 12, len(data)):
        cut.write_bytes(data[:size])
        with pytest.raises(InputError, match=r"is truncated|is no AdaGram|is damaged"):
            read_adagram(cut, Reading())
    cut.write_bytes(data + b"x")
    with pytest.raises(InputError, match="1 bytes follow its last word"):
        read_adagram(cut, Reading())


@given(st.integers(0, 10**6), st.integers(0, 255), st.integers(0, 40))
@settings(deadline=None, max_examples=150)
def test_changed_bytes_give_a_table_or_one_clear_error(tmp_path_factory, place, byte, seed):
    folder = tmp_path_factory.mktemp("fuzz")
    data = bytearray(adagram_file(folder / "model", seed=seed, words=WORDS[:4], dim=2, longest=3).read_bytes())
    data[place % len(data)] = byte
    (folder / "model").write_bytes(data)
    message = ""
    try:
        table = read_adagram(folder / "model", Reading())
        SenseTable.of(table).posteriors(table.find(list(WORDS)), np.array([0, len(WORDS)]))
    except SpacyEmbedError as error:
        message = str(error)
    assert "\n" not in message


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (b"\nriver\n", b"\nbank\n", "1 words stand in the table twice"),
        (b"\nriver\n", b"\nriv\xff\xff\n", "word 2: b'riv.*' is not UTF-8"),
    ],
)
def test_words_that_no_table_can_hold(before, after, message, tmp_path):
    model = adagram_file(tmp_path / "model")
    model.write_bytes(model.read_bytes().replace(before, after))
    with pytest.raises(InputError, match=message):
        read_adagram(model, Reading())


def test_headers_that_claim_too_much_take_no_memory(tmp_path):
    model = adagram_file(tmp_path / "model")
    lines = model.read_bytes().split(b"\n", 1)
    model.write_bytes(b"999999999 9999999 99\n" + lines[1])
    with pytest.raises(InputError, match="is truncated or damaged: it has"):
        read_adagram(model, Reading())


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match="Only a table with senses can be an AdaGram"):
        convert(WordTable.build(["a"], np.ones((1, 2))).save(tmp_path / "plain").path, tmp_path / "x.adagram")
    with pytest.raises(InputError, match="holds a line feed"):
        write_adagram(sense_table(words=("a\nb", "c")), tmp_path / "x", Writing())
    assert not (tmp_path / "x").exists()
