import pytest

from spacy_embed.errors import InputError
from spacy_embed.evaluation.word_scores import MEASURES, NamedTable, paired
from spacy_embed.evaluation.word_sets import find_word_sets, languages_of_dictionary, name_of_set

FILES = [
    "README.md",
    "en/EN_WS-353.txt",
    "en/SimLex-999.tsv.gz",
    "en/readme.txt",
    "es/ES_RG-65.csv",
    "analogies/en_questions-words.txt",
    "analogies/README.txt",
    "dictionaries/en-es.0-5000.txt",
    "dictionaries/notes.txt",
    "other-folder/x.txt",
]


@pytest.fixture
def folder(tmp_path):
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_layout(folder):
    found = find_word_sets(folder)
    assert [(s.kind, s.langs, s.name) for s in found] == [
        ("similarity", ("en",), "EN_WS-353"),
        ("similarity", ("en",), "SimLex-999"),
        ("similarity", ("es",), "ES_RG-65"),
        ("analogies", ("en",), "en_questions-words"),
        ("dictionary", ("en", "es"), "en-es.0-5000"),
    ]


def test_sets_by_name(folder):
    assert [s.name for s in find_word_sets(folder, ["en_ws*", "ES_RG-65"])] == ["EN_WS-353", "ES_RG-65"]
    with pytest.raises(InputError, match=r"No set of .* is called 'WS353': expected one of EN_WS-353, SimLex-999"):
        find_word_sets(folder, ["WS353"])


def test_folders_without_sets(tmp_path):
    with pytest.raises(InputError, match="holds no test sets"):
        find_word_sets(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        find_word_sets(tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "langs"),
    [
        ("en-es.0-5000.txt", ("en", "es")),
        ("rus-eng.txt.gz", ("rus", "eng")),
        ("en-es_extra.txt", ("en", "es")),
        ("my-dictionary.txt", ("", "")),
        ("dictionary.txt", ("", "")),
    ],
)
def test_languages_of_a_dictionary(name, langs, tmp_path):
    assert languages_of_dictionary(tmp_path / name) == langs


def test_name_without_ending(tmp_path):
    assert name_of_set(tmp_path / "en-es.0-5000.txt.gz") == "en-es.0-5000"


def test_tables_are_paired_in_their_order():
    a, b, c = (NamedTable(name, None) for name in "abc")
    assert paired([a, b], [c, a]) == [(a, c), (b, a)]
    assert paired([a], [b, c]) == [(a, b), (a, c)]
    assert paired([a, b], [c]) == [(a, c), (b, c)]


def test_every_kind_has_measures():
    assert list(MEASURES) == ["similarity", "analogies", "dictionary"]
