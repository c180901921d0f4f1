"""Predicted senses as files: RUSSE's columns, SemEval's key, MCL-WiC's tags."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from spacy_embed.evaluation.sense_induction import Labels
from spacy_embed.evaluation.sense_sets import RUSSE_COLUMNS, SenseSet
from spacy_embed.evaluation.word_in_context import ContextPair
from spacy_embed.types import Doubles1d


def russe_table(sense_set: SenseSet, labels: Labels) -> bytes:
    """A set in RUSSE's columns, ``predict_sense_id`` filled in; senses are numbered from 1.

    What read it as it was reads it again, the task's own scorer too.
    """
    of_context = _by_context(sense_set, labels)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(RUSSE_COLUMNS)
    for context, label in zip(sense_set.contexts, of_context, strict=True):
        positions = ",".join(f"{start}-{stop}" for start, stop in context.spans)
        writer.writerow([context.id, context.word, context.gold, label, positions, context.text])
    return text.getvalue().encode()


def semeval_key(sense_set: SenseSet, labels: Labels) -> bytes:
    """``WORD WORD.NUMBER WORD.sense.N`` lines, SemEval-2010's key format."""
    lines = [
        f"{context.word} {context.id} {context.word}.sense.{label}\n"
        for context, label in zip(sense_set.contexts, _by_context(sense_set, labels), strict=True)
    ]
    return "".join(lines).encode()


def pair_table(pairs: Sequence[ContextPair], similarities: Doubles1d, threshold: float) -> bytes:
    """``lemma, tag, predicted, similarity`` lines with tabs between."""
    said = np.where(similarities >= threshold, "T", "F").tolist()
    lines = ["lemma\ttag\tpredicted\tsimilarity\n"]
    for pair, answer, similarity in zip(pairs, said, similarities.tolist(), strict=True):
        lines.append(f"{pair.lemma}\t{'T' if pair.is_same else 'F'}\t{answer}\t{similarity:.6f}\n")
    return "".join(lines).encode()


def _by_context(sense_set: SenseSet, labels: Labels) -> list[str]:
    of_context = [""] * len(sense_set.contexts)
    for word, members in sense_set.by_word.items():
        for i, label in zip(members, labels[word], strict=True):
            of_context[i] = str(label + 1) if isinstance(label, int) else str(label)
    return of_context
