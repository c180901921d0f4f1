"""Names of methods, and what is composed of them: ``bm25+0.3*tfidf``, ``rrf:bm25+tfidf``, ``wmd-tfidf@bm25:200``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from spacy_embed.embedding import EMBEDDINGS
from spacy_embed.errors import InputError

BM25 = "bm25"
SOFT_BM25 = "soft-bm25"
DOC2VEC = "doc2vec"
SENTENCE = "sentence"
MOVERS = {
    "wmd": "mean",
    "wmd-tfidf": "tfidf",
    "rwmd": "mean",
    "rwmd-tfidf": "tfidf",
    "wrd": "mean",
    "soft-cosine": "mean",
    "soft-cosine-tfidf": "tfidf",
}
"""Word Mover's Distance and its relatives, and the embedding whose weighting each takes: counts, or counts by idf.
``wrd`` is Word Rotator's Distance: counts by the lengths of vectors, moved at the cost of 1 - cosine."""
WORD_ROTATOR = "wrd"
FED_BACK = {f"{name}-rocchio": name for name in (BM25, *EMBEDDINGS)}
"""Methods that ask twice, and the method that they ask: see ``feedback``."""
COMPOSED = {
    "hybrid": "bm25+0.4*tfidf+soft-bm25",
    "hybrid-sentence": "bm25+0.4*tfidf+soft-bm25+sentence",
}
"""Names for compositions. The weights of ``hybrid`` were chosen on halves of public sets, see docs/measured.md."""
HYBRID = "hybrid"
METHODS = (BM25, *EMBEDDINGS, *MOVERS)
"""Methods that need nothing but the index's own arrays, one at a time."""
NAMES = (*METHODS, SOFT_BM25, *FED_BACK, DOC2VEC, SENTENCE, *COMPOSED)
"""All names that ``search`` and ``evaluate`` take, alone or composed."""
RERANKED = 100
"""How many hits of a first stage are ranked again unless ``:DEPTH`` says otherwise."""

_TOKEN = re.compile(r"\s*(rrf:|:\d+|[0-9]*\.?[0-9]+(?=\s*\*)|[A-Za-z0-9][A-Za-z0-9_-]*|[+*@()])")


@dataclass(frozen=True)
class Named:
    """A method by its name."""

    name: str


@dataclass(frozen=True)
class Fused:
    """Several methods at once: by reciprocal ranks, or by weighted scores."""

    rule: Literal["rrf", "scores"]
    parts: tuple["Expression", ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Reranked:
    """The best of one method, ranked again by another."""

    by: Named
    first: "Expression"
    depth: int = RERANKED


Expression: TypeAlias = Named | Fused | Reranked


def parse_method(text: str, learned: Sequence[str] = ()) -> Expression:
    """What a name says.

    ``A+0.3*B`` adds scores, each divided by its best; ``rrf:A+B`` adds reciprocal ranks; ``A@B`` ranks the best 100 of
    B by A, ``A@B:500`` the best 500. ``@`` binds closer than ``+``; parentheses group: ``wmd@(bm25+0.3*tfidf)``.

    Args:
        text: The name.
        learned: Encoders that an index learned.

    Raises:
        InputError: It is no name, or not well formed.
    """
    return _Parser(text, (*NAMES, *learned)).whole()


def check_method(text: str, learned: Sequence[str] = ()) -> str:
    """The name, if it says a method. Arguments and errors as of ``parse_method``."""
    parse_method(text, learned)
    return text


class _Parser:
    def __init__(self, text: str, names: Sequence[str]) -> None:
        self.text = text
        self.names = names
        self.tokens: list[str] = []
        position = 0
        while text[position:].strip():
            found = _TOKEN.match(text, position)
            if found is None:
                raise self.error(f"nothing can begin with {text[position:].strip()[0]!r}")
            self.tokens.append(found[1])
            position = found.end()

    def error(self, what: str) -> InputError:
        return InputError(
            f"The method {self.text!r} cannot be read: {what}. Compose names as in 'bm25+0.3*tfidf', 'rrf:bm25+tfidf' "
            "or 'wmd-tfidf@bm25:200'."
        )

    def next_is(self, *wanted: str) -> bool:
        return bool(self.tokens) and self.tokens[0] in wanted

    def whole(self) -> Expression:
        found = self.fused()
        if self.tokens:
            raise self.error(f"{self.tokens[0]!r} is one too many")
        return found

    def fused(self) -> Expression:
        rule: Literal["rrf", "scores"] = "scores"
        if self.next_is("rrf:"):
            self.tokens.pop(0)
            rule = "rrf"
        weights, parts = [], []
        while True:
            weight, part = self.weighted()
            weights.append(weight)
            parts.append(part)
            if not self.next_is("+"):
                break
            self.tokens.pop(0)
        if len(parts) == 1:
            if weights[0] != 1:
                raise self.error("a weight needs a second method to be weighed against")
            return parts[0]
        return Fused(rule, tuple(parts), tuple(weights))

    def weighted(self) -> tuple[float, Expression]:
        weight = 1.0
        if len(self.tokens) > 1 and self.tokens[1] == "*":
            try:
                weight = float(self.tokens[0])
            except ValueError:
                raise self.error(f"{self.tokens[0]!r} is not a weight") from None
            del self.tokens[:2]
            if not weight > 0:
                raise self.error("weights must be greater than 0")
        return weight, self.reranked()

    def reranked(self) -> Expression:
        by = self.single()
        if not self.next_is("@"):
            return by
        self.tokens.pop(0)
        if not isinstance(by, Named) or by.name in COMPOSED:
            raise self.error("what ranks again must be a single method")
        first, depth = self.single(), RERANKED
        if self.tokens and self.tokens[0].startswith(":"):
            depth = int(self.tokens.pop(0)[1:])
            if depth < 1:
                raise self.error("at least 1 document must be ranked again")
        return Reranked(by, first, depth)

    def single(self) -> Expression:
        if not self.tokens and self.text.strip():
            raise self.error("a name is missing at its end")
        token = self.tokens.pop(0) if self.tokens else ""
        if token == "(":
            inner = self.fused()
            if not self.next_is(")"):
                raise self.error("a ')' is missing")
            self.tokens.pop(0)
            return inner
        if token in self.names:
            return Named(token)
        if token == "" or (token[0].isalnum() and token != "rrf:"):
            raise InputError(f"Unknown method {token!r}: expected one of {', '.join(self.names)}, or a composition.")
        raise self.error(f"a name is expected where {token!r} stands")
