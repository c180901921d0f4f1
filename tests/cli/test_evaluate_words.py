import json

import numpy as np
import pytest

from spacy_embed.vectors import WordTable

EN = ["dog", "cat", "car", "truck", "man", "woman", "boy", "girl"]
RU = ["собака", "кошка", "машина", "грузовик", "мужчина", "женщина", "мальчик", "девочка"]
ROWS = np.array(
    [[1, 0, 0, 0], [0.9, 0.4, 0, 0], [-1, 0.1, 0, 0], [-1, 0.3, 0, 0],
     [0, 3, 1, 1], [0, 3, -1, 1], [0, 3, 1, -1], [0, 3, -1, -1]], np.float32,
)  # fmt: skip


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0].astype(np.float32)
    return {
        "en": WordTable.build(EN, ROWS).save(folder / "good").path,
        "bad": WordTable.build(EN, ROWS[::-1]).save(folder / "bad").path,
        "ru": WordTable.build(RU, ROWS).save(folder / "ru").path,
        "turned": WordTable.build(RU, ROWS @ turned).save(folder / "turned").path,
        "flat": WordTable.build(RU, ROWS[:, :3]).save(folder / "flat").path,
    }


@pytest.fixture
def data(tmp_path):
    files = {
        "en/EN_toy.txt": "dog\tcat\t9\ncar\ttruck\t8\nDog\ttruck\t1\nking\tcat\t5\n",
        "en/EN_other.csv": "word1,word2,score\nman,woman,7\nman,dog,1\n",
        "ru/RU_toy.txt": "собаки\tкошек\t9\nмашину\tгрузовик\t8\nсобака\tмашина\t1\nbroken\n",
        "es/ES_toy.txt": "perro\tgato\t9\nperro\tcoche\t2\n",
        "analogies/en_toy.txt": ": gender\nman woman boy girl\nboy girl man woman\n: size\ncar truck cat lion\n",
        "dictionaries/en-ru.txt": "dog собака\ndog пёс\ncat кот\nCAR машины\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_folder_in_one_command(cli, tables, data):
    result = cli("evaluate", "words", f"en={tables['en']}", f"en={tables['bad']}", f"ru={tables['ru']}",
                 "--data", data, "--out", data / "out", "--sections")  # fmt: skip
    assert result.code == 0, result.err
    assert result.err.count("line 4: expected two words and a score in column 3, got 'broken'. The line is") == 1
    titles = [line.split()[0] for line in result.out.splitlines() if line[:2] in {"en", "ru", "es"}]
    assert titles == ["en", "ru", "en-ru"]
    row = next(line for line in result.out.splitlines() if "EN_toy" in line)
    assert "75%" in row
    assert any(" gender " in line for line in result.out.splitlines())
    report = (data / "out" / "words.md").read_text()
    assert "## en-ru" in report
    assert "| EN_toy | ρ, ρ all | 4 |" in report
    assert json.loads((data / "out" / "words.json").read_text())["scores"]


def test_json(cli, tables, data):
    result = cli("evaluate", "words", f"en={tables['en']}", f"ru={tables['ru']}", "--data", data, "--json")
    scores = {(s["set"], s["table"]): s for s in json.loads(result.out)["scores"]}
    toy = scores["EN_toy", "good"]
    assert (toy["total"], toy["covered"], toy["coverage"], toy["spearman"]) == (4, 3, 0.75, 0.5)
    # the forms of Russian test words are lemmas
    assert scores["RU_toy", "ru"]["covered"] == 3
    analogies = scores["en_toy", "good"]
    assert (analogies["3cosadd"], analogies["covered"], analogies["total"]) == (1.0, 2, 3)
    assert [section["name"] for section in analogies["sections"]] == ["gender", "size"]
    assert analogies["sections"][1]["3cosadd"] is None
    dictionary = scores["en-ru", "good > ru"]
    assert (dictionary["p@1"], dictionary["covered"], dictionary["total"]) == (1.0, 2, 3)


def test_lookup_options(cli, tables, data):
    def covered(*options):
        printed = cli("evaluate", "words", f"en={tables['en']}", f"ru={tables['ru']}", "--data", data, "--json",
                      *options).out  # fmt: skip
        return {s["set"]: s["covered"] for s in json.loads(printed)["scores"]}

    assert covered()["RU_toy"] == 3
    assert covered("--no-forms")["RU_toy"] == 1
    assert covered("--exact")["EN_toy"] == 2


def test_pipeline_for_keys_with_part_of_speech(cli, tmp_path):
    import spacy

    nlp = spacy.blank("ru")
    nlp.add_pipe("lookup_forms", config={"template": "{lemma}_{pos}"})
    nlp.to_disk(tmp_path / "nlp")
    words = ["кошка_NOUN", "собака_NOUN", "бежать_VERB"]
    table = WordTable.build(words, np.random.default_rng(0).normal(size=(3, 4))).save(tmp_path / "table").path
    file = tmp_path / "pairs.tsv"
    file.write_text("кошки\tсобака\t3\nбежит\tкошка\t1\n", encoding="utf-8")
    options = ["--similarity", file, "--pipeline", f"ru={tmp_path / 'nlp'}", "--json"]
    scores = json.loads(cli("evaluate", "words", f"ru={table}", *options).out)["scores"]
    assert scores[0]["covered"] == 2


def test_single_files_and_a_table_without_a_language(cli, tables, data):
    files = ["--similarity", data / "en" / "EN_toy.txt", "--analogies", data / "analogies" / "en_toy.txt"]
    scores = json.loads(cli("evaluate", "words", tables["en"], *files, "--json").out)["scores"]
    assert [(s["kind"], s["lang"]) for s in scores] == [("similarity", ""), ("analogies", "")]
    dictionary = data / "pairs.txt"
    dictionary.write_text("dog собака\n", encoding="utf-8")
    arguments = [f"en={tables['en']}", f"ru={tables['ru']}", "--dictionary", dictionary, "--json"]
    assert json.loads(cli("evaluate", "words", *arguments).out)["scores"][0]["lang"] == "en-ru"


def test_composed_words_are_told(cli, tmp_path):
    from spacy_embed.vectors.subwords import subword_table

    random = np.random.default_rng(0)
    table = subword_table(["hello", "world"], random.normal(size=(2, 6)), random.normal(size=(50, 6)), 3, 5)
    table.save(tmp_path / "ft")
    (tmp_path / "pairs.txt").write_text("hello world 3\nhelloo world 2\n")
    options = ["--similarity", tmp_path / "pairs.txt"]
    plain = cli("evaluate", "words", tmp_path / "ft", *options, "--json")
    assert json.loads(plain.out)["scores"][0]["covered"] == 1
    composed = cli("evaluate", "words", tmp_path / "ft", *options, "--compose", "--json")
    assert (json.loads(composed.out)["scores"][0]["covered"], json.loads(composed.out)["scores"][0]["composed"]) == (
        2,
        1,
    )
    assert "100% +1" in cli("evaluate", "words", tmp_path / "ft", *options, "--compose").out


def test_tables_of_different_dimensions(cli, tables, data):
    result = cli("evaluate", "words", f"en={tables['en']}", f"ru={tables['flat']}", "--data", data, "--json")
    assert result.code == 0
    assert "have 4 and 3 dimensions, no space in common: align one first." in result.err
    assert not [s for s in json.loads(result.out)["scores"] if s["kind"] == "dictionary"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give test sets: --data DIR"),
        (["--data", "{data}/none"], "no folder of test sets"),
        (["--data", "{data}", "--sets", "nothing"], "No set of"),
        (["--data", "{data}", "--sets", "ES_toy"], "the sets are of es, the tables of en."),
        (["--similarity", "{data}/none.txt"], "There is no file at"),
        (["--similarity", "{data}/en/EN_toy.txt", "--lang", "pt"], "the sets are of pt, the tables of en."),
        (["--dictionary", "{data}/dictionaries/en-ru.txt"], "the sets are of en, ru, the tables of en."),
        (["--dictionary", "{data}/analogies/en_toy.txt"], "does not say which languages"),
    ],
)
def test_bad_input(arguments, message, cli, tables, data):
    result = cli("evaluate", "words", f"en={tables['en']}", *(str(a).format(data=data) for a in arguments))
    assert result.code == 2
    assert message in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_a_missing_table(cli, data, tmp_path):
    result = cli("evaluate", "words", tmp_path / "none", "--data", data)
    assert result.code == 2
    assert "There are no vectors at" in result.err
