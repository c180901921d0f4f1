"""Words of a table that are written much like one that it does not hold, for messages."""

import difflib
import itertools
import unicodedata
from collections.abc import Iterable

from spacy_embed.vectors.word_table import WordTable

_SEARCHED = 100_000
_COMPARED = 5_000
_FEWEST_LETTERS = 2


def close_words(table: WordTable, word: str, n: int = 5, *, prefix: str = "") -> list[str]:
    """Words that may have been meant, the most likely ones first.

    Other case, spelling of Unicode, ё and joining; then forms with a part of speech (``слово_NOUN``); then longer words
    and words a few edits away, both among the first 100,000 of the table.

    Args:
        table: The table.
        word: A word that has no vector there.
        n: How many at most.
        prefix: What every key begins with, before the word itself (``en:`` in an index).
    """
    variants = [prefix + variant for variant in _variants(word) if variant != word]
    found = [variant for variant, row in zip(variants, table.find(variants).tolist(), strict=True) if row >= 0]
    if len(found) < n and len(word) > 0:
        found += _alike(itertools.islice(table.words, _SEARCHED), prefix, word, n)
    return list(dict.fromkeys(found))[:n]


def _variants(word: str) -> Iterable[str]:
    spelled = {form: unicodedata.normalize(form, word) for form in ("NFC", "NFKC")}
    joined = [word.replace(" ", "_"), word.replace("_", " "), word.replace("-", "_"), word.replace("ё", "е")]
    plain = [word.strip(), *spelled.values(), *joined]
    cased = [change(form) for form in (word, *plain) for change in (str.lower, str.capitalize, str.upper, str.title)]
    return dict.fromkeys([*plain, *cased])


def _alike(keys: Iterable[str], prefix: str, word: str, n: int) -> list[str]:
    lower = word.lower()
    tagged: list[str] = []
    longer: list[str] = []
    similar: dict[str, str] = {}
    for key in keys:
        if not key.startswith(prefix):
            continue
        form = key[len(prefix) :].lower()
        if form.startswith(lower):
            (tagged if form[len(lower) : len(lower) + 1] == "_" else longer).append(key)
        elif form[:1] == lower[:1] and abs(len(form) - len(lower)) <= 2:
            similar.setdefault(form, key)
    if len(word) < _FEWEST_LETTERS:
        return tagged
    forms = difflib.get_close_matches(lower, list(similar)[:_COMPARED], n=n, cutoff=0.75)
    near = [similar[form] for form in forms]
    return [*tagged[:n], *near[: n - n // 2], *sorted(longer, key=len)[:n], *near]
