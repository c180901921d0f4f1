"""``index --senses``: made, searched, explained and changed, with a model whose senses are known."""

import json
import shutil

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.pipeline.batch_forms import StringBags, encode_texts
from spacy_embed.pipeline.index import Added, Index
from spacy_embed.pipeline.index_senses import index_senses
from spacy_embed.pipeline.language_pipelines import default_pipeline
from spacy_embed.pipeline.sense_forms import sense_forms, senses_of_tokens
from spacy_embed.pipeline.text_kernel import TextKernel
from spacy_embed.pipeline.workers import encode_batches
from spacy_embed.retrieval.encoded import text_batches
from spacy_embed.retrieval.index_build import build_index, scratch_folder
from spacy_embed.retrieval.index_plan import IndexPlan
from spacy_embed.retrieval.spool import Spool
from spacy_embed.vectors import load_vectors
from spacy_embed.vectors.sense_table import SenseTable
from tests.cli.conftest import cli  # noqa: F401
from tests.conftest import LANGUAGES
from tests.retrieval.planted_senses import PLANTED, planted_documents, planted_table
from tests.stores import as_document, embeddings, word_bags
from tests.vectors.sense_models import adagram_file, sense_table

pytestmark = pytest.mark.usefixtures("cached_pipelines")

DOCUMENTS = [document for lang in LANGUAGES for document in planted_documents(lang)[0]]
QUERIES = {lang: planted_documents(lang)[1] for lang in LANGUAGES}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {lang: planted_table(lang).save(folder / lang) for lang in LANGUAGES}


def make(path, models, choice, documents=DOCUMENTS, *, workers=1, batch=4096):
    tables, senses = index_senses(models, choice) if choice else (models, None)
    kernel = TextKernel(senses=senses)

    def spool_documents(folder):
        spool = Spool(folder, kernel.identity())
        rest = spool.rest(map(as_document, documents))
        spool.add(encode_batches(kernel, text_batches(rest, batch), workers))
        return spool

    build_index(path, IndexPlan("tables", tables, senses=senses), spool_documents, kernel.save_pipelines)
    return Index(path)


@pytest.fixture(scope="module")
def made(models, tmp_path_factory):
    """An index of each kind; tests only read them."""
    folder = tmp_path_factory.mktemp("made")
    return {choice: make(folder / (choice or "plain"), models, choice) for choice in (None, "soft", "hard")}


def best(index, lang, method="tfidf"):
    return index.search(QUERIES[lang], lang=lang, method=method, where=f"lang = '{lang}'")[0].id


@pytest.mark.parametrize("method", ["tfidf", "sif", "mean", "wmd", "wmd-tfidf"])
@pytest.mark.parametrize("choice", ["soft", "hard"])
def test_the_context_of_a_query_decides(lang, choice, method, made):
    assert best(made[choice], lang, method) == f"{lang}-second"


def test_one_vector_a_word_takes_the_wrong_sense(lang, made):
    assert best(made[None], lang) == f"{lang}-first"
    assert best(made[None], lang, "wmd-tfidf") == f"{lang}-first"


def test_counts_are_the_posteriors_in_context(lang, made, models):
    word = load_vectors(models[lang].path).words.word(0)
    senses = SenseTable.of(models[lang])
    text = next(d["text"] for d in DOCUMENTS if d["id"] == f"{lang}-second")
    forms = encode_texts(default_pipeline(lang), [text]).forms
    others = [form for form in forms.strings if form != word]
    expected = senses.disambiguate(word, others)
    assert 0.05 < expected[0] < 0.5
    bag = word_bags(made["soft"].snapshot)[f"{lang}-second"]
    for k, probability in enumerate(expected, start=1):
        assert bag[frozenset({f"{lang}:{word}#{k}"})] == pytest.approx(probability, rel=1e-5)
    hard = word_bags(made["hard"].snapshot)[f"{lang}-second"]
    assert hard[frozenset({f"{lang}:{word}#2"})] == 1.0
    assert all(bag[frozenset({f"{lang}:{form}#1"})] == 1.0 for form in others)


@pytest.mark.parametrize("choice", ["soft", "hard"])
def test_what_is_counted_in_tokens_is_the_same_with_senses(choice, made):
    plain, senses = made[None].snapshot.manifest, made[choice].snapshot.manifest
    for name in ("tokens", "found", "without_vector", "languages", "positions"):
        assert getattr(senses, name) == getattr(plain, name)
    terms = made[None].snapshot.term_names.all()
    assert made[choice].snapshot.term_names.all() == terms
    found = made[choice].search("bank", method="bm25", lang="en")
    assert [hit.id for hit in found] == [hit.id for hit in made[None].search("bank", method="bm25", lang="en")] != []


def test_a_table_of_senses_is_by_default_one_of_words(made):
    snapshot = made[None].snapshot
    assert snapshot.manifest.senses == {}
    assert snapshot.senses is None
    assert "en:bank" in snapshot.table
    assert "en:bank#1" not in snapshot.table
    assert "en:bank#2" in made["soft"].snapshot.table


def test_two_workers_make_the_same_index(made, models, tmp_path):
    other = make(tmp_path / "two", models, "soft", workers=2, batch=4)
    assert word_bags(other.snapshot) == word_bags(made["soft"].snapshot)
    ours, theirs = embeddings(other.snapshot, "tfidf"), embeddings(made["soft"].snapshot, "tfidf")
    for id_ in theirs:
        np.testing.assert_allclose(ours[id_], theirs[id_], atol=1e-6)


def test_what_was_encoded_for_other_senses_is_not_gone_on_with(made, models, tmp_path, monkeypatch):
    out = tmp_path / "index"
    for choice, expected in (("soft", 0), ("soft", 15), ("hard", 0)):
        kernel = TextKernel(senses=index_senses(models, choice)[1])
        spool = Spool(scratch_folder(out) / "spool", kernel.identity())
        rest = list(spool.rest(map(as_document, DOCUMENTS)))
        assert len(DOCUMENTS) - len(rest) == expected
        spool.add(encode_batches(kernel, text_batches(rest), 1))
    resumed = make(out, models, "hard")
    assert word_bags(resumed.snapshot) == word_bags(made["hard"].snapshot)


def test_the_models_are_part_of_what_decides_the_encoding(models):
    soft, hard = (TextKernel(senses=index_senses(models, choice)[1]).identity() for choice in ("soft", "hard"))
    one = TextKernel(senses=index_senses({"en": models["en"]}, "soft")[1]).identity()
    plain = TextKernel().identity()
    assert len({json.dumps(identity) for identity in (soft, hard, one, plain)}) == 4
    assert "senses" not in plain


def test_added_and_replaced_documents_are_in_senses_too(made, models, tmp_path):
    first = [document for document in DOCUMENTS if document["id"].endswith("first")]
    index = make(tmp_path / "index", models, "soft", first)
    # the other sense is a row that the index does not hold yet
    assert index.add([d for d in DOCUMENTS if d not in first]) == Added(10, 0, 0)
    assert word_bags(index.snapshot) == word_bags(made["soft"].snapshot)
    text = DOCUMENTS[1]["text"]
    assert index.update([{"id": "en-first", "lang": "en", "text": text}]) == Added(0, 1, 0)
    assert word_bags(index.snapshot)["en-first"] == word_bags(index.snapshot)["en-second"]
    assert index.delete(["en-first"]) == 1
    found = index.snapshot.manifest.found
    index.compact(refit=True)
    assert (
        index.snapshot.manifest.found
        == found
        == sum(round(sum(bag.values())) for bag in word_bags(index.snapshot).values())
    )
    assert [best(index, lang) for lang in LANGUAGES] == [f"{lang}-second" for lang in LANGUAGES]


def test_a_language_without_a_model_is_not_added(models, tmp_path):
    index = make(tmp_path / "index", {"en": models["en"]}, "soft", DOCUMENTS[:3])
    with pytest.raises(InputError, match="has vectors for en, none for es"):
        index.add([document for document in DOCUMENTS if document["lang"] == "es"])
    assert index.search(QUERIES["es"], lang="es") == []


@pytest.mark.parametrize("choice", ["soft", "hard"])
def test_a_model_file_of_another_program_serves_all_languages(choice, tmp_path):
    file = adagram_file(tmp_path / "model", words=("bank", "river", "money", "замок"))
    table = load_vectors(file)
    documents = [{"id": "1", "lang": "en", "text": "bank river"}, {"id": "2", "lang": "ru", "text": "замок bank"}]
    index = make(tmp_path / "index", {"": table}, choice, documents)
    assert index.snapshot.manifest.senses == {"choice": choice, "models": {"": 0}}
    assert index.search("river money", lang="en")[0].id == "1"
    assert (tmp_path / "index" / "full_tables" / table.fingerprint / "rows.npy").exists()
    index.add([{"id": "3", "lang": "es", "text": "money"}])
    assert index.search("money", lang="es")[0].id == "3"


def test_senses_of_texts():
    table = SenseTable.of(sense_table())
    forms = StringBags(
        ["river", "x", "bank", "c#2", "dog"],
        encode([[2, 0, 1, 2], [], [3, 1], [4, 2]]),
    )
    for choice in ("soft", "hard"):
        senses, bags = sense_forms(forms, table, choice)
        assert len(set(senses)) == len(senses)
        assert bags.totals() == pytest.approx([4, 0, 2, 2])
        assert [senses[row] for row in bags.at(2)[0]] == ["c#2#0", "x"]
        assert set(table.keyed.find([s for s in senses if s not in ("x", "c#2#0")])) != {-1}
        tokens = senses_of_tokens(["bank", "", "river", "x", "bank"], table, choice)
        assert tokens[1] == []
        assert [s for token in tokens for s in token] == [senses[row] for row in bags.at(0)[0]]
    nothing = sense_forms(StringBags([], encode([[], []])), table, "soft")
    assert (nothing.strings, len(nothing.bags), len(nothing.bags.rows)) == ([], 2, 0)
    unknown = sense_forms(StringBags(["x"], encode([[0, 0]])), table, "soft")
    assert unknown.strings == ["x"]
    assert unknown.bags.totals() == [2]


def encode(documents):
    from spacy_embed.bags import Bags

    rows = [row for document in documents for row in document]
    return Bags.build(np.array(rows, np.int32), np.ones(len(rows)), np.cumsum([0, *map(len, documents)]))


class TestCommands:
    @pytest.fixture
    def corpus(self, tmp_path):
        file = tmp_path / "corpus.jsonl"
        file.write_text("".join(json.dumps(document) + "\n" for document in DOCUMENTS[:3]), encoding="utf-8")
        return file

    @pytest.fixture
    def index(self, cli, corpus, models, tmp_path):  # noqa: F811
        made = cli("index", corpus, tmp_path / "index", "--vectors", f"en={models['en'].path}", "--senses", "soft")
        assert made.code == 0, made.err
        return tmp_path / "index"

    def test_search_names_senses(self, cli, index):  # noqa: F811
        found = json.loads(cli("search", index, QUERIES["en"], "--lang", "en", "--json").out)["hits"]
        assert found[0]["id"] == "en-second"
        assert found[0]["words"][0]["word"] == "bank#2"
        moved = cli("search", index, QUERIES["en"], "--lang", "en", "--method", "wmd", "--explain", "--json")
        flows = json.loads(moved.out)["hits"][0]["flows"]
        assert {"bank#2"} <= {flow["from"] for flow in flows} & {flow["to"] for flow in flows}
        table = cli("search", index, QUERIES["en"], "--lang", "en")
        assert "bank#2" in table.out
        assert "*bank* river water" in table.out
        page = index.with_suffix(".html")
        assert cli("search", index, QUERIES["en"], "--lang", "en", "--html", page).code == 0
        assert page.read_text().count(">bank</mark>") <= page.read_text().count("bank")
        terms = json.loads(cli("search", index, "river bank", "--lang", "en", "--method", "bm25", "--json").out)
        assert {word["word"] for hit in terms["hits"] for word in hit["words"]} == {"river", "bank"}

    def test_evaluation_and_facts(self, cli, index, tmp_path):  # noqa: F811
        (tmp_path / "queries.tsv").write_text(f"q1\t{QUERIES['en']}\n")
        (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\ten-second\t1\n")
        result = cli("evaluate", "retrieval", index, "--queries", tmp_path / "queries.tsv", "--qrels",
                     tmp_path / "qrels.tsv", "--lang", "en", "--methods", "tfidf,wmd-tfidf", "--json")  # fmt: skip
        methods = json.loads(result.out)["methods"]
        assert [methods[name]["nDCG@10"] for name in ("tfidf", "wmd-tfidf")] == [1.0, 1.0]
        facts = json.loads(cli("info", index, "--json").out)
        assert facts["senses"] == {"choice": "soft", "models": {"en": 0}}

    def test_changes(self, cli, index, corpus):  # noqa: F811
        corpus.write_text(json.dumps({"id": "new", "lang": "en", "text": "fish bank boat"}) + "\n")
        assert cli("add", index, corpus).code == 0
        assert cli("refit", index).code == 0
        found = json.loads(cli("search", index, QUERIES["en"], "--lang", "en", "--json").out)["hits"]
        assert {hit["id"] for hit in found[:2]} == {"new", "en-second"}

    @pytest.mark.parametrize("gone", [True, False])
    def test_a_model_that_is_gone_or_changed(self, gone, cli, corpus, tmp_path):  # noqa: F811
        model = tmp_path / "model"
        planted_table("en").save(model)
        index = tmp_path / "index"
        cli("index", corpus, index, "--vectors", f"en={model}", "--senses", "hard")
        shutil.rmtree(model)
        if not gone:
            planted_table("en", window=3)
            sense_table(dim=11).save(model)
        result = cli("search", index, QUERIES["en"], "--lang", "en")
        assert result.code == 2
        assert result.err.count("\n") == 1
        assert ("is gone" if gone else "has changed since") in result.err
        assert str(model) in result.err
        assert cli("delete", index, "en-first").code == 0
        assert cli("compact", index).code == 0

    def test_refusals(self, cli, corpus, models, tables, tmp_path):  # noqa: F811
        def refused(*options):
            result = cli("index", corpus, tmp_path / "out", *options)
            assert (result.code, result.err.count("\n"), result.out) == (2, 1, ""), result.err
            assert not (tmp_path / "out").exists()
            return result.err

        assert "--senses needs vectors of senses" in refused("--vectors", "train", "--senses", "soft")
        assert "--senses needs vectors of senses, but" in refused("--vectors", tables["en"].path, "--senses", "soft")
        model = planted_table("ru")
        model.metadata["card"] = {"corpus": {"languages": {"ru": 9}}}
        model.save(tmp_path / "ru")
        named = refused("--vectors", f"en={tmp_path / 'ru'}", "--senses", "hard")
        assert "was trained on text in ru, but is given for en" in named
        assert "--lang en needs a model" in refused("--vectors", tmp_path / "ru", "--senses", "hard", "--lang", "en")
        assert "documents in en, but vectors were given for ru" in refused(
            "--vectors", tmp_path / "ru", "--senses", "hard"
        )
        assert "'medium' is not one of" in cli("index", corpus, tmp_path / "out", "--senses", "medium").err


def test_a_table_in_memory_is_refused():
    with pytest.raises(InputError, match="save the table"):
        index_senses({"en": planted_table("en")}, "soft")


def test_every_planted_word_is_one_token():
    assert {lang: len(planted_table(lang)) for lang in PLANTED} == dict.fromkeys(LANGUAGES, 9)
