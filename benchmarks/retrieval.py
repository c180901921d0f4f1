"""Retrieval quality on every set of a folder: BM25 beside embeddings of distilled and of trained vectors.

    python benchmarks/retrieval.py DATA [--train-text DIR] [--work DIR] [--json] [--quick]

DATA holds BEIR folders, ``SET/LANG`` or ``LANG``; sets whose languages share document ids are also searched across
languages. Prints Markdown tables of nDCG@10. Queries and judgements are never seen by training or distilling.
"""

import argparse
import contextlib
import io
import json
from pathlib import Path
from typing import NamedTuple

from reporting import say

from spacy_embed.cli.main import app
from spacy_embed.pipeline.form_options import LANGUAGES

METHODS = ("bm25", "mean", "tfidf", "sif")
EMBEDDINGS = METHODS[1:]
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


def distilled_table(sets: list[RetrievalSet], work: Path) -> Path:
    """One table of all corpora's words, made once."""
    table = work / "distilled"
    if not table.exists():
        say("distilling the words of all corpora")
        run("distill", table, *(part for s in sets for part in ("--corpus", s.corpus)), "--min-count", 1)
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


def evaluate(index: Path, queries: RetrievalSet, qrels: Path, methods: tuple[str, ...]) -> dict:
    """What ``evaluate retrieval --json`` prints; runs of 100 hits a query."""
    return json.loads(
        run("evaluate", "retrieval", index, "--queries", queries.queries, "--qrels", qrels, "--lang", queries.lang,
            "--methods", ",".join(methods), "--depth", 100, "--json")
    )  # fmt: skip


def within_languages(sets: list[RetrievalSet], tables: dict[str, dict[str, Path]], work: Path) -> list[dict]:
    """One row a set and language."""
    rows = []
    for s in sets:
        say(f"evaluating {s.name} {s.lang}")
        scores, size = {}, {}
        for kind, by_lang in tables.items():
            methods = METHODS if kind == "distilled" else EMBEDDINGS
            result = evaluate(make_index(s, kind, by_lang[s.lang], work), s, s.qrels, methods)
            size = {"documents": result["documents"], "queries": result["queries"]}
            for method, measures in result["methods"].items():
                scores[method if method == "bm25" else f"{method} {kind}"] = round(measures[MEASURE], 4)
        rows.append({"set": s.name, "lang": s.lang, **size, MEASURE: scores})
    return rows


def across_languages(sets: list[RetrievalSet], table: Path, work: Path, method: str) -> list[dict]:
    """One row a parallel set, query language and document language."""
    rows = []
    for name in sorted({s.name for s in sets}):
        parallel = [s for s in sets if s.name == name and s.qrels.name == "test.tsv"]
        if len(parallel) < 2 or not share_documents(parallel):
            continue
        for documents in parallel:
            index = make_index(documents, "distilled", table, work)
            for queries in parallel:
                # judgements are of the query's language: its ids name the documents of all
                result = evaluate(index, queries, queries.qrels, ("bm25", method))["methods"]
                scores = {name: round(measures[MEASURE], 4) for name, measures in result.items()}
                rows.append({"set": name, "queries": queries.lang, "documents": documents.lang, MEASURE: scores})
    return rows


def share_documents(sets: list[RetrievalSet]) -> bool:
    """Whether the judgements of all languages name mostly the same documents."""
    named = [{line.split("\t")[1] for line in s.qrels.read_text().splitlines()[1:]} for s in sets]
    return len(set.intersection(*named)) > 0.5 * len(set.union(*named))


def print_tables(within: list[dict], across: list[dict], method: str) -> None:
    """Markdown, the best of each row in bold."""
    columns = list(dict.fromkeys(column for row in within for column in row[MEASURE]))
    print(f"| set | lang | docs | queries | {' | '.join(columns)} |")
    print("|---|---|--:|--:|" + "--:|" * len(columns))
    for row in within:
        best = max(row[MEASURE].values())
        values = [f"**{v:.3f}**" if v == best else f"{v:.3f}" for v in (row[MEASURE][c] for c in columns)]
        print(f"| {row['set']} | {row['lang']} | {row['documents']} | {row['queries']} | {' | '.join(values)} |")
    for name in sorted({row["set"] for row in across}):
        rows = [row for row in across if row["set"] == name]
        langs = sorted({row["queries"] for row in rows})
        print(f"\n{name}, queries in (rows) against documents in (columns), {method} of distilled vectors (BM25):\n")
        print(f"| | {' | '.join(langs)} |\n|---|{'--:|' * len(langs)}")
        scores = {(row["queries"], row["documents"]): row[MEASURE] for row in rows}
        for queries in langs:
            cells = [f"{scores[queries, d][method]:.3f} ({scores[queries, d]['bm25']:.3f})" for d in langs]
            print(f"| {queries} | {' | '.join(cells)} |")


def main() -> None:
    """Make the vectors and indexes that are missing, evaluate, print."""
    repository = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=repository / "corpora")
    parser.add_argument("--train-text", type=Path, help="LANG/*.txt.gz to train on beside the corpora")
    parser.add_argument("--work", type=Path, default=Path("runs/retrieval"), help="where tables and indexes are kept")
    parser.add_argument("--vectors", type=Path, help="a distilled table to use instead of making one")
    parser.add_argument("--across", default="tfidf", choices=EMBEDDINGS, help="the method for search across languages")
    parser.add_argument("--no-training", action="store_true", help="leave trained vectors out")
    parser.add_argument("--quick", action="store_true", help="the project's own corpora, distilled vectors only")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    if options.quick:
        options.data, options.no_training = repository / "corpora", True
    sets = find_sets(options.data)
    if not sets:
        parser.error(f"no BEIR folders under {options.data}")
    options.work.mkdir(parents=True, exist_ok=True)
    langs = sorted({s.lang for s in sets})
    distilled = options.vectors or distilled_table(sets, options.work)
    tables = {"distilled": dict.fromkeys(langs, distilled)}
    if not options.no_training:
        tables["trained"] = {lang: trained_table(lang, sets, options.train_text, options.work) for lang in langs}
    within = within_languages(sets, tables, options.work)
    across = across_languages(sets, distilled, options.work, options.across)
    if options.json:
        print(json.dumps({"within": within, "across": across}, ensure_ascii=False))
    else:
        print_tables(within, across, options.across)


if __name__ == "__main__":
    main()
