"""Do senses help? Retrieval and k-NN classification with vectors of senses, and with one vector a word.

    python benchmarks/sense_retrieval.py DATA --train-text DIR [--langs en es pt ru zh] [--tokens 2500000] [--epochs 4]
                                         [--dim 100] [--work DIR] [--json]

Five kinds of vectors a language, trained on the corpora that are searched (never queries) and lines of DIR/LANG, all
on the same tokens, for the same epochs, window 5, words seen 5 times:

    single      AdaGram held to one sense: skip-gram with hierarchical softmax
    word2vec    gensim's skip-gram with 10 negative samples
    first       AdaGram of at most 5 senses, every word by its most frequent one: context is not looked at
    soft        the same, each token spread over its senses by their probability in its context
    hard        the same, each token on its most probable sense

Retrieval: nDCG@10 of TF-IDF and SIF embeddings by cosine, and of exact Word Mover's Distance with TF-IDF weights on
``--wmd-queries`` queries a set, on sets whose queries have 40 words at most. Classification: share of right labels by
k-NN, k of 1 to 19 chosen by 5-fold cross-validation on the training documents, by cosine of TF-IDF embeddings and, on
sets of short texts (at most ``--wmd-documents``, drawn at random), by Word Mover's Distance; idf of training documents.

Tests: paired t tests over queries, McNemar's exact test over test documents, each variant with single, corrected
together by Holm for each way to rank. + and - mark what is below 0.05. No setting was chosen on any of these sets.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from reporting import print_table, say
from retrieval import RetrievalSet, find_sets
from scipy.stats import binomtest, ttest_1samp, wilcoxon
from sense_data import (
    LABELLED,
    VARIANTS,
    Encoder,
    Judged,
    Labelled,
    Variants,
    judged_set,
    labelled_set,
    train,
    training_text,
)
from wmd_classification import FOLDS, MOST, Neighbours, word_mover, wrong

from spacy_embed.bags import Bags
from spacy_embed.embedding import named_embedding, unit_rows
from spacy_embed.progress import progress_bar
from spacy_embed.training.hard_negatives import ndcg
from spacy_embed.transport.search import WmdIndex
from spacy_embed.weighting import TfIdf

BASELINE = "single"
WMD_SETS = ("twitter", "sib200")
DEPTH = 10
LONGEST_QUERY = 40


def best_by_cosine(documents: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """int64[queries, DEPTH], positions of the nearest; one too far for a query of no known word."""
    scores = unit_rows(queries) @ unit_rows(documents).T
    best = np.argpartition(-scores, DEPTH, axis=1)[:, :DEPTH]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
    best = np.take_along_axis(best, order, axis=1)
    best[~queries.any(axis=1)] = len(documents)
    return best


def best_by_wmd(documents: Bags, queries: Bags, table: np.ndarray, threads: int) -> np.ndarray:
    """The same by exact Word Mover's Distance."""
    best = np.full((len(queries), DEPTH), len(documents), np.int64)
    for i, hits in enumerate(WmdIndex(documents, table).search(queries, DEPTH, threads=threads)):
        # equal ones may come on top
        found = hits.positions[:DEPTH]
        best[i, : len(found)] = found
    return best


def retrieval_scores(judged: Judged, variants: Variants, wmd_queries: int, threads: int) -> dict[str, dict[str, list]]:
    """nDCG@10 of each query by way to rank and variant."""
    scores: dict[str, dict[str, list]] = {}
    # with a place for what is no document
    n = len(judged.documents.bags) + 1
    short = judged.queries.bags.sizes.mean() <= LONGEST_QUERY
    first = slice(0, min(wmd_queries, len(judged.queries.bags)) if short else 0)
    for variant in VARIANTS:
        table = variants.rows(variant)
        documents, queries = (variants.bags(variant, texts) for texts in (judged.documents, judged.queries))
        for name in ("tfidf", "sif"):
            embedding = named_embedding(name).fit(documents, table)
            best = best_by_cosine(embedding.transform(documents, table), embedding.transform(queries, table))
            scores.setdefault(name, {})[variant] = ndcg(best, judged.judgements, n).tolist()
        if first.stop:
            weighting = TfIdf().fit(documents, len(table))
            asked = weighting.transform(queries.slice(first.start, first.stop))
            best = best_by_wmd(weighting.transform(documents), asked, table, threads)
            judgements = judged.judgements.slice(first.start, first.stop)
            scores.setdefault("wmd-tfidf", {})[variant] = ndcg(best, judgements, n).tolist()
    return scores


def agreement(judged: Judged, variants: Variants) -> dict[str, int]:
    """How often a word of several senses that a query shares with a relevant document has the same one in both."""
    senses = variants.senses
    words, hard = (
        [variants.bags(variant, texts) for texts in (judged.queries, judged.documents)] for variant in ("first", "hard")
    )
    several, shared, same = 0, 0, 0
    for query in range(len(judged.judgements)):
        of_query = words[0].at(query)[0]
        several += int((senses.n_senses[senses.row_words[of_query]] > 1).sum())
        for document in judged.judgements.at(query)[0].tolist():
            common = np.intersect1d(of_query, words[1].at(document)[0])
            common = senses.row_words[common]
            common = common[senses.n_senses[common] > 1]
            matched = senses.row_words[np.intersect1d(hard[0].at(query)[0], hard[1].at(document)[0])]
            shared += len(common)
            same += int(np.isin(common, matched).sum())
    return {"words": len(words[0].rows), "several": several, "shared": shared, "same": same}


def classification_scores(
    name: str, labelled: Labelled, variants: Variants, most: int, threads: int, seed: int
) -> dict[str, dict[str, list]]:
    """Whether each test document gets its label, by way to compare and variant."""
    scores: dict[str, dict[str, list]] = {}
    few = np.sort(np.random.default_rng(seed).permutation(len(labelled.labels))[:most])
    for variant in VARIANTS:
        table, counts = variants.rows(variant), variants.bags(variant, labelled.documents)
        train_part = counts.take(np.flatnonzero(labelled.is_train))
        embedding = named_embedding("tfidf").fit(train_part, table)
        nearest = by_cosine(unit_rows(embedding.transform(counts, table)))
        scores.setdefault("knn-tfidf", {})[variant] = right_labels(labelled, nearest, np.arange(len(counts)), seed)
        if name in WMD_SETS:
            weighted = TfIdf().fit(train_part, len(table)).transform(counts)
            known = few[weighted.take(few).sizes > 0]
            search = word_mover(weighted, table, threads)
            right = dict(zip(known.tolist(), right_labels(labelled, search, known, seed, keep=True), strict=True))
            test = few[~labelled.is_train[few]]
            # a document of no known word has no neighbours: wrong
            scores.setdefault("knn-wmd", {})[variant] = [right.get(i, 0.0) for i in test.tolist()]
    return scores


def by_cosine(units: np.ndarray) -> Neighbours:
    """The nearest by cosine of vectors of length 1."""

    def search(queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
        scores = units[queries] @ units[documents].T
        best = np.argpartition(-scores, MOST, axis=1)[:, :MOST]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        return documents[np.take_along_axis(best, order, axis=1)]

    return search


def right_labels(
    labelled: Labelled, search: Neighbours, among: np.ndarray, seed: int, *, keep: bool = False
) -> list[float]:
    """1 for each test document that gets its label, 0 for others; ``keep``: a place for training documents too."""
    is_train = labelled.is_train[among]
    train_part, test = among[is_train], among[~is_train]
    fold = np.random.default_rng(seed).permutation(len(train_part)) % FOLDS
    errors = np.zeros(MOST)
    for number in range(FOLDS):
        held_out = train_part[fold == number]
        errors += len(held_out) * wrong(labelled.labels, held_out, search(held_out, train_part[fold != number]))
    votes = labelled.labels[search(test, train_part)[:, : int(errors.argmin()) + 1]]
    counts = (votes[:, :, None] == votes[:, None, :]).sum(axis=2)
    is_right = votes[np.arange(len(votes)), counts.argmax(axis=1)] == labelled.labels[test]
    if not keep:
        return is_right.astype(float).tolist()
    placed = np.zeros(len(among))
    placed[~is_train] = is_right
    return placed.tolist()


def p_value(ours: np.ndarray, theirs: np.ndarray, way: str) -> float:
    """McNemar's exact test of labels, a paired t test of nDCG."""
    differences = ours - theirs
    if not differences.any():
        return 1.0
    if way.startswith("knn"):
        wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
        return float(binomtest(wins, wins + losses).pvalue)
    return float(ttest_1samp(differences, 0.0).pvalue)


def table_of(results: list[dict], way: str) -> list[dict]:
    """A row a set: the mean of each variant, marked where it differs from the baseline."""
    from spacy_embed.evaluation.significance import holm

    rows = [result for result in results if way in result["scores"]]
    others = [variant for variant in VARIANTS if variant != BASELINE]
    ps = []
    for result in rows:
        scores = {variant: np.array(values) for variant, values in result["scores"][way].items()}
        ps += [p_value(scores[variant], scores[BASELINE], way) for variant in others]
    corrected = iter(holm(ps))
    table = []
    for result in rows:
        means = {variant: float(np.mean(values)) for variant, values in result["scores"][way].items()}
        cells = {BASELINE: f"{means[BASELINE]:.3f}"}
        for variant in others:
            mark = ("+" if means[variant] > means[BASELINE] else "-") if next(corrected) < 0.05 else ""
            cells[variant] = f"{means[variant]:.3f}{mark}"
        n = len(result["scores"][way][BASELINE])
        table.append({"set": f"{result['set']} {result['lang']}", "n": n, **cells})
    return table


def summary_of(results: list[dict], way: str) -> list[dict]:
    """Over all sets: mean difference, sets won and lost, Wilcoxon's signed-rank test over the sets' means."""
    rows = [result["scores"][way] for result in results if way in result["scores"]]
    found = []
    for ours, theirs in (("soft", BASELINE), ("hard", BASELINE), ("first", BASELINE), ("soft", "first"),
                         ("hard", "first"), ("soft", "word2vec"), (BASELINE, "word2vec")):  # fmt: skip
        differences = np.array([np.mean(row[ours]) - np.mean(row[theirs]) for row in rows])
        p = wilcoxon(differences).pvalue if len(rows) > 5 and differences.any() else float("nan")
        won, lost = int((differences > 0).sum()), int((differences < 0).sum())
        found.append({"": f"{ours} - {theirs}", "sets": len(rows), "mean": f"{differences.mean():+.4f}", "won": won,
                      "lost": lost, "p": f"{p:.4f}"})  # fmt: skip
    return found


def measure_language(lang: str, sets: list[RetrievalSet], options: argparse.Namespace) -> Iterator[dict]:
    """Train, then a result a set; what is kept of an earlier run is not measured again."""
    work, workers = options.work, options.workers
    text = training_text(lang, sets, options.train_text, options.tokens, work / f"text-{lang}.npz")
    tables = [
        train(kind, text, work / f"{kind}-{lang}", dim=options.dim, epochs=options.epochs, workers=workers)
        for kind in ("single", "word2vec", "senses")
    ]
    variants, encode = Variants(*tables), Encoder(lang)
    senses = round(float(variants.senses.n_senses.mean()), 2)
    facts = {"lang": lang, "tokens": text.n_tokens, "words": len(tables[0]), "senses": senses}

    def retrieval(s: RetrievalSet) -> dict[str, dict[str, list]]:
        judged = judged_set(s, encode, options.queries, options.seed)
        return retrieval_scores(judged, variants, options.wmd_queries, workers)

    def classification(name: str) -> dict[str, dict[str, list]]:
        labelled = labelled_set(name, lang, options.data, encode, options.seed)
        return classification_scores(name, labelled, variants, options.wmd_documents, workers, options.seed)

    def agreement_of(s: RetrievalSet) -> dict[str, int]:
        return agreement(judged_set(s, encode, options.queries, options.seed), variants)

    jobs = [(s.name, "queries", lambda s=s: retrieval(s)) for s in sets]
    jobs += [(s.name, "agreement", lambda s=s: agreement_of(s)) for s in sets]
    jobs += [(name, "labels", lambda name=name: classification(name)) for name in LABELLED[lang]]
    for name, what, measure in jobs:
        kept = work / f"{what}-{name.replace('/', '-')}-{lang}.json"
        if not kept.exists():
            say(f"{name} {lang}, {what}")
            kept.write_text(json.dumps(measure()))
        found = json.loads(kept.read_text())
        yield {"set": name, **facts, "what": what, "scores": found if what != "agreement" else {}, "found": found}


def main() -> None:
    """Train what is missing, measure, print; a run that was interrupted goes on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--train-text", type=Path, required=True, help="LANG/*.txt.gz")
    parser.add_argument("--langs", nargs="+", default=["en", "es", "pt", "ru", "zh"])
    parser.add_argument("--tokens", type=int, default=2_500_000, help="a language, in lookup forms")
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--queries", type=int, default=2000, help="most a set")
    parser.add_argument("--wmd-queries", type=int, default=100)
    parser.add_argument("--wmd-documents", type=int, default=1500)
    parser.add_argument("--workers", type=int, default=2, help="threads of training and of Word Mover's Distance")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("runs/sense-retrieval"), help="where tables are kept")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    sets = [s for s in find_sets(options.data) if s.lang in options.langs]
    started, results = time.process_time(), []
    with progress_bar(total=2 * len(sets) + sum(len(LABELLED[lang]) for lang in options.langs), label="sets") as bar:
        for lang in options.langs:
            for result in measure_language(lang, [s for s in sets if s.lang == lang], options):
                results.append(result)
                bar.update(1)
    report(results, as_json=options.json)
    say(f"{time.process_time() - started:.0f} CPU seconds")


def agreements_of(results: list[dict]) -> list[dict]:
    """A row a language."""
    rows = []
    for lang in dict.fromkeys(result["lang"] for result in results):
        found = [r["found"] for r in results if r["lang"] == lang and r["what"] == "agreement"]
        sums = {name: sum(one[name] for one in found) for name in ("words", "several", "shared", "same")}
        rows.append(
            {
                "lang": lang,
                "words of queries": sums["words"],
                "of several senses": f"{sums['several'] / max(sums['words'], 1):.1%}",
                "shared with a relevant document": sums["shared"],
                "in the same sense": f"{sums['same'] / max(sums['shared'], 1):.1%}",
            }
        )
    return rows


def report(results: list[dict], *, as_json: bool) -> None:
    """The tables."""
    ways = ("tfidf", "sif", "wmd-tfidf", "knn-tfidf", "knn-wmd")
    tables = {way: {"sets": table_of(results, way), "over all": summary_of(results, way)} for way in ways}
    languages = {r["lang"]: {name: r[name] for name in ("lang", "tokens", "words", "senses")} for r in results}
    if as_json:
        found = {"languages": list(languages.values()), "agreement": agreements_of(results), "ways": tables}
        print(json.dumps(found, ensure_ascii=False))
        return
    print_table(list(languages.values()))
    print_table(agreements_of(results))
    for way, parts in tables.items():
        if parts["sets"]:
            print(f"{way}:\n")
            print_table(parts["sets"])
            print_table(parts["over all"])


if __name__ == "__main__":
    main()
