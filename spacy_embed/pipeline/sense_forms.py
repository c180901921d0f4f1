"""Lookup forms in senses: each token of a known word as ``form#k``, spread over several or put on one."""

import re
from collections.abc import Sequence

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.pipeline.batch_forms import StringBags
from spacy_embed.vectors.sense_bags import SenseChoice, choose
from spacy_embed.vectors.sense_table import SenseTable

_LIKE_A_SENSE = re.compile(r"#\d+$")


def sense_forms(forms: StringBags, table: SenseTable, choice: SenseChoice) -> StringBags:
    """The senses of lookup forms in their context.

    Args:
        forms: Texts in running order, an entry a token.
        table: Tells senses apart.
        choice: ``soft`` or ``hard``.

    Returns:
        ``form#k`` as ``SenseTable.keyed`` names it, with the share of the token that is its; a form that the table does
        not hold stays as it is. In running order, the entries of a token together.
    """
    senses, tokens = _of_tokens(forms, table, choice)
    return StringBags(senses, Bags(tokens.rows, tokens.weights, tokens.offsets[forms.bags.offsets]))


def senses_of_tokens(forms: Sequence[str], table: SenseTable, choice: SenseChoice) -> list[list[str]]:
    """What each token of a text counts for, see ``sense_forms``; nothing for a token without a form.

    Args:
        forms: The lookup form of each token, "" for one that is left out.
        table: Tells senses apart.
        choice: ``soft`` or ``hard``.
    """
    places = [i for i, form in enumerate(forms) if form]
    distinct = list(dict.fromkeys(forms[i] for i in places))
    number = {form: i for i, form in enumerate(distinct)}
    rows = np.array([number[forms[i]] for i in places], np.int32)
    text = StringBags(distinct, Bags.build(rows, np.ones(len(rows)), np.array([0, len(rows)])))
    senses, tokens = _of_tokens(text, table, choice)
    found: list[list[str]] = [[] for _ in forms]
    for token, place in enumerate(places):
        found[place] = [senses[row] for row in tokens.at(token)[0]]
    return found


def _of_tokens(forms: StringBags, table: SenseTable, choice: SenseChoice) -> StringBags:
    """A bag of senses for each token."""
    strings, bags = forms
    rows = table.table.find(strings)
    ids = rows[bags.rows] if len(bags.rows) else bags.rows
    chosen = choose(table.posteriors(ids, bags.offsets), choice)
    is_known = ids >= 0
    n_of_token = np.where(is_known, np.diff(chosen.offsets), 1)
    of_known = np.repeat(is_known, n_of_token)
    used, places = np.unique(chosen.rows, return_inverse=True)
    form_of = np.empty(len(used), np.int64)
    form_of[places] = np.repeat(bags.rows, np.diff(chosen.offsets))
    unknown = np.flatnonzero(rows < 0)
    sense_rows, weights = np.empty(len(of_known), np.int32), np.ones(len(of_known), np.float32)
    sense_rows[of_known], weights[of_known] = places, chosen.probabilities
    sense_rows[~of_known] = len(used) + np.searchsorted(unknown, bags.rows[~is_known])
    # a word's rows stand together, its own is the first
    numbers = used - rows[form_of] + 1 if len(used) else used
    senses = [f"{strings[form]}#{k}" for form, k in zip(form_of.tolist(), numbers.tolist(), strict=True)]
    senses += [_not_a_sense(strings[form]) for form in unknown.tolist()]
    return StringBags(senses, Bags(sense_rows, weights, np.concatenate([np.zeros(1, np.int64), np.cumsum(n_of_token)])))


def _not_a_sense(form: str) -> str:
    """An unknown form; one that is written like a sense, ``c#2``, would be taken for that of a known word."""
    return f"{form}#0" if _LIKE_A_SENSE.search(form) else form
