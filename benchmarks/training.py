"""Training beside plain gensim on the same text: CPU time, the same floats or not, and word similarity.

    python benchmarks/training.py DATA [--lang en] [--methods word2vec,cbow,fasttext,glove,lsa] [--tokens 2000000]
        [--epochs 5] [--dim 100] [--json]

DATA holds ``train-text/LANG/*.txt.gz``, a paragraph or sentence a line, and ``wordsim/LANG/*``, word pairs with scores.
The text is read once through the language's pipeline. Times are CPU seconds of this process with one thread each;
reading is counted apart. "ratio" is ours by gensim's: what numbered text, loss and checkpoints cost. A dash stands
where gensim trains nothing of the kind. Each set's column is Spearman over all pairs, and its coverage.
"""

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from reporting import print_table, say

from spacy_embed.evaluation.word_lookup import WordLookup
from spacy_embed.evaluation.word_pairs import read_word_pairs
from spacy_embed.evaluation.words import word_similarity
from spacy_embed.pipeline.training_corpus import TrainingCorpus
from spacy_embed.pipeline.workers import WorkerPool
from spacy_embed.training.checkpoints import Checkpoints
from spacy_embed.training.sequences import TokenSequences
from spacy_embed.vectors import WordTable

METHODS = ("word2vec", "cbow", "fasttext", "glove", "lsa")
SETS = {"en": ("EN_WS-353-ALL", "EN_MEN-TR-3k"), "es": ("ES_WS-353",), "pt": ("PT_LX-WordSim-353",), "ru": ("RU_hj",),
        "zh": ("ZH_wordsim-240",)}  # fmt: skip
MIN_COUNT, BUCKETS = 5, 200_000


def read_text(data: Path, lang: str, most_tokens: int, folder: Path) -> tuple[TokenSequences, float]:
    """The first so many tokens of a language's text, and CPU seconds of reading all of it."""
    files = sorted((data / "train-text" / lang).glob("*.txt.gz"))
    started = time.process_time()
    with WorkerPool(1) as pool:
        sequences = TrainingCorpus(files, lang).spool(folder, pool).sequences()
    seconds = time.process_time() - started
    so_far = itertools.accumulate(map(len, sequences))
    n = sum(1 for total in so_far if total <= most_tokens)
    return TokenSequences.of(list(itertools.islice(sequences, n))), seconds


def ours(method: str, text: TokenSequences, dim: int, epochs: int, folder: Path) -> WordTable:
    """A table by the package, saved after every epoch as the command does."""
    settings: dict[str, Any] = {"dim": dim, "min_count": MIN_COUNT, "seed": 1}
    checkpoints = Checkpoints(folder / method, {"method": method})
    if method in ("word2vec", "cbow"):
        from spacy_embed.training.word2vec import train_word2vec

        architecture = "cbow" if method == "cbow" else "skip-gram"
        return train_word2vec(text, architecture=architecture, epochs=epochs, checkpoints=checkpoints, **settings)
    if method == "fasttext":
        from spacy_embed.training.fasttext import train_fasttext

        return train_fasttext(text, buckets=BUCKETS, epochs=epochs, checkpoints=checkpoints, **settings)
    if method == "glove":
        from spacy_embed.training.glove import train_glove

        return train_glove(text, **settings)
    from spacy_embed.training.lsa import train_lsa

    return train_lsa(text, **settings)


def gensims(method: str, text: list[list[str]], dim: int, epochs: int) -> Any:
    """gensim's vectors of the same text, which it is given as lists in memory."""
    from gensim.models import FastText, Word2Vec

    settings = {"vector_size": dim, "min_count": MIN_COUNT, "epochs": epochs, "negative": 10, "seed": 1, "workers": 1}
    if method == "fasttext":
        return FastText(text, sg=1, bucket=BUCKETS, **settings).wv
    return Word2Vec(text, sg=int(method != "cbow"), **settings).wv


def timed(train: Callable[[], Any]) -> tuple[Any, float]:
    """What is trained, and CPU seconds."""
    # imports are not counted
    import gensim.models

    assert gensim.models
    started = time.process_time()
    trained = train()
    return trained, time.process_time() - started


def scores(table: WordTable, data: Path, lang: str) -> dict[str, str]:
    """Spearman over all pairs and coverage of each set."""
    found = {}
    for name in SETS[lang]:
        pairs = read_word_pairs(data / "wordsim" / lang / f"{name}.txt")
        similarity = word_similarity(table, pairs, WordLookup(compose=table.composes))
        found[name] = f"{similarity.spearman_all:.3f} ({similarity.coverage:.0%})"
    return found


def measure(
    method: str, text: TokenSequences, lists: list[list[str]], args: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """One row of the table."""
    table, seconds = timed(lambda: ours(method, text, args.dim, args.epochs, folder))
    loss = table.metadata["source"].get("loss")
    row = {
        "method": method,
        "words": len(table),
        "CPU s": round(seconds, 1),
        "gensim CPU s": "-",
        "ratio": "-",
        "same floats": "-",
        "loss": f"{loss[0]:.3f} to {loss[-1]:.3f}" if loss else "-",
        **scores(table, args.data, args.lang),
    }
    if method in ("word2vec", "cbow", "fasttext"):
        wv, theirs = timed(lambda: gensims(method, lists, args.dim, args.epochs))
        row |= {"gensim CPU s": round(theirs, 1), "ratio": round(seconds / theirs, 2)}
        row["same floats"] = "yes" if np.array_equal(table.rows, wv.vectors) else "no"
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--lang", default="en", choices=sorted(SETS))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--tokens", type=int, default=2_000_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text, seconds = read_text(args.data, args.lang, args.tokens, Path(folder) / "spool")
        say(f"{text.n_tokens} tokens of {args.lang}; all text read in {seconds:.0f} CPU s")
        lists = list(text)
        rows = []
        for method in args.methods.split(","):
            rows.append(measure(method, text, lists, args, Path(folder)))
            say(json.dumps(rows[-1]))
    if args.json:
        print(json.dumps(rows))
    else:
        print_table(rows)


if __name__ == "__main__":
    main()
