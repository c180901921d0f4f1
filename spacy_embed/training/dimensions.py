"""How many dimensions: a rule of thumb for those who have none of their own."""

import math


def fourth_root(n_words: int) -> int:
    """The fourth root of the vocabulary, rounded: 10,000 words give 10.

    A rule of thumb for embedded categories ("Introducing TensorFlow feature columns", Google Developers Blog, 2017),
    no law: word vectors that are to tell how similar words are usually have 100 to 300 dimensions.
    """
    return max(1, round(math.sqrt(math.sqrt(n_words))))
