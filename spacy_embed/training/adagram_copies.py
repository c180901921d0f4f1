"""What AdaGram's threads do with their own copies of the vectors that all of them write to."""

from spacy_embed.compiled import compiled_uncounted as compiled
from spacy_embed.training.adagram_state import Copies, Model
from spacy_embed.types import Floats2d, Rows


@compiled
def exchange(shared: Floats2d, own: Floats2d, before: Floats2d, whole: bool) -> None:
    """Add what a thread changed in its copy to the shared rows, and take those over.

    Unless the ``whole`` is asked for, rows whose first number nobody changed wait for the next time.
    """
    for i in range(len(own)):
        if not whole and own[i, 0] == before[i, 0] and shared[i, 0] == before[i, 0]:
            continue
        for d in range(own.shape[1]):
            value = shared[i, d] + (own[i, d] - before[i, d])
            shared[i, d] = value
            own[i, d] = value
            before[i, d] = value


@compiled
def exchange_all(model: Model, copies: Copies, whole: bool) -> None:
    """Exchange all that a thread has copies of."""
    n_words, n_senses, dim = model.vectors.shape
    exchange(model.outputs, copies.outputs, copies.outputs_before, whole)
    exchange(model.vectors.reshape(n_words * n_senses, dim), copies.vectors, copies.vectors_before, whole)
    exchange(model.counts, copies.counts, copies.counts_before, True)


@compiled
def hot_first(found: Rows, turns: Floats2d, n: int, n_hot: int) -> int:
    """Put the nodes that a thread has copies of before the others, each with its turns.

    Args:
        found: int32[at least n], nodes.
        turns: float32[2, at least n], how often each is left by either turn.
        n: How many nodes.
        n_hot: Nodes below have copies.

    Returns:
        How many of them have.
    """
    if n_hot == 0:
        return 0
    first = 0
    for i in range(n):
        node = found[i]
        if node < n_hot:
            found[i] = found[first]
            found[first] = node
            for turn in range(2):
                count = turns[turn, i]
                turns[turn, i] = turns[turn, first]
                turns[turn, first] = count
            first += 1
    return first
