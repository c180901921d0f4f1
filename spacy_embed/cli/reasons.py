"""What speaks for a hit: an amount for each of its forms, and for Word Mover's Distance what went where."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from spacy_embed.bags import Bags
from spacy_embed.explain import Flow, cosine_contributions
from spacy_embed.pipeline.lookup_forms import LookupForms
from spacy_embed.retrieval.composed_methods import Fusion, Method, Reranking, Single
from spacy_embed.retrieval.encoded import key_of
from spacy_embed.retrieval.feedback import Rocchio
from spacy_embed.retrieval.method_names import BM25, DOC2VEC, MOVERS, SENTENCE, SOFT_BM25
from spacy_embed.retrieval.methods import Bm25
from spacy_embed.retrieval.queries import Queries
from spacy_embed.retrieval.snapshot import Snapshot
from spacy_embed.types import Floats2d


class Reasons(NamedTuple):
    """Why a document is a hit."""

    amounts: dict[str, float]
    """What each form of the document adds, higher for what speaks for it."""
    flows: list[Flow]
    """By falling contribution; only for Word Mover's Distance."""
    forms_of: Mapping[str, list[str]] = MappingProxyType({})
    """The forms of the document that a flow's target names, where several share a row."""


class Explainer(Protocol):
    """Explains the hits of one method."""

    def __call__(self, query: int, position: int, lang: str, lookup: LookupForms, forms: Sequence[str]) -> Reasons:
        """Why a document is a hit.

        Args:
            query: Which query.
            position: The document.
            lang: Its language.
            lookup: Its pipeline's component.
            forms: The lookup forms of its tokens.
        """


def explainer(index: Snapshot, queries: Queries, method: str) -> Explainer:
    """The explainer of a method.

    Args:
        index: The index that was searched.
        queries: The queries.
        method: How it was searched.
    """
    return _explainer(index, queries, index.method(method))


def _explainer(index: Snapshot, queries: Queries, method: Method) -> Explainer:
    if isinstance(method, Fusion):
        return _OfParts(index, queries, method)
    if isinstance(method, Reranking):
        return _explainer(index, queries, method.by)
    if isinstance(method, Rocchio):
        fed = method.fed(index, queries)
        return _OfTerms(index, fed) if method.base.name == BM25 else _OfCosine(index, fed, method.base.name)
    assert isinstance(method, Single)
    name = method.name
    if name == BM25:
        return _OfTerms(index, queries.terms)
    if name == SOFT_BM25:
        return _OfSoftMatches(index, queries)
    if name in MOVERS:
        # compiled code: only those who ask for it wait for it
        from spacy_embed.cli.move_reasons import OfMoves

        return OfMoves(index, queries, name)
    if name in (DOC2VEC, SENTENCE):
        return _unexplained
    return _OfCosine(index, index.embed_queries(queries, name), name)


class _OfParts:
    """What each part says, as much as it counts: amounts of weighted scores add up to the score of the fusion."""

    def __init__(self, index: Snapshot, queries: Queries, fusion: Fusion) -> None:
        self.fusion = fusion
        self.parts = [_explainer(index, queries, part) for part in fusion.parts]
        self.bests = fusion.bests(index, queries)

    def __call__(self, query: int, position: int, lang: str, lookup: LookupForms, forms: Sequence[str]) -> Reasons:
        together: dict[str, float] = {}
        for explain, weight, best in zip(self.parts, self.fusion.weights, self.bests[query], strict=True):
            amounts = explain(query, position, lang, lookup, forms).amounts
            # ranks say nothing of words: the words of each part share its weight
            whole = best if self.fusion.rule == "scores" else sum(map(abs, amounts.values()))
            if whole > 0:
                for form, amount in amounts.items():
                    together[form] = together.get(form, 0.0) + amount * weight / whole
        return Reasons(together, [])


def _unexplained(query: int, position: int, lang: str, lookup: LookupForms, forms: Sequence[str]) -> Reasons:
    """What an encoder made of whole texts says nothing of words."""
    return Reasons({}, [])


class _OfTerms:
    def __init__(self, index: Snapshot, terms: Bags) -> None:
        self.index = index
        self.terms = terms

    def __call__(self, query: int, position: int, lang: str, lookup: LookupForms, forms: Sequence[str]) -> Reasons:
        method = self.index.ranker(BM25).ranker
        assert isinstance(method, Bm25)
        amounts = method.contributions(position, self.terms, query)
        amount_of_term = {self.index.term_names.word(term): amount for term, amount in amounts.items()}
        terms_of = {form: set(lookup.terms.terms([form], form)) for form in forms if form}
        # forms that share a term (a stem, a bigram) share what it adds
        sharing = Counter(term for terms in terms_of.values() for term in terms)
        shares = {
            form: sum(amount_of_term.get(term, 0.0) / sharing[term] for term in terms)
            for form, terms in terms_of.items()
        }
        return Reasons(shares, [])


class _OfCosine:
    def __init__(self, index: Snapshot, embedded: Floats2d, method: str) -> None:
        self.index = index
        self.method = method
        self.embedded = embedded

    def __call__(self, query: int, position: int, lang: str, lookup: LookupForms, forms: Sequence[str]) -> Reasons:
        bag = self.index.bags.slice(position, position + 1)
        embedding = self.index.fits.for_languages(self.method, [lang])[lang]
        table = self.index.table.rows
        amounts = cosine_contributions(bag, embedding, table, self.embedded[query]).tolist()
        by_row = dict(zip(embedding.weigh(bag, table).rows.tolist(), amounts, strict=True))
        # forms that share a row share what it adds
        return Reasons({form: by_row.get(row, 0.0) for form, row in rows_of(self.index, lang, forms).items()}, [])


class _OfSoftMatches:
    def __init__(self, index: Snapshot, queries: Queries) -> None:
        self.index = index
        self.queries = index.prepared(queries, SOFT_BM25)

    def __call__(self, query: int, position: int, lang: str, lookup: LookupForms, forms: Sequence[str]) -> Reasons:
        by_row = self.index.ranker(SOFT_BM25).ranker.contributions(position, self.queries, query)
        return Reasons({form: by_row.get(row, 0.0) for form, row in rows_of(self.index, lang, forms).items()}, [])


def rows_of(index: Snapshot, lang: str, forms: Sequence[str]) -> dict[str, int]:
    """The row of each form of a document, those without one left out."""
    present = sorted({form for form in forms if form})
    rows = index.table.find([key_of(lang, form) for form in present])
    return {form: row for form, row in zip(present, rows.tolist(), strict=True) if row >= 0}
