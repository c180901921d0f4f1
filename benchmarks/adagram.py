"""AdaGram beside gensim's skip-gram of one sense: thousand words per CPU-second, threads, annotation.

    python benchmarks/adagram.py TEXT... [--words 1000000] [--dim 100] [--senses 5] [--wide-dim 300] [--wide-senses 10]
        [--alpha auto] [--threads 1,2] [--repetitions 5] [--json]

TEXT is plain or gzipped, a sentence or paragraph a line; words are lower-cased runs of letters and digits. One epoch,
window 5, words from 5 occurrences on, none thinned out; gensim trains skip-gram with hierarchical softmax (hs=1) and
ONE sense on the same tokens, one thread. Reading, counting, trees and compiling are counted for neither.

gensim, one thread and several take turns, and each ratio is of neighbours in time; the table has medians. "ratio" of
one thread is CPU time by gensim's. With threads it is the clock's by our one thread, which means something on a quiet
machine with as many cores only; "CPU ratio" is what a thread's CPU second is worth beside one thread alone. "senses"
are those of a word after the epoch, the mean.

Annotation is ``SenseTable.posteriors`` over the same text, after five epochs: words with one sense cost nothing, so the
share of tokens that have several is told. --alpha sets how many have.
"""

import argparse
import gzip
import itertools
import json
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from reporting import print_table, say

from spacy_embed.training.adagram import train_adagram
from spacy_embed.training.adagram_epochs import learn
from spacy_embed.training.adagram_model import AdaGramSettings, Alpha, initial_model, word_setting
from spacy_embed.training.frequent_words import FrequentWords
from spacy_embed.training.sense_selection import Pruning
from spacy_embed.training.sequences import TokenSequences
from spacy_embed.training.token_file import TokenFile
from spacy_embed.vectors.sense_table import SenseTable

MIN_COUNT, WINDOW, RATE, SEED = 5, 5, 0.025, 1
PRUNING = Pruning(0.02, 5.0, 0.8, 0.5)


def read_text(files: list[Path], most_words: int) -> TokenSequences:
    """The first so many words."""
    lines = itertools.chain.from_iterable(map(_lines, files))
    so_far, kept = 0, []
    for line in lines:
        kept.append(re.findall(r"\w+", line.lower()))
        so_far += len(kept[-1])
        if so_far >= most_words:
            break
    return TokenSequences.of(kept)


def _lines(file: Path) -> Iterator[str]:
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
        for line in lines:
            yield line.decode("utf-8")


def train_once(corpus: FrequentWords, folder: Path, settings: AdaGramSettings, dim: int) -> dict[str, Any]:
    """One epoch of ours: thousand words per second of this process's CPU and of the clock."""
    text = TokenFile.write(corpus, folder / "tokens.bin", held_out=0, most_held_out=0, seed=SEED)
    setting = word_setting(corpus.counts, settings)
    model = initial_model(corpus.counts, dim, settings)
    cpu, clock = time.process_time(), time.perf_counter()
    progress = learn(text, model, setting, settings, PRUNING)
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    words = len(text.ids) / 1000
    return {
        "per CPU s": words / cpu,
        "per s": words / clock,
        "loss": progress.loss[-1],
        "senses": progress.senses_per_word[-1],
    }


def gensims(corpus: FrequentWords, lists: list[list[str]], dim: int) -> float:
    """Thousand words per CPU-second of gensim's skip-gram."""
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=dim, sg=1, hs=1, negative=0, window=WINDOW, min_count=MIN_COUNT, sample=0, workers=1, seed=SEED
    )
    model.build_vocab(lists)
    started = time.process_time()
    model.train(lists, total_examples=len(lists), epochs=1)
    return float(corpus.counts.sum()) / 1000 / (time.process_time() - started)


def training_rows(
    corpus: FrequentWords,
    lists: list[list[str]],
    dim: int,
    senses: int,
    alpha: Alpha,
    threads: list[int],
    repetitions: int,
    folder: Path,
) -> list[dict[str, Any]]:
    """gensim, then ours with each number of threads, all in turn; medians."""
    theirs: list[float] = []
    ours: dict[int, list[dict[str, Any]]] = {workers: [] for workers in threads}
    for turn in range(repetitions):
        theirs.append(gensims(corpus, lists, dim))
        for workers in threads:
            settings = AdaGramSettings(senses, alpha, WINDOW, 1, 0.0, RATE, SEED, workers)
            ours[workers].append(train_once(corpus, folder, settings, dim))
        say(f"dim {dim}, turn {turn + 1} of {repetitions}")
    rows = [row("gensim skip-gram hs=1", dim, 1, 1, {"k words per CPU s": round(float(np.median(theirs)))})]
    for workers in threads:
        found = ours[workers]
        unit = "per CPU s" if workers == 1 else "per s"
        values: dict[str, Any] = {f"k words {unit}": round(median(found, unit))}
        if workers == 1:
            values["ratio"] = f"{np.median([one[unit] / their for one, their in zip(found, theirs, strict=True)]):.2f}"
        elif alone := ours.get(1):
            pairs = list(zip(found, alone, strict=True))
            values["ratio"] = f"{np.median([many['per s'] / one['per s'] for many, one in pairs]):.2f}"
            values["CPU ratio"] = f"{np.median([many['per CPU s'] / one['per CPU s'] for many, one in pairs]):.2f}"
        values |= {"loss": round(median(found, "loss"), 4), "senses": round(median(found, "senses"), 4)}
        rows.append(row("AdaGram", dim, senses, workers, values))
    return rows


def median(found: list[dict[str, Any]], name: str) -> float:
    """Of the repetitions."""
    return float(np.median([values[name] for values in found]))


def row(method: str, dim: int, senses: int, threads: int, values: dict[str, Any]) -> dict[str, Any]:
    """A line of the table."""
    columns = ("k words per CPU s", "k words per s", "ratio", "CPU ratio", "loss", "senses")
    what = {"method": method, "dim": dim, "most senses": senses, "threads": threads}
    return what | {column: values.get(column, "-") for column in columns}


def annotate(text: TokenSequences, dim: int, senses: int, alpha: Alpha) -> dict[str, Any]:
    """Thousand words per CPU-second of finding senses in running text."""
    table = train_adagram(text, dim=dim, senses=senses, alpha=alpha, min_count=MIN_COUNT, epochs=5, seed=SEED)
    found = SenseTable.of(table)
    lists = list(text)
    ids = table.find([word for tokens in lists for word in tokens])
    offsets = np.concatenate([[0], np.cumsum([len(tokens) for tokens in lists])])
    found.posteriors(ids[:100], np.array([0, 100]))
    started = time.process_time()
    posteriors = found.posteriors(ids, offsets)
    seconds = time.process_time() - started
    several = float((np.diff(posteriors.offsets) > 1).mean())
    return {"dim": dim, "most senses": senses, "tokens with several": f"{several:.0%}",
            "speed": f"{len(ids) / 1000 / seconds:.0f} k words per CPU s"}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="+")
    parser.add_argument("--words", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--senses", type=int, default=5)
    parser.add_argument("--wide-dim", type=int, default=300)
    parser.add_argument("--wide-senses", type=int, default=10)
    parser.add_argument("--alpha", default="auto")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    alpha: Alpha = "auto" if args.alpha == "auto" else float(args.alpha)
    threads = [int(number) for number in args.threads.split(",")]
    text = read_text(args.text, args.words)
    corpus = FrequentWords.of(text, MIN_COUNT)
    lists = list(text)
    say(f"{text.n_tokens} words, {len(corpus.words)} of them with vectors")
    # compile first
    train_adagram(lists[:200], min_count=1, epochs=1, workers=2)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for dim, senses in ((args.dim, args.senses), (args.wide_dim, args.wide_senses)):
            rows += training_rows(corpus, lists, dim, senses, alpha, threads, args.repetitions, Path(folder))
    annotation = [annotate(text, args.dim, args.senses, alpha)]
    if args.json:
        print(json.dumps({"training": rows, "annotation": annotation}))
    else:
        print_table(rows)
        print_table(annotation)


if __name__ == "__main__":
    main()
