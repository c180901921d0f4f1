"""Retrieval quality on every set of a folder: all methods beside BM25, with what is significant.

    python benchmarks/retrieval.py DATA [--train-text DIR] [--methods a,b] [--work DIR] [--json] [--quick]

DATA holds BEIR folders, ``SET/LANG`` or ``LANG``; sets whose languages share document ids are also searched across
languages. Prints Markdown tables of nDCG@10; tables and indexes are kept in --work. Word Mover's Distance and its
relatives are asked a sample of the queries, in a table of their own. Queries and judgements are never seen by training
or distilling.
"""

import argparse
import contextlib
import io
import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from reporting import say

from spacy_embed.cli.main import app
from spacy_embed.evaluation.significance import Comparison, compare
from spacy_embed.pipeline.form_options import LANGUAGES
from spacy_embed.progress import progress_bar

BASELINE = "bm25"
EMBEDDINGS = ("mean", "tfidf", "sif")
SOFT = ("soft-bm25", "hybrid")
METHODS = (BASELINE, "sum", *EMBEDDINGS, "rrf:bm25+tfidf", *SOFT, "soft-cosine", "rwmd", "wmd", "wmd-tfidf")
SLOW = ("wmd", "rwmd", "wrd", "soft-cosine")
MEASURE = "nDCG@10"


class RetrievalSet(NamedTuple):
    """A corpus with queries and judgements."""

    name: str
    lang: str
    corpus: Path
    queries: Path
    qrels: Path


def find_sets(data: Path) -> list[RetrievalSet]:
    """Every ``SET/LANG`` or ``LANG`` folder in BEIR layout, and MLQA's layout of one folder for several languages."""
    found = []
    for corpus in sorted(data.rglob("corpus*.jsonl*")):
        folder = corpus.parent
        lang = folder.name if folder.name in LANGUAGES else corpus.name.split(".")[1]
        suffix = "" if folder.name in LANGUAGES else f".{lang}"
        queries = next(iter(folder.glob(f"queries{suffix}.jsonl*")), None)
        qrels = folder / "qrels" / ("test.tsv" if not suffix else f"docs_{lang}.tsv")
        if lang in LANGUAGES and queries and qrels.exists():
            home = folder.parent if not suffix else folder
            name = home.relative_to(data).as_posix() if home != data else data.resolve().name
            found.append(RetrievalSet(name, lang, corpus, queries, qrels))
    return found


def run(*arguments: object) -> str:
    """Run a command of ours in this process and give back what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        app([str(argument) for argument in arguments], standalone_mode=False)
    return printed.getvalue()


def distilled_table(corpora: list[Path], work: Path, name: str = "distilled") -> Path:
    """One table of all corpora's words, made once."""
    table = work / name
    if not table.exists():
        say("distilling the words of all corpora")
        run("distill", table, *(part for corpus in corpora for part in ("--corpus", corpus)), "--min-count", 1)
    return table


def trained_table(lang: str, sets: list[RetrievalSet], train_text: Path | None, work: Path) -> Path:
    """word2vec of one language's corpora and training text, made once."""
    table = work / f"word2vec-{lang}"
    if not table.exists():
        corpora = [s.corpus for s in sets if s.lang == lang]
        if train_text is not None and (train_text / lang).exists():
            corpora.append(train_text / lang)
        say(f"training word2vec on {lang}")
        also = [part for corpus in corpora[1:] for part in ("--also", corpus)]
        run("train", "word2vec", corpora[0], table, *also, "--lang", lang, "--lines", "--workers", 2)
    return table


def make_index(retrieval_set: RetrievalSet, kind: str, table: Path, work: Path) -> Path:
    """Index a set with a table, unless that is done already."""
    index = work / "index" / kind / retrieval_set.name / retrieval_set.lang
    if not is_current(index, table, retrieval_set.corpus):
        index.parent.mkdir(parents=True, exist_ok=True)
        run("index", retrieval_set.corpus, index, "--lang", retrieval_set.lang, "--vectors", table, "--overwrite")
    return index


def is_current(index: Path, table: Path, corpus: Path) -> bool:
    """Whether an index was made of this table, after the corpus was last changed."""
    manifest = index / "index.json"
    if not manifest.exists() or manifest.stat().st_mtime < corpus.stat().st_mtime:
        return False
    made_of = json.loads(manifest.read_text())["tables"][0]["fingerprint"]
    return made_of == json.loads((table / "table.json").read_text())["fingerprint"]


class Row(NamedTuple):
    """What some methods reach on a set."""

    set: str
    lang: str
    documents: int
    queries: int
    scores: dict[str, float]
    comparisons: dict[str, Comparison]
    """With the baseline: the paired t test over the queries, Holm's correction over the row."""


def evaluate(index: Path, asked: RetrievalSet, methods: list[str], sample: int | None) -> dict:
    """What ``evaluate retrieval --json --per-query`` prints; runs of 100 hits a query, of 10 for a sample."""
    options = ["--depth", 10, "--sample", sample, "--threads", 2] if sample else ["--depth", 100]
    return json.loads(
        run("evaluate", "retrieval", index, "--queries", asked.queries, "--qrels", asked.qrels, "--lang", asked.lang,
            "--methods", ",".join(methods), "--measures", MEASURE, "--json", "--per-query", *options)
    )  # fmt: skip


def row_of(s: RetrievalSet, indexes: dict[str, Path], methods: list[str], sample: int | None) -> Row:
    """The methods on all kinds of vectors; one that does not use vectors is measured once.

    Args:
        s: The set.
        indexes: By kind of vectors, the first without its name behind the methods.
        methods: Names; of trained vectors only ``EMBEDDINGS``, and the baseline, are measured.
        sample: How many queries are asked; None for all.
    """
    values, size = {}, {}
    for place, (kind, index) in enumerate(indexes.items()):
        wanted = methods if place == 0 else [name for name in methods if name in EMBEDDINGS]
        found = evaluate(index, s, wanted, sample) if wanted else None
        if found is None:
            continue
        size = {"documents": found["documents"], "queries": found["queries"]}
        for method, measures in found["per_query"]["values"].items():
            values[method if place == 0 else f"{method} {kind}"] = np.array(measures[MEASURE])
    compared = compare(values[BASELINE], {name: of for name, of in values.items() if name != BASELINE})
    means = {name: round(float(of_method.mean()), 4) for name, of_method in values.items()}
    return Row(s.name, s.lang, size["documents"], size["queries"], means, compared)


def is_slow(method: str) -> bool:
    """Whether a method compares whole documents, and is no second stage for a few of them."""
    return any(name in method for name in SLOW) and "@" not in method


def within_languages(
    sets: list[RetrievalSet], tables: dict[str, dict[str, Path]], methods: list[str], work: Path, sample: int
) -> tuple[list[Row], list[Row]]:
    """A row a set and language of the methods that all queries are asked, and one of those that a sample is."""
    all_queries, samples = [], []
    started = time.monotonic()
    bar = progress_bar(sets, total=len(sets), label="sets", unit="set")
    for done, s in enumerate(bar, start=1):
        bar.set_postfix_str(f"{s.name} {s.lang}")
        say(f"{done} of {len(sets)}, {time.monotonic() - started:.0f} s so far: {s.name} {s.lang}")
        indexes = {kind: make_index(s, kind, by_lang[s.lang], work) for kind, by_lang in tables.items()}
        first = dict([next(iter(indexes.items()))])
        all_queries.append(row_of(s, indexes, [name for name in methods if not is_slow(name)], None))
        slow = [name for name in methods if is_slow(name)]
        if slow:
            samples.append(row_of(s, first, [BASELINE, *slow], sample))
    return all_queries, samples


def across_languages(sets: list[RetrievalSet], table: Path, work: Path, method: str) -> list[dict]:
    """What ``evaluate crosslingual --json`` says of each set whose languages share documents."""
    found = []
    for name, parallel in parallel_sets(sets).items():
        say(f"across the languages of {name}")
        files = [part for s in parallel for part in ("--queries", f"{s.lang}={s.queries}")]
        files += [part for s in parallel for part in ("--qrels", f"{s.lang}={s.qrels}")]
        indexes = [f"{s.lang}={make_index(s, 'distilled', table, work)}" for s in parallel]
        methods = ["--methods", f"{BASELINE},{method}", "--measures", MEASURE]
        found.append(json.loads(run("evaluate", "crosslingual", *indexes, *files, *methods, "--name", name, "--json")))
    return found


def parallel_sets(sets: list[RetrievalSet]) -> dict[str, list[RetrievalSet]]:
    """Sets whose languages share documents, by name."""
    by_name: dict[str, list[RetrievalSet]] = {}
    for s in sets:
        if s.qrels.name == "test.tsv":
            by_name.setdefault(s.name, []).append(s)
    return {name: group for name, group in by_name.items() if len(group) > 1 and share_documents(group)}


def share_documents(sets: list[RetrievalSet]) -> bool:
    """Whether the judgements of all languages name mostly the same documents."""
    named = [{line.split("\t")[1] for line in s.qrels.read_text().splitlines()[1:]} for s in sets]
    return len(set.intersection(*named)) > 0.5 * len(set.union(*named))


def print_rows(rows: list[Row]) -> None:
    """Markdown, the best of each row in bold, what is significantly above the baseline marked, and what is below."""
    columns = list(dict.fromkeys(name for row in rows for name in row.scores))
    print(f"| set | lang | docs | queries | {' | '.join(columns)} |")
    print("|---|---|--:|--:|" + "--:|" * len(columns))
    for row in rows:
        best = max(row.scores.values())
        cells = []
        for name in columns:
            value = row.scores.get(name)
            shown = "" if value is None else f"**{value:.3f}**" if value == best else f"{value:.3f}"
            cells.append(shown + (row.comparisons[name].mark if name in row.comparisons else ""))
        print(f"| {row.set} | {row.lang} | {row.documents} | {row.queries} | {' | '.join(cells)} |")
    print(f"\n▲ ▼: above or below {BASELINE}, paired t test over the queries, p < 0.05 by Holm over the row.\n")


def print_across(found: list[dict]) -> None:
    """Markdown, a matrix a set, the baseline in brackets."""
    for of_set in found:
        baseline, other = of_set["directions"]
        langs = list(dict.fromkeys(cell["queries"] for cell in other["cells"]))
        values = {(cell["queries"], cell["documents"]): cell["value"] for cell in other["cells"]}
        beside = {(cell["queries"], cell["documents"]): cell["value"] for cell in baseline["cells"]}
        print(f"{of_set['dataset']}, queries in (rows) against documents in (columns), {other['method']} of distilled "
              f"vectors (BM25); the mean of the {len(langs) * (len(langs) - 1)} directions between languages is "
              f"{other['mean_across']:.3f}, the lowest {other['lowest_across']:.3f}:\n")  # fmt: skip
        print(f"| | {' | '.join(langs)} |\n|---|{'--:|' * len(langs)}")
        for asked in langs:
            cells = [f"{values[asked, d]:.3f} ({beside[asked, d]:.3f})" for d in langs]
            print(f"| {asked} | {' | '.join(cells)} |")
        print()


def as_json(row: Row) -> dict:
    """A row as JSON."""
    return {**row._asdict(), "comparisons": {name: found._asdict() for name, found in row.comparisons.items()}}


def main() -> None:
    """Make the vectors and indexes that are missing, evaluate, print."""
    repository = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=repository / "corpora")
    parser.add_argument("--train-text", type=Path, help="LANG/*.txt.gz to train on beside the corpora")
    parser.add_argument("--work", type=Path, default=Path("runs/retrieval"), help="where tables and indexes are kept")
    parser.add_argument("--vectors", type=Path, help="a distilled table to use instead of making one")
    parser.add_argument("--methods", default=",".join(METHODS), help="names with commas between them, BM25 among them")
    parser.add_argument("--sets", default="", help="only these, SET or SET/LANG, commas between")
    parser.add_argument("--sample", type=int, default=500, help="queries that slow methods are asked, and BM25 beside")
    parser.add_argument("--across", default="hybrid", choices=(*EMBEDDINGS, *SOFT), help="for search across languages")
    parser.add_argument("--no-training", action="store_true", help="leave trained vectors out")
    parser.add_argument("--quick", action="store_true", help="the project's own corpora, distilled vectors only")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    if options.quick:
        options.data, options.no_training = repository / "corpora", True
    sets = find_sets(options.data)
    wanted = [name for name in options.sets.split(",") if name]
    sets = [s for s in sets if not wanted or s.name in wanted or f"{s.name}/{s.lang}" in wanted]
    if not sets:
        parser.error(f"no BEIR folders under {options.data}")
    started = time.monotonic()
    options.work.mkdir(parents=True, exist_ok=True)
    langs = sorted({s.lang for s in sets})
    distilled = options.vectors or distilled_table([s.corpus for s in sets], options.work)
    tables = {"distilled": dict.fromkeys(langs, distilled)}
    if not options.no_training:
        tables["trained"] = {lang: trained_table(lang, sets, options.train_text, options.work) for lang in langs}
    methods = [name.strip() for name in options.methods.split(",")]
    if BASELINE not in methods:
        parser.error(f"--methods needs {BASELINE}, which the others are compared with")
    within, samples = within_languages(sets, tables, methods, options.work, options.sample)
    across = across_languages(sets, distilled, options.work, options.across)
    say(f"{time.monotonic() - started:.0f} s in all")
    if options.json:
        parts = {"within": within, "samples": samples}
        rows = {name: [as_json(row) for row in part] for name, part in parts.items()}
        print(json.dumps({**rows, "across": across}, ensure_ascii=False))
        return
    print_rows(within)
    if samples:
        print(f"{options.sample} queries of each set at most, drawn by chance, and the ten best hits:\n")
        print_rows(samples)
    print_across(across)


if __name__ == "__main__":
    main()
