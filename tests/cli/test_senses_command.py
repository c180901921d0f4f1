"""``senses`` as a user runs it: cards, contexts, examples, maps, and what is wrong in one line."""

import json
import shutil

import numpy as np
import pytest

from spacy_embed.vectors import WordTable, load_vectors
from spacy_embed.vectors.sense_table import SenseTable
from tests.training.planted import planted_text
from tests.vectors.sense_models import adagram_file, sense_table

RU = ("замок", "дверь", "ключ", "король", "башня", "собака", "кошка")


def plain(words):
    return [word.replace("+", "") for word in words]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A corpus in which ``ab`` has two senses, told apart, and a Russian model drawn at random."""
    made = tmp_path_factory.mktemp("senses")
    for name, settings in (("train", {}), ("corpus", {"n_sentences": 240, "seed": 5})):
        text = planted_text(**settings)[0]
        (made / f"{name}.txt").write_text("".join(" ".join(plain(words)) + "\n" for words in text), encoding="utf-8")
    table = sense_table(seed=1, words=RU)
    card = {"corpus": {"languages": {"ru": 7}}}
    WordTable(table.keys, table.rows, {**table.metadata, "card": card}, None, table.extras).save(made / "ru")
    WordTable.build(["ab", "b"], np.eye(2, 3, dtype=np.float32)).save(made / "plain")
    adagram_file(made / "julia.adagram", words=RU)
    return made


@pytest.fixture
def model(cli, folder):
    """``train adagram`` made it."""
    if not (folder / "model").exists():
        own = ["--lang", "en", "--dim", 20, "--epochs", 12, "--sample", 0, "--alpha", 0.5]
        result = cli("train", "adagram", folder / "train.txt", folder / "model", *own)
        assert result.code == 0, result.err
    return folder / "model"


def facts(result):
    assert result.code == 0, result.err
    return json.loads(result.out)


def test_a_card_a_sense(cli, model, folder):
    result = cli("senses", model, "AB", "--context", "a1 a2 ab a3 fnord", "--corpus", folder / "corpus.txt", "-k", 4)
    assert (result.code, result.err) == (0, "")
    assert "ab: 2 senses, 1,000 times in the training text, 80 in the corpus" in result.out
    assert "context: a1, a2, a3 (not in the model: fnord)" in result.out
    first, second = result.out.split("ab#2")
    assert "ab#1" in first
    of_a, of_b = (first, second) if "for it: a" in first else (second, first)
    assert "in context  ████████████████████ 100%" in of_a
    assert "against it: a" in of_b
    for card in (first, second):
        assert "prior       █████" in card
        assert card.count("• 1.00 ") == 3
        assert card.count("[ab]") == 3


def test_the_same_as_json(cli, model, folder):
    options = ["--context", "b1 b2", "--corpus", folder / "corpus.txt", "-k", 4, "--examples", 2, "--json"]
    found = facts(cli("senses", model, "ab", *options))
    assert (found["model"], found["language"]) == (str(model), "en")
    (word,) = found["words"]
    assert (word["word"], word["form"], word["frequency"], word["occurrences"]) == ("ab", "ab", 1000, 80)
    assert word["context"] == {"text": "b1 b2", "words": ["b1", "b2"], "unknown": []}
    senses = SenseTable.of(load_vectors(model))
    posterior = senses.disambiguate("ab", ["b1", "b2"])
    for number, sense in enumerate(word["senses"]):
        assert sense["sense"] == f"ab#{number + 1}"
        assert sense["prior"] == pytest.approx(senses.senses("ab")[number].prior, abs=1e-5)
        assert sense["posterior"] == pytest.approx(posterior[number], abs=1e-5)
        topic = "b" if sense["posterior"] > 0.5 else "a"
        assert {near["sense"][0] for near in sense["neighbors"]} == {topic}
        assert [named["word"] for named in sense["evidence"]] == ["b1", "b2"]
        assert all((named["weight"] > 1) == (topic == "b") for named in sense["evidence"])
        assert sense["share"] == pytest.approx(0.5, abs=0.02)
        assert len(sense["examples"]) == 2
        for example in sense["examples"]:
            assert example["text"][slice(*example["span"])] == "ab"
            assert set(example["text"].replace("ab", "").split()) <= {f"{topic}{i}" for i in range(15)}
            assert example["probability"] > 0.9


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ("", "The context is empty: these are the priors."),
        (" \n", "The context is empty: these are the priors."),
        ("ab", "The context has no word that the model knows: these are the priors."),
        ("fnord the", "The context has no word that the model knows (not in the model: fnord): these are the priors."),
        ("это по-русски", "no word that the model knows"),
    ],
)
def test_a_context_that_says_nothing(cli, model, context, said):
    result = cli("senses", model, "ab", "--context", context)
    assert (result.code, result.err) == (0, "")
    assert said in result.out
    assert "in context" not in result.out
    (word,) = facts(cli("senses", model, "ab", "--context", context, "--json"))["words"]
    assert [sense["posterior"] for sense in word["senses"]] == [sense["prior"] for sense in word["senses"]]


def test_words_and_contexts_are_looked_up_by_lemma(cli, folder):
    senses = SenseTable.of(load_vectors(folder / "ru"))
    found = facts(cli("senses", folder / "ru", "Замками", "--context", "Ключи от дверей замка", "--json", "-k", 2))
    assert found["language"] == "ru"
    (word,) = found["words"]
    assert (word["form"], word["context"]["words"]) == ("замок", ["ключ", "дверь"])
    posterior = [sense["posterior"] for sense in word["senses"]]
    np.testing.assert_allclose(posterior, senses.disambiguate("замок", ["ключ", "дверь"]), atol=1e-5)
    text = cli("senses", folder / "ru", "Замками").out
    assert "замок#1" in text


def test_of_a_long_text_the_words_around_the_word_count(cli, folder):
    # the model was trained with 2 words to each side
    text = "король король кошка ключ замок дверь ключ собака король"
    (word,) = facts(cli("senses", folder / "ru", "замок", "--context", text, "--json"))["words"]
    assert word["context"]["words"] == ["кошка", "ключ", "дверь"]
    (word,) = facts(cli("senses", folder / "ru", "башня", "--context", text, "--json"))["words"]
    assert word["context"]["words"] == ["король", "кошка", "ключ", "замок", "дверь", "собака"]


def test_several_words_each_once(cli, folder):
    found = facts(cli("senses", folder / "ru", "ключи", "замок", "ключ", "--json"))
    assert [word["form"] for word in found["words"]] == ["ключ", "замок"]


def test_a_model_of_adagram_jl(cli, folder):
    result = cli("senses", folder / "julia.adagram", "замки", "--json")
    found = facts(result)
    assert "does not say its language: its words look like ru" in result.err
    assert found["words"][0]["form"] == "замок"
    assert cli("senses", folder / "julia.adagram", "замки", "--lang", "ru").err == ""


def test_a_word_that_the_corpus_does_not_hold(cli, model, folder, tmp_path):
    (tmp_path / "other.txt").write_text("nothing of the kind\n", encoding="utf-8")
    result = cli("senses", model, "ab", "--corpus", tmp_path / "other.txt", "--json")
    assert "None of 1 documents holds 'ab'" in result.err
    assert "examples" not in facts(result)["words"][0]["senses"][0]


@pytest.mark.parametrize("suffix", ["png", "html"])
def test_a_map(cli, folder, tmp_path, suffix):
    pytest.importorskip("matplotlib")
    pytest.importorskip("bokeh")
    out = tmp_path / f"map.{suffix}"
    command = ["senses", folder / "ru", "замок", "ключ", "-k", 2, "--plot", out]
    result = cli(*command)
    assert result.code == 0, result.err
    assert f"{out}: " in result.out
    before = out.read_bytes()
    assert len(before) > 5000
    refused = cli(*command)
    assert refused.code == 2
    assert "exists already" in refused.err
    drawn = facts(cli(*command, "--overwrite", "--method", "pca", "--title", "Карта", "--json"))["map"]
    assert drawn["file"] == str(out)
    assert drawn["map"].startswith("PCA")
    assert out.read_bytes() != before


def test_other_lookup_forms_than_the_models_are_told(cli, folder, tmp_path):
    table = load_vectors(folder / "ru")
    card = {"corpus": {"languages": {"ru": 7}, "lookup_forms": {"ru": {"lemma": "none", "case": "lower"}}}}
    WordTable(table.keys, table.rows, {**table.metadata, "card": card}, None, table.extras).save(tmp_path / "own")
    result = cli("senses", tmp_path / "own", "замок")
    assert result.code == 0
    assert "was trained on other lookup forms (lemma none)" in result.err


def test_the_card_says_what_the_model_is_made_of(cli, model):
    card = load_vectors(model).metadata["card"]["corpus"]
    assert card["languages"] == {"en": 3000}
    forms = card["lookup_forms"]["en"]
    assert (forms["case"], forms["lemma"], forms["stop_words"]) == ("lower", "none", "drop")
    text = (model / "model_card.md").read_text(encoding="utf-8")
    for part in (
        "train.txt",
        "- languages: en 3,000",
        "- lookup forms: en case lower",
        "- alpha: 0.5",
        "- epochs: 12",
        "| epoch | mean of a pair | log-likelihood of held-out text | senses of a word |",
        "- mean of a word: ",
    ):
        assert part in text
    # a line an epoch
    assert sum(line.startswith("| ") and line[2:4].strip().isdigit() for line in text.splitlines()) == 12


def damaged(source, target, name, n_bytes):
    """A copy of a table folder, or of a file, of which one file ends too early."""
    if source.is_dir():
        shutil.copytree(source, target)
        file = target / name
    else:
        file = shutil.copy(source, target)
    data = file.read_bytes()
    file.write_bytes(data[: len(data) - n_bytes])
    return target


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{ru}", "замог"], "is not among the 7 words of"),
        (["{ru}", "замог"], "Written like it: 'замок'."),
        (["{ru}", "zyx"], "Nothing there is written like it."),
        (["{ru}", "это"], "'это' (a stop word) is not among"),
        (["{ru}", "замок", "--lang", "es"], "is a model of ru, and --lang says es"),
        (["{julia}", "замок", "--lang", "es"], "has hardly a word in the script of es, its words look like ru"),
        (["{ru}", "замок", "--lang", "xx"], "unknown language 'xx'"),
        (["{plain}", "ab"], "has no senses: train one with"),
        (["{tmp}/no", "ab"], "There are no vectors at"),
        (["{tmp}/cut", "замок"], "truncated or damaged"),
        (["{tmp}/cut_table", "замок"], "is damaged"),
        (["{tmp}/cut.adagram", "замок"], "is truncated or damaged"),
        (["{tmp}/empty.adagram", "замок"], "empty.adagram is empty"),
        (["{ru}", "замок", "--corpus", "{tmp}/no"], "There is no corpus at"),
        (["{ru}", "замок", "--plot", "{tmp}/map.gif"], "map.gif is neither"),
        (["{ru}", "замок", "--plot", "{tmp}/no/map.png"], "There is no folder"),
        (["{ru}", "замок", "--plot", "{tmp}/map.png", "--method", "umap"], "pca, tsne"),
        (["{ru}", "замок", "--pipeline", "nowhere"], "--pipeline takes LANG=PATH"),
    ],
)
def test_bad_input(cli, folder, tmp_path, arguments, message):
    damaged(folder / "ru", tmp_path / "cut", "extra.senses.outputs.npy", 5)
    damaged(folder / "ru", tmp_path / "cut_table", "table.json", 20)
    damaged(folder / "julia.adagram", tmp_path / "cut.adagram", "", 30)
    (tmp_path / "empty.adagram").write_bytes(b"")
    places = {"ru": folder / "ru", "julia": folder / "julia.adagram", "plain": folder / "plain", "tmp": tmp_path}
    result = cli("senses", *(argument.format(**places) for argument in arguments))
    assert result.code == 2
    assert message in result.err
    errors = [line for line in result.err.splitlines() if not line.startswith("note:")]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
