"""What a map of senses shows: each sense of some words among the senses nearest to it, in its colour."""

from collections.abc import Sequence

import numpy as np

from spacy_embed.plots.points import Points
from spacy_embed.vectors.neighbors import Neighbor
from spacy_embed.vectors.sense_table import SenseTable


def sense_points(model: SenseTable, words: Sequence[str], k: int = 10) -> Points:
    """Senses and their neighbours as points.

    Args:
        model: The model.
        words: Words of it, distinct.
        k: Neighbours a sense. One that is near several senses is drawn once, in the colour of the nearest.

    Returns:
        Points whose classes are the words' senses with their priors, ``word#1, 60%``; those senses are marked and
        labelled by their keys. A neighbour is labelled by its key, or by its word where that has one sense.

    Raises:
        UnknownWordError: The model does not hold a word.
        InputError: ``k`` is below 1.
    """
    of_words = {sense.row: sense for word in words for sense in model.senses(word)}
    keys = {row: model.sense_key(row) for row in of_words}
    nearest: dict[str, tuple[Neighbor, str]] = {}
    for row, key in keys.items():
        for neighbor in model.sense_neighbors(row, k):
            known = nearest.get(neighbor.word)
            if known is None or known[0].similarity < neighbor.similarity:
                nearest[neighbor.word] = (neighbor, key)
    around = {key: near for key, near in nearest.items() if key not in keys.values()}
    near_rows = model.keyed.find(list(around)).tolist() if around else []
    rows = [*of_words, *near_rows]
    classes = {keys[row]: f"{keys[row]}, {sense.prior:.0%}" for row, sense in of_words.items()}
    details = [f"{keys[row]}, prior {sense.prior:.0%}" for row, sense in of_words.items()]
    details += [f"{key}, cosine with {sense} {near.similarity:.2f}" for key, (near, sense) in around.items()]
    return Points(
        np.asarray(model.table.rows[rows], np.float32),
        [*keys.values(), *map(model.short_key, near_rows)],
        details,
        [*classes.values(), *(classes[sense] for _, sense in around.values())],
        np.arange(len(rows)) < len(of_words),
    )
