"""Conditions in SQL over documents' fields: what they find, and that they can do nothing else."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.retrieval import filters
from spacy_embed.retrieval.filters import OWN_FIELDS, DocumentFields
from tests.strategies import ON_DISK, QUICK

DOCUMENTS = [
    ("en", "Bridges", 12, {"year": 2019, "genre": "news", "draft": False, "score": 1.5}),
    ("es", "Puentes", 7, {"year": "2021", "genre": "news", "draft": True, "author": {"name": "Ana", "born": 1980}}),
    ("ru", "Мосты", 0, {"year": "MMXX", "genre": "blog's", "draft": None, "score": "2.50"}),
    ("zh", "", 3, {}),
    ("en", "100%", 30, {"year": 2020.0, "genre": "News", "tags": ["a", "b"], "score": "10"}),
]


def batch(documents, first=0):
    langs, titles, tokens, metadata = zip(*documents, strict=True) if documents else ([],) * 4
    columns = [
        pa.array([f"d{first + i}" for i in range(len(documents))], pa.string()),
        pa.array(langs, pa.string()),
        pa.array(titles, pa.string()),
        pa.array(tokens, pa.int32()),
        pa.array([json.dumps(fields, ensure_ascii=False) for fields in metadata], pa.string()),
    ]
    return pa.record_batch(columns, names=[*OWN_FIELDS, "metadata"])


def fields_of(*metadata, file=None):
    fields = DocumentFields(file)
    fields.add(iter([batch([("en", "", 1, of_document) for of_document in metadata])]))
    return fields


@pytest.fixture
def fields():
    made = DocumentFields(None)
    made.add(iter([batch(DOCUMENTS[:2]), batch([]), batch(DOCUMENTS[2:], first=2)]))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("lang = 'en'", [0, 4]),
        ("lang = 'en' and year > 2019", [4]),
        ("lang = 'es' or tokens = 0", [1, 2]),
        ("lang = 'en' and not (year > 2019 or tokens > 20)", [0]),
        ("lang in ('es', 'zh')", [1, 3]),
        ("id not in ('d0', 'd1', 'd2')", [3, 4]),
        ("year between 2019 and 2020", [0, 4]),
        ("year = '2021'", [1]),
        ("year = 'MMXX'", [2]),
        ("score > 2", [2, 4]),
        ("genre = 'news'", [0, 1]),
        ("genre like 'NEWS'", [0, 1, 4]),
        ("genre = 'blog''s'", [2]),
        ("title like 'Мос%'", [2]),
        (r"title like '%\%%' escape '\'", [4]),
        ("title = ''", [3]),
        ("year is null", [3]),
        ("year is not null and draft is null", [2, 4]),
        ("draft", [1]),
        ("draft = false", [0]),
        ("tokens >= 7 and tokens <= 12", [0, 1]),
        ("json_extract(author, '$.name') = 'Ana'", [1]),
        ("tags like '%\"b\"%'", [4]),
        ("year = (select max(year) from documents where typeof(year) != 'text')", [1]),
        ("length(title) > 5 -- long ones", [0, 1]),
        ("1 = 1", [0, 1, 2, 3, 4]),
        ("LANG = 'en' AND Year = 2019", [0]),
        ('"year" = 2019', [0]),
    ],
)
def test_conditions_find_the_documents_that_they_hold_for(fields, where, expected):
    found = fields.positions(where)
    assert found.dtype == np.int64
    assert found.tolist() == expected


def test_conditions_can_be_asked_one_after_the_other_and_between_additions(fields):
    for n in (5, 10, 15):
        assert len(fields.positions("1")) == len(fields) == n
        with pytest.raises(InputError):
            fields.positions("nonsense >")
        assert fields.names[: len(OWN_FIELDS)] == list(OWN_FIELDS)
        fields.add(iter([batch(DOCUMENTS, first=n)]))
    assert fields.positions("year = 2021").tolist() == [1, 6, 11, 16]


@QUICK
@given(st.lists(st.integers(-(10**12), 10**12) | st.none(), min_size=1, max_size=6), st.integers(-3, 3), st.data())
def test_numbers_given_as_text_compare_as_numbers(years, near, data):
    limit = (data.draw(st.sampled_from(years)) or 0) + near
    texts = [None if year is None else str(year) for year in years]
    expected = [i for i, year in enumerate(years) if year is not None and year > limit]
    for column in (years, texts):
        fields = fields_of(*({"year": year} for year in column))
        assert fields.positions(f"year > {limit}").tolist() == expected
        assert fields.positions("year is null").tolist() == [i for i, year in enumerate(years) if year is None]
        fields.close()


@pytest.mark.parametrize("numbers", [[2**63, -(2**63), 2**62, 0], [1e308, -1e308, 5.5, -0.0]])
def test_numbers_of_any_size_compare_as_numbers(numbers):
    fields = fields_of(*({"n": number} for number in numbers))
    assert fields.positions("n > 1").tolist() == [i for i, number in enumerate(numbers) if number > 1]


def test_integers_beyond_every_float_can_be_added():
    assert fields_of({"n": 10**400, "year": 1}, {"year": 2}).positions("year = 1").tolist() == [0]


@pytest.mark.parametrize(
    ("texts", "where"),
    [
        (["00501", "501"], "k like '00%'"),
        (["1.10", "1.1"], "k = '1.10'"),
        (["12345678901234567890", "12345678901234567891"], "k = '12345678901234567890'"),
    ],
)
def test_text_that_looks_like_a_number_keeps_its_characters(texts, where):
    assert fields_of(*({"k": text} for text in texts)).positions(where).tolist() == [0]


NO_CONDITIONS = ["", " ", "lang =", "lang = 'en')", "(lang", "lang = en", "1 /* open", "a\0b", "\ud800 = 1"]


@pytest.mark.parametrize("where", NO_CONDITIONS)
def test_what_is_no_condition_is_refused_with_the_fields_and_an_example(fields, where):
    expected = r"cannot be used .*lang = 'es' and year > 2020.* id, lang, title, tokens, year"
    with pytest.raises(InputError, match=expected):
        fields.positions(where)


@pytest.mark.parametrize("where", ["yaer > 2000", "[yaer] > 2000", "`yaer` > 2000", "documents.yaer > 2000"])
def test_an_unknown_field_is_refused_by_name(fields, where):
    with pytest.raises(InputError, match=r"no such column: (documents\.)?yaer.* over the fields id, .*year"):
        fields.positions(where)


def test_an_unknown_field_in_double_quotes_is_refused_by_name(fields):
    with pytest.raises(InputError, match="yaer"):
        fields.positions('"yaer" > 2000')


ATTEMPTS = [
    "1); drop table documents; --",
    "1); delete from documents where (1",
    "1); attach database '{other}' as other; --",
    "1); pragma user_version = 5; --",
    "1); vacuum into '{other}'; --",
    "1); create table t as select 1; --",
    "delete from documents",
    "pragma journal_mode = wal",
    "attach database '{other}' as other",
    "load_extension('{other}')",
    "exists (delete from documents returning 1)",
    "(with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n)",
]


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_attempts_to_do_anything_but_read_are_refused_and_change_nothing(tmp_path, attempt):
    fields = fields_of({"year": 2020}, {"year": 2021}, file=tmp_path / "fields.sqlite")
    before = (tmp_path / "fields.sqlite").read_bytes()
    with pytest.raises(InputError, match="cannot be used"):
        fields.positions(attempt.format(other=tmp_path / "other"))
    assert fields.positions("year > 2020").tolist() == [1]
    fields.close()
    assert (tmp_path / "fields.sqlite").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["fields.sqlite"]


@pytest.mark.parametrize("other", ["'x'", "99", "null", "-1"])
def test_a_condition_cannot_name_positions_that_there_are_not(fields, other):
    with pytest.raises(InputError, match="cannot be used"):
        fields.positions(f"0) union select {other} where (1")


ODD = [
    "publication year",
    'a "quoted" name',
    "it's",
    "select",
    "",
    "año",
    "年",
    "a.b",
    "a;b",
    "--",
    "[x]",
    "rowid",
    "%s",
    "?",
]


@pytest.mark.parametrize("name", ODD)
def test_fields_of_any_name_can_be_asked_in_double_quotes(name):
    fields = fields_of({name: 7}, {name: 8}, {"other": 8})
    quoted = name.replace('"', '""')
    assert fields.positions(f'"{quoted}" = 8').tolist() == [1]
    assert fields.names == [*OWN_FIELDS, name, "other"]


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param([{"position": 7}, {"position": 8}], id="position"),
        pytest.param([{"Position": 7}, {"Position": 8}], id="Position"),
        pytest.param([{"a\0": 1, "a": 7}, {"a": 8}], id="nul"),
    ],
)
def test_fields_that_share_a_name_with_a_column_can_be_added(metadata):
    name = next(iter(metadata[1]))
    assert fields_of(*metadata).positions(f'"{name}" = 8').tolist() == [1]


def test_names_that_differ_in_case_alone_are_one_field():
    fields = fields_of({"Year": 1}, {"year": 2}, {"YEAR": "3"}, {"LANG": "xx", "Id": "yy"})
    assert fields.names == [*OWN_FIELDS, "Year"]
    for name in ("year", "YEAR", '"yEar"'):
        assert fields.positions(f"{name} > 1").tolist() == [1, 2]
    assert fields.positions("lang = 'en' and id like 'd%'").tolist() == [0, 1, 2, 3]


def test_names_that_differ_in_case_are_two_fields_beyond_ascii():
    fields = fields_of({"Год": 3}, {"год": 2})
    assert fields.positions("Год > 1").tolist() == [0]
    assert fields.positions("год > 1").tolist() == [1]


def test_fields_beyond_the_most_are_left_out(monkeypatch):
    monkeypatch.setattr(filters, "_MOST_FIELDS", len(OWN_FIELDS) + 2)
    fields = fields_of({"a": 1}, {"b": 2, "c": 3}, {"c": 4, "a": 5})
    fields.add(iter([batch([("en", "", 1, {"d": 1, "a": 5})])]))
    assert fields.names == [*OWN_FIELDS, "a", "b"]
    assert fields.positions("a = 5").tolist() == [2, 3]
    with pytest.raises(InputError, match="no such column: c"):
        fields.positions("c = 3")


VALUES = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, "x", "7", "", ["a"], {"b": 1}])
METADATA = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "B", "ñ", "lang", "c d"]), VALUES, max_size=4), max_size=6
)


def stored(file):
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("select * from documents order by 1").fetchall()


@ON_DISK
@given(METADATA, st.integers(0, 6), st.booleans())
def test_documents_added_in_two_goes_are_those_added_in_one(metadata, cut, reopen):
    documents = [("en", f"t{i}", i, fields) for i, fields in enumerate(metadata)]
    with TemporaryDirectory() as folder:
        one, two = DocumentFields(Path(folder) / "one"), DocumentFields(Path(folder) / "two")
        one.add(iter([batch(documents)]))
        two.add(iter([batch(documents[:cut])]))
        assert len(two) == len(documents[:cut])
        if reopen:
            two.close()
            two = DocumentFields(Path(folder) / "two")
        two.add(iter([batch(documents[cut:], first=min(cut, len(documents)))]))
        assert len(one) == len(two) == len(documents)
        assert one.names == two.names
        one.close()
        two.close()
        assert stored(Path(folder) / "one") == stored(Path(folder) / "two")
