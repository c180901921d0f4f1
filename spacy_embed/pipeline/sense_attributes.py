"""What ``sense_tagger`` leaves on a Doc: three arrays, and views of them on tokens."""

from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np
from spacy.tokens import Doc, Token

from spacy_embed.errors import InputError
from spacy_embed.pipeline.extensions import check_tokens
from spacy_embed.types import Floats1d, Weights
from spacy_embed.vectors.sense_table import Posteriors

if TYPE_CHECKING:
    from spacy_embed.pipeline.sense_tagger import SenseTagger

SENSE_VALUES = ("sense_rows", "sense_probabilities", "sense_offsets", "sense_model")
"""What is stored: the fields of ``Posteriors`` of the Doc's tokens, and the fingerprint of the model."""

_LOADED: "WeakSet[SenseTagger]" = WeakSet()
"""Loaded taggers: vectors of senses are in their tables."""


def remember_tagger(tagger: "SenseTagger") -> None:
    """Let tokens find the vectors of their senses, for as long as the tagger lives."""
    _LOADED.add(tagger)


def set_senses(doc: Doc, posteriors: Posteriors, fingerprint: str) -> None:
    """Keep the senses of a Doc's tokens with it.

    Args:
        doc: The Doc.
        posteriors: All senses of each token's word in the order of the table; nothing for a word that it lacks.
        fingerprint: Of the table.
    """
    # what is kept of a Doc must not keep its batch
    doc._.sense_rows, doc._.sense_probabilities, doc._.sense_offsets = posteriors.copied()
    doc._.sense_model = fingerprint


def senses_of_doc(doc: Doc, fingerprint: str) -> Posteriors | None:
    """What a model's tagger left on a Doc; None where it has not been.

    Raises:
        InputError: Tokens were merged or split since.
    """
    return _stored(doc) if doc._.sense_model == fingerprint else None


def token_sense(token: Token) -> str:
    """The most probable sense in context: ``bank#2``, numbered from 1 by falling prior.

    A word that the model lacks has one sense, ``word#1``; a token without a lookup form has none, "".

    Raises:
        InputError: No ``sense_tagger`` has seen the Doc, or tokens were merged or split since.
    """
    probabilities = _probabilities(token)
    form = token._.form if token.doc._.forms is not None else token.text
    return f"{form}#{int(probabilities.argmax()) + 1 if len(probabilities) else 1}" if form else ""


def token_sense_probs(token: Token) -> Weights:
    """float32[senses], how probable each sense of the word is in context, summing to 1; [1.0] where there is no model.

    Raises:
        InputError: As ``token_sense``.
    """
    probabilities = _probabilities(token)
    return probabilities.copy() if len(probabilities) else np.ones(1, np.float32)


def token_sense_vector(token: Token) -> Floats1d:
    """float32[dim], the vector of the most probable sense in context; zeros for a word that the model lacks.

    Raises:
        InputError: As ``token_sense``, or the pipeline of the tagger is not loaded in this process.
    """
    probabilities = _probabilities(token)
    tagger = next((tagger for tagger in _LOADED if tagger.knows(token.doc._.sense_model)), None)
    if tagger is None:
        raise InputError(
            "The pipeline that tagged the senses of this Doc is not loaded: load it, or tag the Doc again."
        )
    rows = tagger.table.rows
    if not len(probabilities):
        return np.zeros(rows.shape[1], np.float32)
    first = int(token.doc._.sense_offsets[token.i])
    return np.array(rows[token.doc._.sense_rows[first + int(probabilities.argmax())]], np.float32)


def _probabilities(token: Token) -> Weights:
    """float32[senses] of a token, a view; empty where the model lacks its word."""
    _, probabilities, offsets = _stored(token.doc)
    return probabilities[offsets[token.i] : offsets[token.i + 1]]


def _stored(doc: Doc) -> Posteriors:
    if doc._.sense_model is None:
        raise InputError("This Doc has no senses: run it through a pipeline with 'sense_tagger'.")
    check_tokens(doc, len(doc._.sense_offsets) - 1)
    return Posteriors(doc._.sense_rows, doc._.sense_probabilities, doc._.sense_offsets)
