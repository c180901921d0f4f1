"""Approximate search: true cosines, the hits that may be hits, its recall measured, its graph kept and mended."""

import json
import sys

import numpy as np
import pytest

from spacy_embed.embedding import unit_rows
from spacy_embed.errors import MissingExtraError
from spacy_embed.retrieval.ann import ApproximateCosine, graph_of
from spacy_embed.retrieval.methods import Cosine, Eligible

pytest.importorskip("usearch")

ALL = Eligible(np.empty(0, np.int64))


def names(positions):
    return [f"d{position:04}" for position in positions]


def random_units(n=400, dim=16, seed=0):
    return unit_rows(np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32))


def methods(units, eligible=ALL, file=None):
    exact = Cosine("mean", units, names)
    return exact, ApproximateCosine(exact, graph_of(units, eligible, file).index)


def queries_of(n=20, dim=16):
    return np.random.default_rng(9).normal(size=(n, dim)).astype(np.float32)


@pytest.mark.parametrize("k", [1, 10, 100])
def test_hits_are_true_cosines_in_order_and_most_of_the_exact_ones(k):
    units, queries = random_units(), queries_of()
    exact, approximate = methods(units)
    assert approximate.name == "mean"
    for query, found, true in zip(
        unit_rows(queries), approximate.search(queries, k, ALL), exact.search(queries, k, ALL), strict=True
    ):
        cosines = units.astype(np.float64) @ query.astype(np.float64)
        np.testing.assert_allclose(found.scores, cosines[found.positions], atol=1e-12)
        assert (np.diff(found.scores) <= 0).all()
        assert len(set(found.positions.tolist())) == len(found.positions) == len(true.positions)
        assert len(set(found.positions) & set(true.positions)) >= 0.7 * len(true.positions)


def test_few_documents_are_ranked_exactly_ties_by_id():
    units = np.repeat(random_units(8), 3, axis=0)
    exact, approximate = methods(units)
    queries = np.repeat(queries_of(), 2, axis=0)
    for k, query in enumerate(queries, start=1):
        (found,), (true,) = (method.search(query[None], k, ALL) for method in (approximate, exact))
        assert found.positions.tolist() == true.positions.tolist()
        assert found.scores.tolist() == true.scores.tolist()


def test_documents_that_may_be_no_hits_are_in_no_answer():
    units = random_units()
    absent = Eligible(np.arange(0, 400, 2))
    exact, approximate = methods(units, absent)
    assert len(approximate.graph) == 200
    for found in approximate.search(queries_of(), 10, absent):
        assert len(found.positions) == 10
        assert (found.positions % 2 == 1).all()
    deleted_since = Eligible(np.union1d(absent.absent, [1, 3, 5]))
    for found in approximate.search(units[[1, 3, 5]], 10, deleted_since):
        assert not {1, 3, 5} & set(found.positions.tolist())
    assert exact.units is units


def test_deleting_the_nearest_documents_leaves_the_next_nearest_as_hits():
    query = queries_of(1)
    near = query + 0.1 * np.random.default_rng(1).normal(size=(200, 16))
    units = unit_rows(np.vstack([near, random_units(100)]).astype(np.float32))
    exact, approximate = methods(units)
    deleted = Eligible(np.arange(200))
    (found,), (true,) = approximate.search(query, 10, deleted), exact.search(query, 10, deleted)
    assert len(true.positions) == 10
    assert len(found.positions) == 10


def test_a_query_without_a_known_word_has_no_hits():
    _, approximate = methods(random_units())
    queries = np.vstack([np.zeros(16), queries_of(1)[0]]).astype(np.float32)
    assert [len(found.positions) for found in approximate.search(queries, 5, ALL)] == [0, 5]


@pytest.mark.parametrize("n", [0, 5])
def test_a_graph_of_no_documents_gives_no_hits_and_is_kept(tmp_path, n):
    units = random_units(n)
    nobody = Eligible(np.arange(n))
    for is_new in (True, False):
        graph = graph_of(units, nobody, tmp_path / "g.usearch")
        assert (graph.recall, graph.is_new, len(graph.index)) == (1.0, is_new, 0)
        found = ApproximateCosine(Cosine("mean", units, names), graph.index).search(queries_of(2), 5, nobody)
        assert [len(hits.positions) for hits in found] == [0, 0]


def test_recall_is_the_share_of_the_exact_hits_that_are_reached(tmp_path):
    units = random_units(300)
    graph = graph_of(units, ALL, tmp_path / "g.usearch")
    exact = Cosine("mean", units, names)
    found = list(ApproximateCosine(exact, graph.index).search(units, 10, ALL))
    shares = [
        len(set(ours.positions) & set(true.positions)) / 10
        for ours, true in zip(found, exact.search(units, 10, ALL), strict=True)
    ]
    assert graph.recall == pytest.approx(np.mean(shares), abs=0.02)
    assert json.loads((tmp_path / "g.json").read_text()) == {"recall": graph.recall, "at": 10}


def test_equal_documents_do_not_lower_the_recall():
    units = np.repeat(random_units(3), 50, axis=0)
    assert graph_of(units, ALL, None).recall == 1.0


def test_a_graph_is_kept_and_used_again(tmp_path):
    units = random_units()
    first = graph_of(units, ALL, tmp_path / "g.usearch")
    second = graph_of(units, ALL, tmp_path / "g.usearch")
    assert (first.is_new, second.is_new) == (True, False)
    assert second.recall == first.recall
    assert {file.name for file in tmp_path.iterdir()} == {"g.usearch", "g.json"}
    exact = Cosine("mean", units, names)
    for one, two in zip(
        *(ApproximateCosine(exact, graph.index).search(queries_of(), 10, ALL) for graph in (first, second)), strict=True
    ):
        assert one.positions.tolist() == two.positions.tolist()


def test_without_a_file_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert graph_of(random_units(50), ALL, None).is_new
    assert list(tmp_path.iterdir()) == []


def damage_graph(folder, content):
    (folder / "g.usearch").write_bytes(content((folder / "g.usearch").read_bytes()))


DAMAGE = {
    "empty": lambda folder: damage_graph(folder, lambda data: b""),
    "a header": lambda folder: damage_graph(folder, lambda data: data[:64]),
    "half": lambda folder: damage_graph(folder, lambda data: data[: len(data) // 2]),
    "a byte short": lambda folder: damage_graph(folder, lambda data: data[:-1]),
    "something else": lambda folder: damage_graph(folder, lambda data: b"x" * 5000),
    "missing": lambda folder: (folder / "g.usearch").unlink(),
    "facts missing": lambda folder: (folder / "g.json").unlink(),
    "facts cut": lambda folder: (folder / "g.json").write_text('{"recall": 0.'),
    "facts empty": lambda folder: (folder / "g.json").write_text("{}"),
    **{
        name: pytest.param(lambda folder, text=text: (folder / "g.json").write_text(text))
        for name, text in {"facts a list": "[]", "facts null": '{"recall": null}'}.items()
    },
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_graph_that_is_damaged_is_made_again(tmp_path, damage):
    units = random_units(100)
    graph_of(units, ALL, tmp_path / "g.usearch")
    damage(tmp_path)
    again = graph_of(units, ALL, tmp_path / "g.usearch")
    assert again.is_new
    assert (len(again.index), again.recall > 0.9) == (100, True)
    assert not graph_of(units, ALL, tmp_path / "g.usearch").is_new


def test_a_graph_of_another_dimension_is_made_again(tmp_path):
    graph_of(random_units(50, dim=8), ALL, tmp_path / "g.usearch")
    graph = graph_of(random_units(50, dim=16), ALL, tmp_path / "g.usearch")
    assert (graph.is_new, graph.index.ndim) == (True, 16)


def test_without_usearch_the_pip_line_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(MissingExtraError, match=r"spacy-embed\[ann\]"):
        graph_of(random_units(5), ALL, None)
