"""induce and evaluate senses as a user runs them, on planted senses."""

import json

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from spacy_embed.evaluation.sense_sets import RUSSE_COLUMNS
from spacy_embed.evaluation.word_in_context import COLUMNS
from spacy_embed.training.adagram import train_adagram
from spacy_embed.vectors import WordTable
from tests.senses.planted import planted_table, planted_texts
from tests.training.planted import planted_text

N = 60


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return planted_table(2).save(tmp_path_factory.mktemp("senses") / "table").path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Documents that hold ``target``, and as many that do not."""
    path = tmp_path_factory.mktemp("senses") / "corpus.jsonl"
    texts, _ = planted_texts(2, N)
    others = [[f"o{i}", f"o{i + 1}", f"s{i % 2}w{i % 40}"] for i in range(N)]
    lines = [json.dumps({"id": f"d{i}", "text": " ".join(words)}) for i, words in enumerate([*texts, *others])]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def russe(tmp_path_factory):
    """RUSSE's columns: ``target`` with two senses, and a word that never stands where its position says."""
    path = tmp_path_factory.mktemp("senses") / "russe.csv"
    texts, senses = planted_texts(2, N, seed=3)
    lines = ["\t".join(RUSSE_COLUMNS)]
    for i, (words, sense) in enumerate(zip(texts, senses.tolist(), strict=True)):
        text = " ".join(words)
        start = text.index("target")
        positions = f"{start}-{start + 6}" + ",900-906" * (i == 0)
        lines.append(f"{i + 1}\ttarget\t{sense + 1}\t\t{positions}\t{text}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of planted text: ``ab`` has two senses."""
    text = [[plain(word) for word in sentence] for sentence in planted_text()[0]]
    table = train_adagram(text, dim=20, epochs=12, sample=0, alpha=0.5)
    return table.save(tmp_path_factory.mktemp("senses") / "model").path


def plain(word):
    """A word of one token."""
    return word.replace("+", "")


def unseen_sentences(n=200):
    """Sentences that hold ``ab``, and the topic of each."""
    text, gold = planted_text(n_sentences=n, seed=5)
    return [
        (" ".join(map(plain, words)), topic) for words, (name, topic) in zip(text, gold, strict=True) if name == "a+b"
    ]


def test_induce_finds_the_senses_of_a_word(cli, corpus, table, tmp_path):
    out = tmp_path / "occurrences.jsonl"
    result = cli("induce", corpus, "--word", "Target", "--vectors", table, "--lang", "en", "--json", "--out", out)
    assert (result.code, result.err) == (0, "")
    found = json.loads(result.out)
    assert (found["form"], found["occurrences"], found["clustered"], found["documents"]) == ("target", N, N, 2 * N)
    assert [sense["number"] for sense in found["senses"]] == [1, 2]
    topics = [{word[:2] for word in sense["words"]} for sense in found["senses"]]
    assert sorted(topics, key=str) == [{"s0"}, {"s1"}]
    for sense in found["senses"]:
        assert len(sense["examples"]) == 3
        for example in sense["examples"]:
            assert example["text"][slice(*example["span"])] == "target"
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert adjusted_rand_score(planted_texts(2, N)[1], [row["sense"] for row in rows]) == 1


def test_induce_prints_a_card_a_sense(cli, corpus, table):
    result = cli("induce", corpus, "--word", "target", "--vectors", table, "--lang", "en", "-n", 40)
    assert result.out.startswith("target: 2 senses in 40 occurrences\n")
    assert "40 of 60 occurrences are clustered" in result.err
    assert "target#1" in result.out
    assert "target#2" in result.out
    assert "%, 2" in result.out
    assert "[target]" in result.out


def test_induce_reads_russes_contexts_and_several_tables(cli, russe, table, tmp_path):
    other = planted_table(2, seed=5).save(tmp_path / "other").path
    tables = ["--vectors", table, "--vectors", other]
    found = json.loads(cli("induce", russe, "--word", "target", *tables, "--lang", "en", "--json").out)
    assert [sense["occurrences"] for sense in found["senses"]] == [N // 2, N // 2]


def test_long_documents_give_an_occurrence_each_time(cli, table, tmp_path):
    texts, _ = planted_texts(2, 20)
    text = " ".join(" ".join(words) for words in texts)
    (tmp_path / "long.txt").write_text(text, encoding="utf-8")
    options = ["--word", "target", "--vectors", table, "--lang", "en", "--window", 4, "--json"]
    found = json.loads(cli("induce", tmp_path / "long.txt", *options).out)
    assert found["occurrences"] == 20
    assert [sense["occurrences"] for sense in found["senses"]] == [10, 10]
    # one document has one example a sense to show, of four words to each side
    assert [[len(example["text"].split()) for example in sense["examples"]] for sense in found["senses"]] == [[9], [9]]


def test_bad_input_of_induce(cli, corpus, russe, table, tmp_path):
    lang = ["--lang", "en"]
    for arguments, message in (
        ([corpus, "--word", "zyx", "--vectors", table, *lang], "None of 120 documents holds 'zyx'"),
        ([corpus, "--word", "the", "--vectors", table, *lang], "'the' is left out of lookup forms"),
        ([russe, "--word", "bank", "--vectors", table, *lang], "has no contexts of 'bank': its words are target"),
        ([tmp_path / "no", "--word", "target", "--vectors", table, *lang], "There is no corpus"),
        ([corpus, "--word", "target", "--vectors", tmp_path / "no", *lang], "no vectors at"),
        ([corpus, "--word", "target", "--vectors", table, "--lang", "xx"], "unknown language 'xx'"),
        ([corpus, "--word", "target", "--vectors", table, *lang, "--threshold", "0"], "threshold above 0"),
    ):
        result = cli("induce", *arguments)
        assert result.code == 2, arguments
        assert message in result.err
        assert result.err.count("\n") == 1
    foreign = WordTable.build(["слово"], np.ones((1, 3), np.float32)).save(tmp_path / "foreign").path
    result = cli("induce", corpus, "--word", "target", "--vectors", foreign, *lang)
    assert result.code == 2
    assert "is it of another language?" in result.err


def test_evaluate_senses_by_induction(cli, russe, table, tmp_path):
    out = tmp_path / "predicted.csv"
    options = ["--vectors", table, "--lang", "en", "--seeds", 2, "--json", "--out", out]
    result = cli("evaluate", "senses", russe, *options)
    assert result.code == 0, result.err
    assert "1 positions" in result.err
    scores = {score["method"]: score for score in json.loads(result.out)["scores"]}
    assert list(scores) == ["induce", "one sense", "k-means, k = 2", "k-means, k = 3"]
    assert scores["induce"]["weighted"] == {"ari": 1, "v_measure": pytest.approx(1), "paired_f": 1, "accuracy": 1}
    assert scores["one sense"]["weighted"] == {
        "ari": 0,
        "v_measure": 0,
        "paired_f": pytest.approx(2 * 29 / 59 / (29 / 59 + 1)),
        "accuracy": 0.5,
    }
    assert scores["k-means, k = 2"]["weighted"]["ari"] == 1
    assert scores["k-means, k = 3"]["weighted"]["ari"] < 1
    # what was predicted is scored again from the file, as the shared task does
    given = json.loads(cli("evaluate", "senses", out, "--method", "given", "--json").out)["scores"][0]
    assert given["weighted"]["ari"] == 1


def test_evaluate_senses_by_a_model(cli, model, tmp_path):
    rows = [f"{i}\tab\t{topic}\t\t\t{text}" for i, (text, topic) in enumerate(unseen_sentences())]
    rows.append(f"x\tzyx\t1\t\t\t{unseen_sentences()[0][0]}")
    (tmp_path / "ab.csv").write_text("\n".join(["\t".join(RUSSE_COLUMNS), *rows]) + "\n", encoding="utf-8")
    options = ["--model", model, "--method", "disambiguate", "--lang", "en", "--json"]
    result = cli("evaluate", "senses", tmp_path / "ab.csv", *options)
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert [score["method"] for score in found["scores"]] == ["disambiguate", "one sense"]
    of_words = {word["word"]: word for word in found["words"]}
    assert of_words["ab"]["ari"] > 0.9
    # a word that the model does not hold has one sense
    assert of_words["zyx"]["clusters"] == 1


def test_evaluate_pairs_by_a_model(cli, model, tmp_path):
    sentences = unseen_sentences()
    lines = ["\t".join(COLUMNS)]
    for (left, one), (right, other) in zip(sentences[0::3], sentences[1::3], strict=False):
        places = [str(place) for text in (left, right) for place in (text.index("ab"), text.index("ab") + 2)]
        lines.append("\t".join(["T" if one == other else "F", "ab", "NOUN", *places, left, right]))
    (tmp_path / "pairs.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = ["--model", model, "--method", "disambiguate", "--threshold", 0.5, "--lang", "en", "--json"]
    assert json.loads(cli("evaluate", "senses", tmp_path / "pairs.tsv", *options).out)["accuracy"] > 0.9


def test_evaluate_senses_prints_a_table(cli, russe, table):
    result = cli("evaluate", "senses", russe, "--vectors", table, "--seeds", 1)
    assert "russe: 1 words, 60 contexts, 2.0 senses a word" in result.out
    assert "paired F" in result.out


def test_evaluate_pairs(cli, table, tmp_path):
    from tests.evaluation.test_word_in_context import planted_pairs

    pairs, train = planted_pairs(tmp_path / "pairs.tsv"), planted_pairs(tmp_path / "train.tsv", 60)
    induce = ["evaluate", "senses", pairs, "--vectors", table, "--lang", "en"]
    out = tmp_path / "out.tsv"
    found = json.loads(cli(*induce, "--train", train, "--json", "--out", out).out)
    assert (found["accuracy"], found["pairs"]) == (1, 40)
    lines = [line.split("\t") for line in out.read_text(encoding="utf-8").splitlines()[1:]]
    assert all(tag == predicted for _, tag, predicted, _ in lines)
    assert json.loads(cli(*induce, "--json").out)["said_same"] == 0.5
    assert json.loads(cli(*induce, "--threshold", "-2", "--json").out)["said_same"] == 1
    assert "40 pairs" in cli(*induce).out


def test_bad_input_of_evaluate_senses(cli, russe, table, tmp_path):
    from tests.evaluation.test_word_in_context import planted_pairs

    pairs = planted_pairs(tmp_path / "pairs.tsv")
    command = ["evaluate", "senses"]
    for arguments, message in (
        ([russe], "--method induce needs word vectors"),
        ([russe, "--method", "guess"], "expected one of induce, disambiguate, given"),
        ([russe, "--method", "disambiguate"], "--method disambiguate needs --model"),
        ([russe, "--method", "disambiguate", "--model", table], "has no senses"),
        ([russe, "--method", "given"], "has no predict_sense_id"),
        ([pairs, "--method", "given"], "has no predictions"),
        ([russe, "--vectors", table, "--threshold", "0.5"], "--train and --threshold are for MCL-WiC"),
        ([pairs, "--vectors", table, "--threshold", "0.5", "--train", pairs], "not both"),
        ([tmp_path / "no.csv", "--vectors", table], "There is no file"),
    ):
        result = cli(*command, *arguments)
        assert result.code == 2, arguments
        assert message in result.err.splitlines()[-1]
