"""What senses cost in a pipeline: words per CPU second of each component beside the pipeline's own tokenizer.

    python benchmarks/sense_tagger.py LANG=TEXT ... [--model LANG=MODEL ...] [--words 200000] [--runs 3]

TEXT is a file or folder that ``spacy-embed index`` reads. Without a model every word that occurs five times gets three
senses at random, in 100 dimensions: more to do than trained models leave. Words are the pipeline's tokens; each
component's time is that of its ``pipe`` over Docs that the components before it have seen, the least of the runs, all
in one process. ``known`` are the tokens that the model holds, ``ambiguous`` those whose word has more than one sense: a
word with one is not looked into. ``doc_embedder`` counts words, ``soft`` takes the tagger's senses.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from reporting import print_table, say
from spacy.language import Language

from spacy_embed.pipeline.language_pipelines import default_pipeline
from spacy_embed.retrieval.corpus import read_corpus
from spacy_embed.training.huffman import huffman_ways
from spacy_embed.vectors import WordTable, load_vectors
from spacy_embed.vectors.sense_arrays import build_sense_table
from spacy_embed.vectors.sense_table import SenseTable


def first_texts(path: Path, nlp: Language, words: int) -> list[str]:
    """Texts of so many tokens, the beginnings of longer ones."""
    texts, n = [], 0
    for document in read_corpus(path):
        texts.append(document.full_text[:2000])
        n += len(nlp.make_doc(texts[-1]))
        if n >= words:
            break
    return texts


def cpu_seconds(work: Callable[[], Any]) -> float:
    """CPU time of one call."""
    started = time.process_time()
    work()
    return time.process_time() - started


def measure(lang: str, path: Path, model: Path | None, words: int, runs: int) -> dict[str, Any]:
    """A line of the table."""
    nlp = default_pipeline(lang)
    texts = first_texts(path, nlp, words)
    say(f"{lang}: {len(texts)} texts")
    table = load_vectors(model) if model else random_model(nlp, texts)
    tagger = nlp.add_pipe("sense_tagger")
    tagger.table = table
    embedders: dict[Any, Any] = {}
    for senses in (None, "soft"):
        embedders[senses] = nlp.create_pipe("doc_embedder", config={"senses": senses})
        embedders[senses].table = table
    best: dict[str, float] = {}
    for _ in range(runs + 1):  # the first run compiles
        docs = []
        seconds = {"tokenizer": cpu_seconds(lambda docs=docs: docs.extend(map(nlp.make_doc, texts)))}
        seconds["lookup_forms"] = cpu_seconds(lambda docs=docs: list(nlp.get_pipe("lookup_forms").pipe(docs)))
        seconds["sense_tagger"] = cpu_seconds(lambda docs=docs: list(tagger.pipe(docs)))
        seconds["doc_embedder"] = cpu_seconds(lambda docs=docs: list(embedders[None].pipe(docs)))
        seconds["doc_embedder, soft"] = cpu_seconds(lambda docs=docs: list(embedders["soft"].pipe(docs)))
        best = {name: min(best.get(name, np.inf), spent) for name, spent in seconds.items()}
    n_tokens = sum(map(len, docs))
    n_senses = np.concatenate([np.diff(doc._.sense_offsets) for doc in docs])
    speeds = {name: f"{n_tokens / spent / 1000:,.0f}" for name, spent in best.items()}
    return {
        "language": lang,
        "words": f"{n_tokens:,}",
        "known": f"{(n_senses > 0).mean():.0%}",
        "ambiguous": f"{(n_senses > 1).mean():.0%}",
        "senses of these": f"{n_senses[n_senses > 1].mean() if (n_senses > 1).any() else 0:.1f}",
        "window": SenseTable.of(table).window,
        "dim": table.dim,
        **speeds,
        "tagger / tokenizer": f"{best['tokenizer'] / best['sense_tagger']:.2f}",
    }


def random_model(nlp: Language, texts: list[str], senses: int = 3, dim: int = 100) -> WordTable:
    """A model of the words of some texts that nothing was learned by."""
    counts = Counter(form for doc in nlp.pipe(texts) for form in doc._.forms if form)
    words, frequencies = zip(*((word, n) for word, n in counts.most_common() if n >= 5), strict=True)
    n = len(words)
    random = np.random.default_rng(0)
    return build_sense_table(
        words,
        random.normal(scale=0.3, size=(n * senses, dim)).astype(np.float32),
        row_words=np.repeat(np.arange(n, dtype=np.int32), senses),
        slots=np.tile(np.arange(senses, dtype=np.int32), n),
        counts=np.repeat(np.array(frequencies, np.float32)[:, None] / senses, senses, axis=1),
        frequencies=np.array(frequencies, np.int64),
        outputs=random.normal(scale=0.3, size=(n - 1, dim)).astype(np.float32),
        ways=huffman_ways(np.array(frequencies, np.int64)),
        alpha=0.1,
        parameters={"window": 5},
        source={"method": "random"},
    )


def pairs(values: list[str]) -> dict[str, Path]:
    """LANG=PATH by language."""
    return {lang: Path(path) for lang, _, path in (value.partition("=") for value in values)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", metavar="LANG=TEXT")
    parser.add_argument("--model", action="append", default=[], metavar="LANG=MODEL")
    parser.add_argument("--words", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    models = pairs(arguments.model)
    rows = [
        measure(lang, path, models.get(lang), arguments.words, arguments.runs)
        for lang, path in pairs(arguments.texts).items()
    ]
    print("Thousand words per CPU second:\n")
    print_table(rows)


if __name__ == "__main__":
    main()
