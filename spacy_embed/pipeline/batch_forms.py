"""Texts to lookup forms and terms, a batch at a time: each type is looked at once, tokens are arrays."""

import re
from collections import defaultdict
from collections.abc import Sequence, Sized
from itertools import chain, count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokenizer import Tokenizer

from spacy_embed.bags import Bags
from spacy_embed.pipeline.chinese_tokenizer import ChineseTokenizer
from spacy_embed.pipeline.language_pipelines import lookup_forms_of
from spacy_embed.pipeline.lookup_forms import LookupForms
from spacy_embed.types import Ints1d, Rows

_UNBROKEN = re.compile(r"(\S{1000})\S")


class StringBags(NamedTuple):
    """Documents as bags of strings."""

    strings: list[str]
    """Distinct; the bags' rows are their positions."""
    bags: Bags
    """In running order, each entry counting 1."""


class EncodedTexts(NamedTuple):
    """What a pipeline makes of texts."""

    forms: StringBags
    """Lookup forms; tokens that are left out are missing."""
    terms: StringBags
    """What BM25 indexes."""


def encode_texts(nlp: Language, texts: Sequence[str]) -> EncodedTexts:
    """Forms and terms of texts.

    Args:
        nlp: A pipeline with ``lookup_forms``; what comes after it is not run.
        texts: The texts.
    """
    lookup = lookup_forms_of(nlp)
    texts = [tokenizable(text, nlp) for text in texts]
    types = _chinese_types(nlp, lookup, texts) or _types(nlp, lookup, texts)
    forms, form_of_type = _distinct(types.forms)
    token_forms = form_of_type[types.of_token]
    bags = Bags.build(token_forms, np.ones(len(token_forms)), types.offsets).keep(token_forms >= 0)
    form_bags = StringBags(forms, bags)
    return EncodedTexts(form_bags, _terms(lookup, form_bags, texts))


class _Types(NamedTuple):
    """Tokens as types, each type's form known."""

    forms: list[str]
    """The form of each type, "" for one that is left out."""
    of_token: Ints1d
    """int64[tokens], the type of each."""
    offsets: Ints1d
    """int64[n + 1], where each text's tokens begin and end."""


def _types(nlp: Language, lookup: LookupForms, texts: list[str]) -> _Types:
    before = [component for _, component in nlp.pipeline].index(lookup)
    # a tokenizer alone needs none of a pipeline's checks
    docs = nlp.pipe(texts, disable=nlp.pipe_names[before:]) if before else map(nlp.tokenizer, texts)
    types = [lookup.types(doc) for doc in docs]
    tokens = np.concatenate(types) if types else np.empty(0, np.uint64)
    distinct, of_token = np.unique(tokens, axis=0 if tokens.ndim > 1 else None, return_inverse=True)
    return _Types(lookup.forms_of_types(distinct), of_token.reshape(-1), _offsets(types))


def _chinese_types(nlp: Language, lookup: LookupForms, texts: list[str]) -> _Types | None:
    """The same without Docs, which take longer to make than the words, where nothing looks at them."""
    tokenizer, needs_docs = nlp.tokenizer, lookup.options.needs_context or nlp.pipeline[0][1] is not lookup
    if needs_docs or not isinstance(tokenizer, ChineseTokenizer):
        return None
    words = list(map(tokenizer.words, texts, tokenizer.simplify.all(texts)))
    ids = _numbering()
    offsets = _offsets(words)
    of_token = np.fromiter(map(ids.__getitem__, chain.from_iterable(words)), np.int64, int(offsets[-1]))
    return _Types(lookup.forms_of_words(list(ids)), of_token, offsets)


def _offsets(of_texts: Sequence[Sized]) -> Ints1d:
    return np.cumsum([0, *map(len, of_texts)], dtype=np.int64)


def tokenizable(text: str, nlp: Language) -> str:
    """A text of the same length that spaCy's rules take no longer for than for any other.

    They are quadratic in the length of what no space interrupts: a character in a thousand of it becomes a space.
    """
    return _UNBROKEN.sub(r"\1 ", text) if isinstance(nlp.tokenizer, Tokenizer) else text


def _terms(lookup: LookupForms, forms: StringBags, texts: Sequence[str]) -> StringBags:
    analyzer = lookup.terms
    if analyzer.kind == "form":
        return forms
    strings, of_form = _distinct(list(map(analyzer.term, forms.strings)))
    bags = Bags(of_form[forms.bags.rows], forms.bags.weights, forms.bags.offsets)
    if analyzer.kind != "bigrams":
        return StringBags(strings, bags)
    pairs, pair_bags = analyzer.bigrams(analyzer.simplify.all(texts) if analyzer.simplify else texts)
    of_pair = _places_among(strings, pairs)
    new = np.flatnonzero(of_pair < 0)
    of_pair[new] = np.arange(len(strings), len(strings) + len(new))
    both = _joined(bags, Bags(of_pair[pair_bags.rows], pair_bags.weights, pair_bags.offsets))
    return StringBags(strings + pairs[new].tolist(), both)


def _places_among(strings: Sequence[str], pairs: NDArray[np.str_]) -> Rows:
    """int32[pairs], where each of some strings of two characters, ascending, stands among others; -1 if it does not."""
    found = np.full(len(pairs), -1, np.int32)
    of_two = np.array([i for i, string in enumerate(strings) if len(string) == 2], np.int32)
    if len(of_two) and len(pairs):
        words = np.array([strings[i] for i in of_two.tolist()], pairs.dtype)
        places = np.minimum(np.searchsorted(pairs, words), len(pairs) - 1)
        is_same = pairs[places] == words
        found[places[is_same]] = of_two[is_same]
    return found


def _distinct(strings: Sequence[str]) -> tuple[list[str], Rows]:
    """The distinct strings that are not empty, and the place of each among them, -1 for an empty one."""
    ids = _numbering()
    places = np.fromiter(map(ids.__getitem__, strings), np.int32, len(strings))
    empty = ids.pop("", None)
    if empty is not None:
        places = np.where(places == empty, -1, places - (places > empty)).astype(np.int32)
    return list(ids), places


def _numbering(strings: Sequence[str] = ()) -> defaultdict[str, int]:
    """Strings to their places, the next one for a string that is asked for and new: without a step of Python."""
    # not by its own length: a dictionary that holds itself waits for the garbage collector with all its strings
    return defaultdict(count(len(strings)).__next__, zip(strings, range(len(strings)), strict=True))


def _joined(left: Bags, right: Bags) -> Bags:
    """The entries of two lots of bags, document by document."""
    offsets = left.offsets + right.offsets
    rows, weights = np.empty(int(offsets[-1]), np.int32), np.empty(int(offsets[-1]), np.float32)
    for bags, before in ((left, right.offsets[:-1]), (right, left.offsets[1:])):
        places = np.arange(len(bags.rows)) + np.repeat(before, bags.sizes)
        rows[places], weights[places] = bags.rows, bags.weights
    return Bags(rows, weights, offsets)
