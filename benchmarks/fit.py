"""What learning from judgements gains on queries that were held out: BM25 and TF-IDF beside the fitted encoder.

    python benchmarks/fit.py DATA [--sets xquad/en csl/zh ...] [--vectors DIR/NAME.{lang}.EXT] [--most 2000]
                             [--split documents|queries] [--work DIR] [--json]

DATA holds BEIR folders ``SET/LANG``. The queries of a set are dealt into two halves; each half is ranked by an encoder
that was fitted on the other, its margin and epochs chosen by cross-validation within that other half. Split by
documents, queries that share a relevant document, directly or by way of others, are in the same half: what is learned
of a document is of no use in the test. Split by queries, they may be in both.

The trainer's own constants were settled on halves of xquad/en, libreoffice-help/en, fakebr/pt and cranfield/en: take
other sets for an independent figure.

Prints a Markdown table of nDCG@10 over all queries. p is that of a paired permutation test (SciPy, 9,999 sign flips;
queries that share a document flip together), corrected over the sets by Holm. CPU seconds are those of one fit.
"""

import argparse
import contextlib
import io
import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from reporting import print_table, say
from scipy.stats import permutation_test

from spacy_embed.bags import Bags
from spacy_embed.cli.main import app
from spacy_embed.cli.queries import encode_queries
from spacy_embed.evaluation.judgements import Qrels, Query, read_qrels, read_queries
from spacy_embed.evaluation.significance import holm
from spacy_embed.retrieval.ranking import Hits
from spacy_embed.retrieval.snapshot import Snapshot
from spacy_embed.training.hard_negatives import ndcg
from spacy_embed.training.judged_queries import folds, groups_of_queries

SETS = (
    *("libreoffice-help/en", "libreoffice-help/es", "libreoffice-help/pt", "libreoffice-help/ru"),
    *("libreoffice-help/zh", "xquad/en", "xquad/es", "xquad/ru", "xquad/zh", "tydiqa-goldp/en", "squad-es/es"),
    *("es-news/es", "faquad/pt", "pira/pt", "ru-news-rt/ru", "fakebr/pt", "cmrc2018/zh", "csl/zh", "cranfield/en"),
)
METHODS = ("bm25", "tfidf", "fitted")


class Outcome(NamedTuple):
    """One set."""

    name: str
    documents: int
    scores: dict[str, np.ndarray]
    """nDCG@10 of each query, by method."""
    groups: np.ndarray
    """The same number for queries that share a relevant document."""
    fits: list[dict]
    """What ``fit --json`` printed, for each half."""
    cpu: float
    """Seconds of one fit, on average."""


def run(*arguments: object) -> str:
    """Run a command of ours in this process and give back what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        app([str(argument) for argument in arguments], standalone_mode=False)
    return printed.getvalue()


def measure(data: Path, name: str, vectors: str, most: int, split: str, work: Path, seed: int) -> Outcome:
    """Index a set, fit on each half of its queries, rank the other."""
    lang, folder = name.split("/")[1], data / name
    index = work / name
    index.parent.mkdir(parents=True, exist_ok=True)
    if not (index / "index.json").exists():
        run("index", folder, index, "--lang", lang, "--vectors", vectors.format(lang=lang), "--normalize")
    qrels, queries = read_qrels(folder / "qrels" / "test.tsv"), read_queries(next(iter(folder.glob("queries.jsonl*"))))
    queries = chosen_queries(queries, qrels, Snapshot(index), most, seed)
    judged, groups = judgements_of(Snapshot(index), queries, qrels)
    by = groups if split == "documents" else np.arange(len(queries))
    scores, fits, started = {method: np.zeros(len(queries)) for method in METHODS}, [], time.process_time()
    for half, (train, test) in enumerate(folds(by, 2, seed)):
        fits.append(fit_on([queries[i] for i in train], qrels, index, lang, f"half-{half}", work, seed))
        snapshot = Snapshot(index)
        encoded = encode_queries(snapshot, [queries[i] for i in test], lang)
        for method in METHODS:
            ranked = snapshot.rank(encoded, f"half-{half}" if method == "fitted" else method, 10)
            scores[method][test] = quality(ranked, judged.take(test), snapshot.manifest.positions)
    return Outcome(name, len(snapshot), scores, groups, fits, (time.process_time() - started) / 2)


def chosen_queries(queries: list[Query], qrels: Qrels, index: Snapshot, most: int, seed: int) -> list[Query]:
    """Those with a relevant document in the index; ``most`` of them, drawn at random."""
    known = set(index.ids)
    judged = [q for q in queries if any(g > 0 and d in known for d, g in qrels.get(q.id, {}).items())]
    drawn = np.random.default_rng(seed).permutation(len(judged))[:most]
    return [judged[i] for i in np.sort(drawn)]


def judgements_of(index: Snapshot, queries: list[Query], qrels: Qrels) -> tuple[Bags, np.ndarray]:
    """Judgements by position, and the group of each query."""
    documents = [document for query in queries for document in qrels[query.id]]
    grades = [grade for query in queries for grade in qrels[query.id].values()]
    offsets = np.cumsum([0] + [len(qrels[query.id]) for query in queries])
    judged = Bags.build(index.id_keys.positions(documents), np.array(grades), offsets)
    judged = judged.keep(judged.rows >= 0)
    return judged, groups_of_queries(judged, index.manifest.positions)


def quality(ranked: list[Hits], judged: Bags, n_documents: int) -> np.ndarray:
    """nDCG@10 of each query; ranks that a method left empty hold no document."""
    best = np.full((len(ranked), 10), n_documents)
    for i, hits in enumerate(ranked):
        best[i, : len(hits.positions)] = hits.positions
    return ndcg(best, judged, n_documents + 1)


def fit_on(queries: list[Query], qrels: Qrels, index: Path, lang: str, name: str, work: Path, seed: int) -> dict:
    """Fit as a user does: the command sees the files of one half only."""
    files = work / "queries.jsonl", work / "qrels.tsv"
    files[0].write_text("".join(json.dumps({"_id": q.id, "text": q.text}) + "\n" for q in queries), encoding="utf-8")
    lines = [f"{q.id}\t{document}\t{grade}" for q in queries for document, grade in qrels[q.id].items()]
    files[1].write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]) + "\n", encoding="utf-8")
    options = ["--lang", lang, "--name", name, "--seed", seed, "--overwrite", "--json"]
    return json.loads(run("fit", index, "--queries", files[0], "--qrels", files[1], *options))


def p_value(outcome: Outcome, seed: int) -> float:
    """Of the difference between fitted and TF-IDF, queries that share a document flipped together."""
    sums = [np.bincount(outcome.groups, weights=outcome.scores[method]) for method in ("fitted", "tfidf")]
    result = permutation_test(
        sums, lambda a, b, axis: np.mean(a - b, axis=axis), permutation_type="samples", vectorized=True,
        n_resamples=9_999, batch=500, random_state=seed,
    )  # fmt: skip
    return float(result.pvalue)


def main() -> None:
    """Measure the sets and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--vectors", help="default: DATA/pretrained/use-distilled.{lang}.128.w2v.bin.gz")
    parser.add_argument("--most", type=int, default=2000, help="queries a set")
    parser.add_argument("--split", choices=("documents", "queries"), default="documents")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("runs/fit"), help="where indexes are kept")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    vectors = options.vectors or str(options.data / "pretrained" / "use-distilled.{lang}.128.w2v.bin.gz")
    outcomes = []
    for name in options.sets:
        if not (options.data / name).exists():
            parser.error(f"no {name} under {options.data}")
        say(f"fitting on {name}")
        outcomes.append(measure(options.data, name, vectors, options.most, options.split, options.work, options.seed))
    corrected = holm([p_value(outcome, options.seed) for outcome in outcomes])
    rows = []
    for outcome, p in zip(outcomes, corrected, strict=True):
        means = {method: float(outcome.scores[method].mean()) for method in METHODS}
        rows.append(
            {
                "set": outcome.name,
                "docs": outcome.documents,
                "queries": len(outcome.groups),
                **{method: f"{mean:.3f}" for method, mean in means.items()},
                "fitted - tfidf": f"{means['fitted'] - means['tfidf']:+.3f}",
                "p": f"{p:.4f}",
                "epochs": ", ".join(str(fit["epochs"]) for fit in outcome.fits),
                "CPU s": f"{outcome.cpu:.0f}",
            }
        )
    print(json.dumps(rows, ensure_ascii=False)) if options.json else print_table(rows)


if __name__ == "__main__":
    main()
