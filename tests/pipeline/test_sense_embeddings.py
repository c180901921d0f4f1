"""doc_embedder and word_mover over senses: bags by hand, idf, spans, distances, settings that do not fit."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

import spacy_embed
from spacy_embed.errors import InputError
from spacy_embed.pipeline.language_pipelines import default_pipeline
from spacy_embed.pipeline.word_mover import word_mover_distance
from spacy_embed.training.adagram import train_adagram
from spacy_embed.transport.exact import word_movers_distance
from spacy_embed.vectors.sense_bags import LEAST_SHARE
from spacy_embed.vectors.sense_table import SenseTable
from spacy_embed.weighting import TfIdf
from tests.conftest import TEXTS
from tests.training.planted import planted_text
from tests.vectors.sense_models import sense_table


def expected_bag(doc, table, choice, start=0, stop=None, weights=None, window=None):
    """The reference, token by token: the model's posterior in the Doc's own context."""
    senses = SenseTable.of(table)
    window = window or senses.window
    known = [token for token in doc if token._.form in table]
    bag = {}
    for place, token in enumerate(known):
        if not start <= token.i < (len(doc) if stop is None else stop):
            continue
        around = known[max(place - window, 0) : place] + known[place + 1 : place + 1 + window]
        shares = senses.disambiguate(token._.form, [other._.form for other in around])
        kept = shares >= LEAST_SHARE if choice == "soft" else np.arange(len(shares)) == shares.argmax()
        for sense, share in zip(senses.senses(token._.form), shares * kept / shares[kept].sum(), strict=True):
            if share:
                weight = 1 if weights is None else weights[token.i]
                bag[sense.row] = bag.get(sense.row, 0) + share * weight
    return dict(sorted(bag.items()))


def as_dict(bag):
    assert len(bag) == 1
    return dict(zip(bag.rows.tolist(), bag.weights.tolist(), strict=True))


@pytest.mark.parametrize("choice", ["soft", "hard"])
def test_bags_of_documents_and_spans(lang, choice, make_sense_nlp, sense_tables):
    nlp = make_sense_nlp(lang, senses=choice, tagger=None)
    table = sense_tables[lang]
    for doc in nlp.pipe(TEXTS[lang]):
        assert as_dict(doc._.bag) == pytest.approx(expected_bag(doc, table, choice), abs=1e-5)
        for start, stop in ((0, 3), (2, len(doc)), (1, 1)):
            # its tokens keep the senses that they have in the Doc
            expected = expected_bag(doc, table, choice, start, stop)
            assert as_dict(doc[start:stop]._.bag) == pytest.approx(expected, abs=1e-5)
        parts = [as_dict(doc[i : i + 1]._.bag) for i in range(len(doc))]
        total = {row: sum(part.get(row, 0) for part in parts) for row in sorted({row for p in parts for row in p})}
        assert as_dict(doc._.bag) == pytest.approx(total, abs=1e-5)
        rows, weights = doc._.bag.at(0)
        np.testing.assert_allclose(doc._.embedding, weights @ table.rows[rows] / weights.sum(), rtol=1e-4, atol=1e-5)


def test_soft_weights_sum_to_those_of_tokens(lang, make_sense_nlp, sense_tables):
    keyword = next(iter(sense_tables[lang].words))
    nlp = make_sense_nlp(lang, keywords=[keyword], other_weight=0.25)
    for doc in nlp.pipe(TEXTS[lang]):
        weights = [1.0 if token._.form == keyword else 0.25 for token in doc]
        is_known = sense_tables[lang].find(doc._.forms) >= 0
        assert doc._.bag.weights.sum() == pytest.approx(sum(np.array(weights)[is_known]), rel=1e-5)
        assert as_dict(doc._.bag) == pytest.approx(
            expected_bag(doc, sense_tables[lang], "soft", weights=weights), abs=1e-5
        )
        assert doc._.coverage == pytest.approx(is_known.sum() / sum(map(bool, doc._.forms)))


def test_tokens_of_weight_zero_are_left_out(make_sense_nlp):
    doc = make_sense_nlp("en", keywords=["river"])("old river bridge")
    assert doc._.bag.weights.sum() == pytest.approx(1)
    assert (doc._.bag.weights > 0).all()


def test_without_the_setting_a_word_is_its_own_row(make_sense_nlp, sense_tables):
    doc = make_sense_nlp("en", senses=None)(TEXTS["en"][0])
    rows = sense_tables["en"].find(doc._.forms)
    np.testing.assert_array_equal(doc._.token_rows, rows)
    assert as_dict(doc._.bag) == dict.fromkeys(sorted(rows[rows >= 0].tolist()), 1.0)
    assert doc._.shares is None


@pytest.mark.parametrize("choice", ["soft", "hard"])
def test_idf_is_that_of_senses(choice, make_sense_nlp, sense_tables):
    nlp = make_sense_nlp("en", senses=choice, method="tfidf")
    counts = [as_dict(doc._.bag) for doc in make_sense_nlp("en", senses=choice).pipe(TEXTS["en"])]
    offsets = np.cumsum([0, *map(len, counts)])
    rows, weights = np.concatenate([list(c) for c in counts]), np.concatenate([list(c.values()) for c in counts])
    bags = spacy_embed.Bags.build(rows, weights, offsets)
    expected = TfIdf().fit(bags, len(sense_tables["en"].rows))
    np.testing.assert_allclose(nlp.get_pipe("doc_embedder").embedding.weighting.idf, expected.idf, rtol=1e-6)
    for i, doc in enumerate(nlp.pipe(TEXTS["en"])):
        np.testing.assert_allclose(doc._.bag.weights, expected.transform(bags).at(i)[1], rtol=1e-5)


@pytest.mark.parametrize("choice", ["soft", "hard"])
@pytest.mark.parametrize("weights", ["counts", "weighted"])
def test_word_mover_moves_senses(choice, weights, make_sense_nlp, sense_tables):
    nlp = make_sense_nlp("en", senses=choice, method="tfidf")
    counted = make_sense_nlp("en", senses=choice)
    table = sense_tables["en"]
    senses = SenseTable.of(table)
    docs = list(nlp.pipe(TEXTS["en"]))
    bags = [doc._.bag for doc in (docs if weights == "weighted" else counted.pipe(TEXTS["en"]))]
    for left, bag in zip(docs, bags, strict=True):
        for right, other in zip(docs, bags, strict=True):
            expected = word_movers_distance(bag, other, table.rows)
            assert word_mover_distance(left, right, weights=weights) == pytest.approx(expected, abs=1e-6)
    flows = docs[0]._.wmd_flows(docs[2])
    names = {senses.sense_key(row) for row in bags[0].rows.tolist()}
    assert {flow.source for flow in flows} <= names
    assert sum(flow.contribution for flow in flows) == pytest.approx(docs[0]._.wmd(docs[2]), abs=1e-6)
    assert docs[0][0:3]._.wmd(docs[0]) < docs[0]._.wmd(docs[1])


def test_what_a_tagger_found_is_used(make_sense_nlp, sense_tables):
    text = "old river bridge flooded river old bridge crosses river"
    narrow = make_sense_nlp("en", tagger={"window": 1})
    doc = narrow(text)
    assert as_dict(doc._.bag) == pytest.approx(expected_bag(doc, sense_tables["en"], "soft", window=1), abs=1e-5)
    assert as_dict(doc._.bag) != pytest.approx(expected_bag(doc, sense_tables["en"], "soft"), abs=1e-3)
    # also where one Doc of a batch was tagged and another was not
    bare = make_sense_nlp("en", tagger=None)
    plain = bare(text)
    embedder = bare.get_pipe("doc_embedder")
    tagged, untagged = narrow(text), Doc(bare.vocab, words=text.split())
    bare.get_pipe("lookup_forms")(untagged)
    both = list(embedder.pipe([tagged, untagged]))
    assert as_dict(both[0]._.bag) == as_dict(doc._.bag)
    assert as_dict(both[1]._.bag) == as_dict(plain._.bag)


def test_the_senses_of_another_model_are_not_used(make_sense_nlp, sense_tables):
    nlp = make_sense_nlp("en")
    nlp.get_pipe("sense_tagger").table = sense_table(9, tuple(sense_tables["en"].words))
    doc = nlp(TEXTS["en"][0])
    assert as_dict(doc._.bag) == pytest.approx(expected_bag(doc, sense_tables["en"], "soft"), abs=1e-5)


def test_a_tagger_before_the_forms_is_noticed(sense_tables):
    path = str(sense_tables["en"].path)
    nlp = spacy.blank("en")
    nlp.add_pipe("sense_tagger", config={"model": path})
    nlp.add_pipe("lookup_forms")
    nlp.add_pipe("doc_embedder", config={"vectors": path, "senses": "soft"})
    with pytest.raises(InputError, match="must stand after 'lookup_forms'"):
        nlp("The River")


def test_a_copy_of_a_span_has_the_senses_of_its_own_context(make_sense_nlp, sense_tables):
    nlp = make_sense_nlp("en", tagger={"window": 1})
    doc = nlp("old river bridge flooded river old bridge")
    copied = doc[1:4].as_doc()
    assert copied.similarity(nlp("river bridge flooded")) == pytest.approx(1)
    assert as_dict(copied._.bag) == pytest.approx(expected_bag(copied, sense_tables["en"], "soft", window=1), abs=1e-5)


def test_nothing_known(make_sense_nlp):
    nlp = make_sense_nlp("en")
    empty, unknown, river = nlp.pipe(["", "unheardof", "river"])
    for doc in (empty, unknown):
        assert not doc.has_vector
        assert doc._.coverage == 0.0
        assert len(doc._.bag.rows) == 0
        assert doc._.wmd(river) == np.inf


def test_hard_senses_tell_documents_apart_that_words_do_not():
    text, _ = planted_text(n_sentences=1800)
    text = [[word.replace("+", "") for word in sentence] for sentence in text]
    table = train_adagram(text, dim=20, epochs=10, sample=0, alpha=0.5)
    found = {}
    for choice in (None, "soft", "hard"):
        nlp = default_pipeline("en")
        nlp.add_pipe("doc_embedder", config={"senses": choice, "keywords": ["ab"]}).table = table
        in_a, again_in_a, in_b = nlp.pipe(["a1 a2 a3 ab a4 a5", "a6 a7 ab a8 a9", "b1 b2 b3 ab b4 b5"])
        found[choice] = in_a.similarity(again_in_a), in_a.similarity(in_b)
    assert found[None] == pytest.approx((1, 1))
    assert found["hard"][0] == pytest.approx(1)
    assert found["hard"][1] < 0.9
    assert found["soft"][1] < 0.9 < found["soft"][0]


def test_frequencies_of_words_are_shared_by_their_senses(sense_tables, tmp_path):
    table = sense_tables["en"]
    senses = SenseTable.of(table)
    words = list(table.words)
    (tmp_path / "counts.tsv").write_text("".join(f"{word}\t{i + 1}\n" for i, word in enumerate(words)), "utf-8")
    config = {
        "vectors": str(table.path),
        "method": "sif",
        "n_components": 0,
        "frequencies": str(tmp_path / "counts.tsv"),
    }
    nlp = default_pipeline("en")
    embedder = nlp.add_pipe("doc_embedder", config={**config, "senses": "soft"})
    total = len(words) * (len(words) + 1) / 2
    expected = (senses.row_words + 1) * senses.priors / total
    np.testing.assert_allclose(embedder.embedding.weighting.probabilities, expected, rtol=1e-5)


def test_settings_that_do_not_fit(tables, tmp_path):
    for path, what in ((tables["en"].path, "has no senses"), (tmp_path / "absent", "absent")):
        nlp = default_pipeline("en")
        nlp.add_pipe("doc_embedder", config={"vectors": str(path), "senses": "soft"})
        with pytest.raises(InputError, match=what):
            nlp("river")
    nlp = default_pipeline("en")
    nlp.vocab.reset_vectors(width=2)
    nlp.vocab.set_vector("river", np.ones(2, "f"))
    nlp.add_pipe("doc_embedder", config={"senses": "hard"})
    with pytest.raises(InputError, match="own vectors have no senses"):
        nlp("river")


def test_an_encoder_of_words_is_refused(make_sense_nlp, tmp_path):
    with pytest.raises(InputError, match="weighs words"):
        make_sense_nlp("en").get_pipe("doc_embedder").take_encoder(tmp_path / "encoder.npz")


def test_a_tagger_that_stands_before_the_forms_is_refused(tmp_path):
    # both Turkey and turkey are in the table: each token is known by either form, as another word
    sense_table(words=("turkey", "Turkey", "bird", "ankara")).save(tmp_path / "model")
    nlp = spacy.blank("en")
    nlp.add_pipe("sense_tagger", config={"model": str(tmp_path / "model")})
    nlp.add_pipe("lookup_forms")
    nlp.add_pipe("doc_embedder", config={"vectors": str(tmp_path / "model"), "method": "mean", "senses": "hard"})
    assert nlp("turkey bird")._.coverage == 1
    with pytest.raises(InputError, match="after 'lookup_forms'"):
        nlp("Turkey bird")
