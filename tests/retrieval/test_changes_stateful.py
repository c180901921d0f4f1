"""Any sequence of changes against a dict: after each the index holds what the dict holds, however it is opened."""

import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.pipeline.index import Added, Index
from spacy_embed.vectors import WordTable
from tests.stores import contents, embeddings, make_index, scores, word_bags, words_by_row

pytestmark = pytest.mark.usefixtures("cached_pipelines")

WORDS = ("river", "bridge", "bread", "stone", "market", "harbour", "lantern", "orchard")
UNKNOWN = ("xyzzy", "qwertz")
ROW_OF = {word: i // 2 for i, word in enumerate(WORDS)}
"""Two words a row."""

FIRST = {"a": "river bridge", "b": "bread bread"}

texts = st.lists(st.sampled_from([*WORDS, *UNKNOWN]), max_size=5).map(" ".join)
new_documents = st.dictionaries(st.sampled_from("abcdefghij"), texts, min_size=1, max_size=4)


def fields_of(documents):
    return [{"id": id_, "lang": "en", "text": text} for id_, text in documents.items()]


def known(text):
    return [word for word in text.split() if word in ROW_OF]


class Changes(RuleBasedStateMachine):
    """An index and the texts that it ought to hold, by id."""

    @initialize()
    def make(self):
        self.folder = Path(tempfile.mkdtemp())
        rows = unit_rows(np.random.default_rng(0).normal(size=(len(WORDS) // 2, 8)))
        table = WordTable.build(WORDS, rows, word_rows=np.array(list(ROW_OF.values())))
        self.vectors = table.save(self.folder / "table")
        self.index = make_index(self.folder / "index", fields_of(FIRST), {"en": self.vectors})
        self.held = dict(FIRST)

    def teardown(self):
        shutil.rmtree(self.folder)

    @rule(documents=new_documents)
    def add(self, documents):
        taken = {id_ for id_, text in documents.items() if self.held.get(id_, text) != text}
        if taken:
            with pytest.raises(InputError, match="is taken by another document"):
                self.index.add(fields_of(documents))
        else:
            new = [id_ for id_ in documents if id_ not in self.held]
            assert self.index.add(fields_of(documents)) == Added(len(new), 0, len(documents) - len(new))
            self.held |= documents

    @rule(documents=new_documents)
    def update(self, documents):
        same = sum(self.held.get(id_) == text for id_, text in documents.items())
        new = sum(id_ not in self.held for id_ in documents)
        assert self.index.update(fields_of(documents)) == Added(new, len(documents) - new - same, same)
        self.held |= documents

    @rule(ids=st.sets(st.sampled_from("abcdefghij"), min_size=1))
    def delete(self, ids):
        there = [id_ for id_ in self.held if id_ in ids]
        if len(there) < len(ids):
            with pytest.raises(InputError, match="holds no document"):
                self.index.delete(sorted(ids))
        assert self.index.delete(sorted(ids), missing_ok=True) == len(there)
        self.held = {id_: text for id_, text in self.held.items() if id_ not in ids}

    @precondition(lambda self: self.held)
    @rule(refit=st.booleans())
    def compact(self, refit):
        self.index.compact(refit=refit)
        assert self.index.snapshot.manifest.positions == len(self.held)
        if refit:
            assert self.index.snapshot.manifest.fitted_on == len(self.held)

    @rule()
    def reopen(self):
        self.index = Index(self.index.path)

    @invariant()
    def holds_what_the_dict_holds(self):
        snapshot = self.index.snapshot
        assert contents(snapshot) == {id_: ("en", "", text, {}) for id_, text in self.held.items()}
        assert len(snapshot) == sum(snapshot.manifest.languages.values()) == len(self.held)
        assert snapshot.manifest.without_vector == sum(not known(text) for text in self.held.values())
        assert snapshot.manifest.found == sum(len(known(text)) for text in self.held.values())
        assert snapshot.manifest.tokens == sum(len(text.split()) for text in self.held.values())

    @invariant()
    def counts_the_words_and_takes_their_vectors(self):
        snapshot = self.index.snapshot
        rows = [
            {ROW_OF[key.partition(":")[2]] for key in keys}.pop() for _, keys in sorted(words_by_row(snapshot).items())
        ]
        assert len(set(rows)) == len(rows)
        np.testing.assert_array_equal(snapshot.table.rows, np.asarray(self.vectors.rows)[rows])
        for id_, bag in word_bags(snapshot).items():
            by_row = {ROW_OF[next(iter(keys)).partition(":")[2]]: count for keys, count in bag.items()}
            assert by_row == Counter(ROW_OF[word] for word in known(self.held[id_]))
        for id_, embedding in embeddings(snapshot, "mean").items():
            vectors = [self.vectors.vector(word) for word in known(self.held[id_])] or [np.zeros(8)]
            np.testing.assert_allclose(embedding, np.mean(vectors, axis=0), atol=1e-6)

    @invariant()
    def finds_what_shares_a_word(self):
        for word in WORDS[::3]:
            found = scores(self.index, "bm25", [word], "en")[0]
            assert set(found) == {id_ for id_, text in self.held.items() if word in text.split()}
        for method in ("tfidf", "mean"):
            found = scores(self.index, method, ["river"], "en")[0]
            with_vector = {id_ for id_, text in self.held.items() if known(text)}
            assert set(found) == with_vector


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=8, stateful_step_count=8, deadline=None, derandomize=True)
