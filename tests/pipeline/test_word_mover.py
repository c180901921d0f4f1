"""Word Mover's Distance in a pipeline: the same by hand and by POT, of Docs, spans and tokens."""

from collections import Counter
from functools import cache

import numpy as np
import ot
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from thinc.config import ConfigValidationError

import spacy_embed
from spacy_embed.errors import InputError
from spacy_embed.pipeline.word_mover import WordMover, word_mover_distance
from spacy_embed.vectors import WordTable
from tests.conftest import TEXTS
from tests.strategies import QUICK

COSTS = {"euclidean": "euclidean", "unit": "euclidean", "cosine": "cosine"}
PLACES = {"river": [1, 0], "stream": [1, 0], "bridge": [1, 3], "bread": [5, 0], "dough": [5, 4]}


def with_mover(nlp, **config):
    nlp.add_pipe("word_mover", config=config)
    return nlp


@cache
def in_the_plane(**embedder):
    """A pipeline of words in a plane, whose distances can be worked out by hand."""
    nlp = spacy.blank("en")
    nlp.add_pipe("lookup_forms")
    words, rows = list(PLACES), np.array([[1, 0], [1, 3], [5, 0], [5, 4]], float)
    table = WordTable.build(words, rows, word_rows=np.array([0, 0, 1, 2, 3]))
    nlp.add_pipe("doc_embedder", config=embedder).table = table
    return with_mover(nlp)


def by_pot(bags, table, cost):
    """The reference: POT's network simplex over the rows of both bags."""
    left, right = (bag.at(0) for bag in bags)
    ends = [np.asarray(table.rows[rows], float) for rows, _ in (left, right)]
    if cost == "unit":
        ends = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in ends]
    masses = [weights.astype(float) / weights.astype(float).sum() for _, weights in (left, right)]
    return ot.emd2(masses[0], masses[1], cdist(*ends, COSTS[cost]))


def counts(nlp, doc):
    """The bag of counts, by the forms."""
    found = Counter(nlp.get_pipe("doc_embedder").table.find([form for form in doc._.forms if form]).tolist())
    found.pop(-1, None)
    return spacy_embed.Bags.build(np.array(list(found), int), np.array(list(found.values())), np.array([0, len(found)]))


def test_distances_worked_by_hand():
    nlp = in_the_plane()
    river, both, bread = nlp.pipe(["The river.", "A bridge, a river.", "bread bread dough"])
    assert river._.wmd(both) == pytest.approx(3 / 2)
    assert river._.wmd(bread) == pytest.approx(2 / 3 * 4 + 1 / 3 * 32**0.5)
    assert both._.wmd(nlp("bread dough")) == pytest.approx((4 + 17**0.5) / 2)
    assert nlp("river")._.wmd(nlp("stream")) == 0.0


def test_distances_equal_those_of_pot(lang, make_nlp, tables):
    nlp = make_nlp(lang)
    docs = list(nlp.pipe(TEXTS[lang]))
    for cost in COSTS:
        for left in docs:
            for right in docs:
                expected = by_pot((counts(nlp, left), counts(nlp, right)), tables[lang], cost)
                assert word_mover_distance(left, right, cost=cost) == pytest.approx(expected, abs=1e-6)
                expected = by_pot((left._.bag, right._.bag), tables[lang], cost)
                found = word_mover_distance(left, right, cost=cost, weights="weighted")
                assert found == pytest.approx(expected, abs=1e-6)


@QUICK
@given(st.lists(st.lists(st.sampled_from(list(PLACES)), min_size=1, max_size=6), min_size=2, max_size=2))
def test_plans_flows_and_distances_agree(texts):
    nlp = in_the_plane()
    left, right = nlp.pipe([" ".join(words) for words in texts])
    expected = by_pot((left._.bag, right._.bag), nlp.get_pipe("doc_embedder").table, "euclidean")
    moved, flows = left._.transport(right), left._.wmd_flows(right)
    assert left._.wmd(right) == pytest.approx(expected, abs=1e-6)
    assert right._.wmd(left) == pytest.approx(expected, abs=1e-6)
    assert moved.distance == pytest.approx(expected, abs=1e-6)
    assert sum(flow.contribution for flow in flows) == pytest.approx(expected, abs=1e-6)
    assert sum(flow.mass for flow in flows) == pytest.approx(1.0)
    assert [flow.contribution for flow in flows] == sorted((flow.contribution for flow in flows), reverse=True)


def test_settings_of_the_component_are_those_of_the_methods(lang, make_nlp):
    nlp = with_mover(make_nlp(lang), cost="cosine", weights="weighted")
    flooded, bread, bridge = nlp.pipe(TEXTS[lang])
    assert flooded._.wmd(bridge) == word_mover_distance(flooded, bridge, cost="cosine", weights="weighted")
    assert flooded._.wmd(bridge) != word_mover_distance(flooded, bridge)
    assert flooded._.transport(bridge).distance == pytest.approx(flooded._.wmd(bridge))
    assert flooded._.wmd(bridge) < flooded._.wmd(bread)


def test_without_the_component_the_defaults_are_used(make_nlp):
    left, _, right = make_nlp("en").pipe(TEXTS["en"])
    assert left._.wmd(right) == word_mover_distance(left, right, cost="euclidean", weights="counts")
    assert left.similarity(right) == left._.similarity(right)


def test_flows_are_in_words():
    nlp = in_the_plane()
    doc, other = nlp("The rivers: a river and a stream, a bridge."), nlp("River, bread!")
    flows = [(flow.source, flow.target, flow.distance) for flow in doc._.wmd_flows(other)]
    assert flows == [
        ("bridge", "bread", 5.0),
        ("river/stream", "bread", 4.0),
        ("river/stream", "river", 0.0),
    ]
    assert doc[4:5]._.wmd_flows(other)[0].source == "river"
    bare = spacy.blank("en")
    bare.add_pipe("doc_embedder").table = WordTable.build(["River", "bread"], np.eye(2))
    (flow,) = bare("River !")._.wmd_flows(bare("bread"))
    assert (flow.source, flow.target, flow.mass) == ("River", "bread", 1.0)


@pytest.mark.parametrize("weights", ["counts", "weighted"])
def test_spans_sentences_and_tokens_have_distances_of_their_own(weights, lang, make_nlp):
    nlp = with_mover(make_nlp(lang), weights=weights, similarity=True)
    nlp.add_pipe("sentencizer", first=True)
    first, second, _ = TEXTS[lang]
    both = nlp(f"{first} {second}")
    one, two = both.sents
    alone, other = nlp(first), nlp(second)
    assert one._.wmd(two) == pytest.approx(alone._.wmd(other), abs=1e-7)
    assert one._.wmd(alone) == alone._.wmd(one) == 0.0
    assert one.similarity(other) == pytest.approx(alone.similarity(other))
    assert sum(flow.contribution for flow in one._.wmd_flows(two)) == pytest.approx(one._.wmd(two))
    token = next(token for token in two if token._.form)
    assert alone._.wmd(token) == pytest.approx(alone._.wmd(both[token.i : token.i + 1]))
    assert alone.similarity(token) == 1 / (1 + alone._.wmd(token))


def test_similarity_becomes_one_over_one_plus_distance(lang, make_nlp):
    nlp = with_mover(make_nlp(lang), similarity=True)
    flooded, bread, bridge = nlp.pipe(TEXTS[lang])
    assert flooded.similarity(bridge) == bridge.similarity(flooded) == 1 / (1 + flooded._.wmd(bridge))
    assert flooded[0:4].similarity(bridge) == 1 / (1 + flooded[0:4]._.wmd(bridge))
    assert flooded.similarity(flooded) == flooded.similarity(nlp(TEXTS[lang][0])) == 1.0
    assert flooded.similarity(bridge) > flooded.similarity(bread)
    # what has no hook stays
    cosine = flooded.vector @ bridge.vector / (flooded.vector_norm * bridge.vector_norm)
    assert flooded._.similarity(bridge) == pytest.approx(float(cosine), abs=1e-6)
    plain = make_nlp(lang)
    assert flooded[1].similarity(bridge) == plain(TEXTS[lang][0])[1].similarity(bridge)


def test_similarity_stays_the_cosine_unless_asked_for(lang, make_nlp):
    left, _, right = with_mover(make_nlp(lang)).pipe(TEXTS[lang])
    assert left.similarity(right) == left._.similarity(right)
    assert left[0:4].similarity(right) == left[0:4]._.similarity(right)


@pytest.mark.parametrize("asked_first", ["vector", "similarity"])
def test_span_as_doc_keeps_the_similarity_and_that_of_its_doc(asked_first, make_nlp):
    # spaCy gives the copy the hooks of the Doc, not copies of them
    nlp = with_mover(make_nlp("ru"), cost="cosine", similarity=True)
    make_nlp("ru")  # a twin without the component, which may be found instead
    doc, _, other = nlp.pipe(TEXTS["ru"])
    expected = doc.similarity(other), doc[0:2].similarity(other)
    copied = doc[0:2].as_doc()
    if asked_first == "vector":
        assert copied.vector.any()
    assert copied.similarity(other) == expected[1]
    assert (doc.similarity(other), doc[0:2].similarity(other)) == expected
    assert copied._.wmd(other) == doc[0:2]._.wmd(other)


def test_a_doc_that_was_never_embedded_takes_on_the_similarity_it_is_compared_by(make_nlp):
    nlp = with_mover(make_nlp("en"), cost="cosine", similarity=True)
    doc, bare = nlp(TEXTS["en"][0]), nlp.make_doc(TEXTS["en"][2])
    assert doc.similarity(bare) == bare.similarity(doc) == doc.similarity(nlp(TEXTS["en"][2]))


def test_documents_without_a_known_word_are_infinitely_far(lang, make_nlp):
    nlp = with_mover(make_nlp(lang), similarity=True)
    known = nlp(TEXTS[lang][0])
    for doc in (nlp(""), nlp("unheardof"), known[0:0]):
        assert doc._.wmd(known) == known._.wmd(doc) == doc._.wmd(doc) == float("inf")
        assert doc.similarity(known) == known.similarity(doc) == 0.0
        assert doc._.transport(known).distance == float("inf")
        assert doc._.wmd_flows(known) == []


def test_equal_bags_are_at_no_distance_whatever_their_order():
    nlp = in_the_plane()
    left, right = nlp("river bridge bread bread"), nlp("Bread! A bridge (of bread), the stream?")
    for cost in COSTS:
        assert word_mover_distance(left, right, cost=cost) == 0.0


@pytest.mark.parametrize("weights", ["counts", "weighted"])
def test_tokens_merged_after_the_lookup_are_noticed(weights, make_nlp):
    nlp = make_nlp("en")
    doc, other = nlp("old river flooded bridge"), nlp("river")
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
    for one, two in ((doc, other), (other, doc), (doc[1:2], other), (other, doc[1])):
        with pytest.raises(InputError, match=r"4 tokens .* has 3 now"):
            word_mover_distance(one, two, weights=weights)


def test_documents_of_different_embedders_are_refused(make_nlp):
    nlp = with_mover(make_nlp("en"))
    doc = nlp("river")
    for other in (in_the_plane()("river"), make_nlp("en", method="mean")("river")):
        for method in (doc._.wmd, doc._.transport, doc._.wmd_flows, doc[0:1]._.wmd):
            with pytest.raises(InputError, match="different 'doc_embedder's"):
                method(other)


def test_pipelines_of_two_languages_over_one_table_are_compared(tables):
    docs = []
    for code, text in (("en", "river bridge"), ("es", "bridge")):
        nlp = spacy.blank(code)
        nlp.add_pipe("lookup_forms")
        nlp.add_pipe("doc_embedder", config={"vectors": str(tables["en"].path)})
        docs.append(nlp(text))
    river, bridge = (tables["en"].vector(word) for word in ("river", "bridge"))
    assert docs[0]._.wmd(docs[1]) == pytest.approx(float(np.linalg.norm(river - bridge)) / 2)


def test_documents_without_embedding_are_refused(make_nlp):
    nlp = make_nlp("en")
    doc, bare = nlp("river"), nlp.make_doc("river")
    for one, two in ((doc, bare), (bare, doc), (bare, bare)):
        with pytest.raises(InputError, match="no embedding"):
            one._.wmd(two)
    with pytest.raises(InputError, match="put 'doc_embedder' before it"):
        WordMover()(bare)
    nlp = spacy.blank("en")
    nlp.add_pipe("lookup_forms")
    nlp.add_pipe("word_mover")
    with pytest.raises(InputError, match="put 'doc_embedder' before it"):
        nlp("river")


def test_the_analysis_of_spacy_knows_what_it_needs(make_nlp):
    assert not with_mover(make_nlp("en")).analyze_pipes()["problems"]["word_mover"]
    nlp = spacy.blank("en")
    nlp.add_pipe("word_mover")
    assert "doc._.embedding" in nlp.analyze_pipes()["problems"]["word_mover"]


def test_only_docs_spans_and_tokens_have_distances(make_nlp):
    nlp = with_mover(make_nlp("en"), similarity=True)
    doc = nlp("river")
    with pytest.raises(InputError, match="got a str"):
        doc._.wmd("river")
    with pytest.raises(InputError, match="got a Lexeme"):
        doc.similarity(doc.vocab["river"])


def test_documents_of_different_settings_are_refused(make_nlp):
    nlps = [with_mover(make_nlp("en"), cost=cost, similarity=True) for cost in ("unit", "cosine")]
    one, two = (nlp("old river") for nlp in nlps)
    for left, right in ((one, two), (two, one)):
        with pytest.raises(InputError, match=r"'unit'.*'cosine'|'cosine'.*'unit'"):
            left._.wmd(right)
        with pytest.raises(InputError, match="word_mover_distance"):
            left.similarity(right)
        assert word_mover_distance(left, right) == 0.0
    plain = make_nlp("en")("bridge")
    assert one._.wmd(plain) == plain._.wmd(one) == word_mover_distance(one, plain, cost="unit")


def test_words_that_weigh_less_than_nothing_are_refused(tables):
    nlp = spacy.blank("en")
    config = {"vectors": str(tables["en"].path), "keywords": ["river"], "other_weight": -0.5}
    nlp.add_pipe("lookup_forms")
    nlp.add_pipe("doc_embedder", config=config)
    with pytest.raises(InputError, match="other_weight"):
        nlp("old river")._.wmd(nlp("bridge river"))


def test_unknown_options_are_refused(make_nlp):
    for config in ({"cost": "manhattan"}, {"weights": "idf"}, {"similarity": "perhaps"}, {"metric": "unit"}):
        with pytest.raises(ConfigValidationError):
            with_mover(make_nlp("en"), **config)
    nlp = make_nlp("en")
    doc = nlp("river")
    with pytest.raises(InputError, match="'manhattan': expected one of euclidean, unit, cosine"):
        word_mover_distance(doc, doc, cost="manhattan")
    with pytest.raises(InputError, match="'idf': expected one of counts, weighted"):
        word_mover_distance(doc, doc, weights="idf")
    with pytest.raises(InputError, match="expected one of"):
        WordMover(cost="manhattan")
