"""sense_tagger: senses that were planted, the model's posterior token by token, words it lacks, bad input."""

import json
import subprocess
import sys

import numpy as np
import pytest
import spacy
from sklearn.metrics import adjusted_rand_score
from spacy.tokens import Doc, DocBin
from thinc.config import ConfigValidationError

from spacy_embed.errors import InputError
from spacy_embed.pipeline.language_pipelines import default_pipeline
from spacy_embed.training.adagram import train_adagram
from spacy_embed.vectors import WordTable
from spacy_embed.vectors.sense_table import SenseTable
from tests.conftest import TEXTS
from tests.training.planted import planted_text
from tests.vectors.sense_models import adagram_file, sense_table


def tagging(code, model, **config):
    nlp = default_pipeline(code)
    nlp.add_pipe("sense_tagger", config={"model": str(model), **config})
    return nlp


def with_table(code, table, **config):
    nlp = default_pipeline(code)
    nlp.add_pipe("sense_tagger", config=config).table = table
    return nlp


def of_language(table, *languages):
    """The table as if trained on text of these languages."""
    # a few documents that were taken for another language make it no language of the model
    card = {"corpus": {"languages": {**dict.fromkeys(languages, 500), "ru": 3}}}
    return WordTable(table.keys, table.rows, {**table.metadata, "card": card}, None, table.extras)


def test_planted_senses_are_given():
    text, gold = planted_text(n_sentences=1800)
    text = [[word.replace("+", "") for word in sentence] for sentence in text]
    nlp = with_table("en", train_adagram(text, dim=20, epochs=10, sample=0, alpha=0.5))
    docs = [Doc(nlp.vocab, words=sentence) for sentence in text[:300]]
    for doc in nlp.pipe(docs):
        assert {token._.sense for token in doc if token.text != "ab"} == {f"{t.text}#1" for t in doc if t.text != "ab"}
    senses = [token._.sense for doc in docs for token in doc if token.text == "ab"]
    topics = [topic for written, topic in gold[:300] if written == "a+b"]
    assert set(senses) == {"ab#1", "ab#2"}
    assert adjusted_rand_score(topics, senses) > 0.9


@pytest.mark.parametrize("window", [None, 1])
def test_tokens_have_the_posterior_of_the_model(lang, window, sense_tables):
    table = sense_tables[lang]
    senses = SenseTable.of(table)
    n_ambiguous = 0
    nlp = tagging(lang, table.path, window=window)
    for doc in nlp.pipe(TEXTS[lang]):
        known = [token for token in doc if token._.form in table]
        for place, token in enumerate(known):
            reach = window or senses.window
            around = known[max(place - reach, 0) : place] + known[place + 1 : place + 1 + reach]
            expected = senses.disambiguate(token._.form, [other._.form for other in around])
            np.testing.assert_allclose(token._.sense_probs, expected, atol=1e-6)
            best = senses.senses(token._.form)[int(expected.argmax())]
            assert token._.sense == f"{token._.form}#{best.number}" == senses.sense_key(best.row)
            np.testing.assert_array_equal(token._.sense_vector, table.rows[best.row])
            n_ambiguous += len(expected) > 1
    assert n_ambiguous


def test_words_that_the_model_lacks_have_one_sense(sense_tables):
    nlp = tagging("en", sense_tables["en"].path)
    doc = nlp("The unheardof river , , river!")
    assert [token._.sense.split("#") for token in doc][:2] == [[""], ["unheardof", "1"]]
    assert doc[3]._.sense == ""
    for token in (doc[0], doc[1], doc[3]):
        assert token._.sense_probs.tolist() == [1.0]
        assert token._.sense_probs.dtype == token._.sense_vector.dtype == np.float32
        assert token._.sense_vector.tolist() == [0.0] * 6


def test_arrays_of_a_document(sense_tables):
    table = sense_tables["en"]
    doc = tagging("en", table.path)(TEXTS["en"][0])
    assert doc._.sense_rows.dtype == np.int32
    assert doc._.sense_probabilities.dtype == np.float32
    assert doc._.sense_offsets.dtype == np.int64
    assert len(doc._.sense_offsets) == len(doc) + 1
    is_known = table.find(doc._.forms) >= 0
    np.testing.assert_array_equal(np.diff(doc._.sense_offsets) > 0, is_known)
    totals = [token._.sense_probs.sum() for token in doc]
    np.testing.assert_allclose(totals, 1, rtol=1e-5)
    # nothing of a batch's arrays is kept alive by one of its Docs
    assert doc._.sense_rows.base is None
    assert doc._.sense_probabilities.base is None


def test_batches_do_not_matter(lang, sense_tables):
    nlp = tagging(lang, sense_tables[lang].path)
    texts = ["", *TEXTS[lang], "...", *TEXTS[lang]]
    for batched, text in zip(nlp.pipe(texts, batch_size=3), texts, strict=True):
        alone = nlp(text)
        for name in ("sense_rows", "sense_probabilities", "sense_offsets"):
            np.testing.assert_array_equal(batched._.get(name), alone._.get(name))


def test_without_lookup_forms_tokens_stand_as_they_are():
    nlp = spacy.blank("en")
    nlp.add_pipe("sense_tagger").table = sense_table()
    doc = nlp("Bank bank dog")
    assert doc[0]._.sense == "Bank#1"
    assert doc[0]._.sense_vector.tolist() == [0.0] * 6
    assert doc[1]._.sense_vector.any()


def test_a_second_run_tags_again(sense_tables):
    doc = tagging("en", sense_tables["en"].path, window=1)("old bridge river bridge flooded river old")
    wide = tagging("en", sense_tables["en"].path, window=6)
    before = doc._.sense_probabilities
    wide.get_pipe("sense_tagger")(doc)
    assert not np.array_equal(doc._.sense_probabilities, before)
    np.testing.assert_array_equal(doc._.sense_probabilities, wide(doc.text)._.sense_probabilities)


def test_a_model_of_adagram_jl(tmp_path):
    file = adagram_file(tmp_path / "model.bin")
    nlp = tagging("en", file)
    text = "money dog bank river bank"
    expected = [token._.sense for token in nlp(text)]
    assert len(set(expected)) > 3
    nlp.to_disk(tmp_path / "nlp")
    file.unlink()
    assert [token._.sense for token in spacy.load(tmp_path / "nlp")(text)] == expected


def test_model_of_another_language_is_refused(tmp_path):
    table = of_language(sense_table(), "en", "pt").save(tmp_path / "table")
    assert tagging("pt", table.path)("bank river")[0]._.sense_probs.sum() == pytest.approx(1)
    with pytest.raises(InputError, match=r"trained on text in 'en', 'pt', but the pipeline's language is 'ru'"):
        tagging("ru", table.path)("bank")
    with pytest.raises(InputError, match="'en', 'pt'"):
        tagging("ru", table.path).initialize()


def test_a_language_that_is_not_recorded_shows():
    nlp = with_table("en", sense_table(words=("замок", "река", "лук")))
    with pytest.warns(UserWarning, match=r"none of 60 words .* another language"):
        nlp(" ".join(f"word{i}" for i in range(60)))


def test_no_model():
    with pytest.raises(InputError, match="set 'model' in its config"):
        default_pipeline("en").add_pipe("sense_tagger")(default_pipeline("en")("bank"))


def test_unusable_models(tables, sense_tables, tmp_path):
    for model, what in (
        (tables["en"].path, "has no senses: train one"),
        (tmp_path / "absent", "absent"),
        (tmp_path, str(tmp_path.name)),
    ):
        with pytest.raises(InputError, match=what) as caught:
            tagging("en", model)("river")
        assert "\n" not in str(caught.value)
    file = tmp_path / "text.vec"
    file.write_text("2 2\nriver 1 2\nbridge 3 4\n")
    with pytest.raises(InputError, match="has no senses"):
        tagging("en", file)("river")


def test_damaged_models(sense_tables, tmp_path):
    file = adagram_file(tmp_path / "cut.bin")
    file.write_bytes(file.read_bytes()[:-9])
    table = of_language(sense_tables["en"], "en").save(tmp_path / "table")
    np.save(table.path / "extra.senses.priors.npy", np.full(len(table.rows), np.nan, np.float32))
    cut = sense_table().save(tmp_path / "cut")
    priors = cut.path / "extra.senses.counts.npy"
    priors.write_bytes(priors.read_bytes()[:-3])
    for path in (file, table.path, cut.path):
        with pytest.raises(InputError, match="damaged") as caught:
            tagging("en", path)("river")
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


def test_bad_settings(sense_tables):
    with pytest.raises(InputError, match="at least 1 word, got 0"):
        tagging("en", sense_tables["en"].path, window=0)
    with pytest.raises(ConfigValidationError):
        tagging("en", sense_tables["en"].path, window="wide")


def test_documents_without_senses_say_so(sense_tables):
    nlp = tagging("en", sense_tables["en"].path)
    for name in ("sense", "sense_probs", "sense_vector"):
        with pytest.raises(InputError, match="run it through a pipeline with 'sense_tagger'"):
            nlp.make_doc("river")[0]._.get(name)
    with pytest.raises(InputError, match="'sense_tagger'"):
        nlp("old river")[1:2].as_doc()[0]._.sense  # noqa: B018


def test_tokens_merged_after_tagging_are_noticed(sense_tables):
    doc = tagging("en", sense_tables["en"].path)("old river flooded bridge")
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
    with pytest.raises(InputError, match=r"4 tokens .* has 3 now"):
        doc[1]._.sense  # noqa: B018


def test_senses_are_read_where_no_pipeline_is_loaded_but_vectors_are_not(sense_tables, tmp_path):
    docs = list(tagging("ru", sense_tables["ru"].path).pipe(TEXTS["ru"]))
    DocBin(store_user_data=True, docs=docs).to_disk(tmp_path / "docs.spacy")
    code = (
        "import json, spacy, spacy_embed\nfrom spacy.tokens import DocBin\n"
        "from spacy_embed.pipeline.extensions import register_extensions\nregister_extensions()\n"
        f"docs = list(DocBin().from_disk({str(tmp_path / 'docs.spacy')!r}).get_docs(spacy.blank('ru').vocab))\n"
        "print(json.dumps([token._.sense for doc in docs for token in doc]))\n"
        "try:\n    docs[0][0]._.sense_vector\nexcept spacy_embed.errors.InputError as error:\n    print(error)"
    )
    command = [sys.executable, "-X", "utf8", "-c", code]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8").stdout
    senses, error = printed.splitlines()
    assert json.loads(senses) == [token._.sense for doc in docs for token in doc]
    assert "is not loaded" in error


def test_loading_the_component_compiles_nothing(sense_tables):
    code = (
        "import sys, spacy\nnlp = spacy.blank('en')\nnlp.add_pipe('lookup_forms')\n"
        f"nlp.add_pipe('sense_tagger', config={{'model': {str(sense_tables['en'].path)!r}}})\n"
        "nlp.initialize()\nprint('numba' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"
