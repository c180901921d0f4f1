"""A small table with senses, drawn at random, and AdaGram.jl's file of it by a writer of its own."""

import struct

import numpy as np

from spacy_embed.training.huffman import huffman_ways
from spacy_embed.vectors.sense_arrays import build_sense_table

WORDS = ("bank", "river", "money", "c#", "замок", "dog", "银行")


def sense_table(seed=0, words=WORDS, n_senses=3, dim=6, window=2):
    """1 to 3 senses a word, in the slots of a model that had three."""
    random = np.random.default_rng(seed)
    n = len(words)
    frequencies = np.sort(random.integers(20, 500, n))[::-1]
    kept = random.random((n, n_senses)) < 0.6
    kept[np.arange(n), random.integers(0, n_senses, n)] = True
    counts = (random.dirichlet(np.ones(n_senses), n) * frequencies[:, None]).astype(np.float32)
    row_words, slots = np.nonzero(kept)
    return build_sense_table(
        words,
        random.normal(size=(len(slots), dim)).astype(np.float32),
        row_words=row_words.astype(np.int32),
        slots=slots.astype(np.int32),
        counts=counts,
        frequencies=frequencies,
        outputs=random.normal(size=(n - 1, dim)).astype(np.float32),
        ways=huffman_ways(frequencies),
        alpha=0.3,
        parameters={"window": window, "alpha": 0.3, "discount": 0.0},
        source={"method": "test"},
    )


def adagram_file(path, *, seed=0, words=WORDS, n_senses=4, dim=5, longest=9, alpha="0.1", discount="0.0"):
    """Write a model as Julia would, value by value, without a line of the package."""
    random = np.random.default_rng(seed)
    n = len(words)
    with path.open("wb") as file:
        file.write(f"{n} {dim} {n_senses}\n{alpha} {discount}\n{longest}\n".encode())
        for _ in range(n):
            file.write(struct.pack("<q", random.integers(1, 10**12)))
        lengths = random.integers(1, longest + 1, n)
        for length in lengths:
            file.write(struct.pack(f"<{longest}b", *random.integers(0, 2, length), *[-1] * (longest - length)))
        for length in lengths:
            file.write(struct.pack(f"<{longest}i", *random.integers(1, n, length), *[0] * (longest - length)))
        file.write(struct.pack(f"<{n * n_senses}f", *random.gamma(0.5, 100, n * n_senses)))
        file.write(struct.pack(f"<{n * dim}f", *random.normal(size=n * dim)))
        for number, word in enumerate(words):
            kept = [k + 1 for k in range(n_senses) if random.random() < 0.5 or (k == number % n_senses)]
            file.write(f"{word}\n{len(kept)}\n".encode())
            for k in kept:
                # 10 is a line feed: vectors may hold any byte
                vector = struct.pack(f"<{dim}f", *random.normal(size=dim))
                file.write(f"{k}\n".encode() + b"\n" + vector[1:] + b"\n")
    return path
