"""Search across languages on every parallel set of a folder: a matrix and a heat map a set.

    python benchmarks/crosslingual.py DATA [--methods a,b] [--vectors TABLE] [--work DIR] [--out DIR] [--json]

DATA holds BEIR folders whose languages share document ids (``SET/LANG``), searched with the queries of every language
by nDCG@10; and folders of parallel sentences, ``SET/LANG/*.tsv.gz`` with the columns ``id`` and ``text``, of which each
is searched for by its translations, by P@1 and MRR. Queries, judgements and pairs are never seen by distilling.
"""

import argparse
import csv
import gzip
import json
from pathlib import Path

from reporting import say
from retrieval import MEASURE, distilled_table, find_sets, is_current, make_index, parallel_sets, run

from spacy_embed.pipeline.form_options import LANGUAGES

METHODS = "bm25,mean,tfidf,sif"


def sentence_corpora(data: Path, work: Path) -> dict[str, dict[str, Path]]:
    """Corpora by set and language: the sentences of all files of a language, each id once, as one TSV."""
    found: dict[str, dict[str, Path]] = {}
    for folder in sorted(data.glob("*/*")):
        files = sorted(folder.glob("*.tsv.gz"))
        if folder.name not in LANGUAGES or not files or not has_ids(files[0]):
            continue
        corpus = work / "sentences" / folder.parent.name / folder.name / "corpus.tsv"
        corpus.parent.mkdir(parents=True, exist_ok=True)
        sentences: dict[str, str] = {}
        for file in files:
            with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
                rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
                sentences |= {row["id"]: row["text"] for row in rows}
        written = "id\ttext\n" + "".join(f"{identifier}\t{text}\n" for identifier, text in sentences.items())
        if not corpus.exists() or corpus.read_text(encoding="utf-8") != written:
            corpus.write_text(written, encoding="utf-8")
        found.setdefault(folder.parent.name, {})[folder.name] = corpus
    return {name: by_lang for name, by_lang in found.items() if len(by_lang) > 1}


def has_ids(file: Path) -> bool:
    """Whether a TSV has the columns of parallel sentences."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return {"id", "text"} <= set(lines.readline().rstrip("\n").split("\t"))


def sentence_index(name: str, lang: str, corpus: Path, table: Path, work: Path) -> Path:
    """Index the sentences of a language, unless that is done already."""
    index = work / "index" / "distilled" / name / lang
    if not is_current(index, table, corpus):
        index.parent.mkdir(parents=True, exist_ok=True)
        run("index", corpus, index, "--lang", lang, "--vectors", table, "--overwrite")
    return index


def main() -> None:
    """Make the table and the indexes that are missing, evaluate, print."""
    repository = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=repository / "corpora")
    parser.add_argument("--methods", default=METHODS, help="names with commas between them")
    parser.add_argument("--sets", default="", help="only these, commas between")
    parser.add_argument("--vectors", type=Path, help="a distilled table to use instead of making one")
    parser.add_argument("--work", type=Path, default=Path("runs/retrieval"), help="where tables and indexes are kept")
    parser.add_argument("--out", type=Path, help="a folder for SET/crosslingual.{json,md,png}")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    wanted = [name for name in options.sets.split(",") if name]
    parallel_texts = {name: (group, None) for name, group in parallel_sets(find_sets(options.data)).items()}
    sentences = {name: (None, of_set) for name, of_set in sentence_corpora(options.data, options.work).items()}
    jobs = {name: job for name, job in {**parallel_texts, **sentences}.items() if not wanted or name in wanted}
    if not jobs:
        parser.error(f"no parallel sets under {options.data}")
    files = [file for group, of_set in jobs.values() for file in ([s.corpus for s in group or ()] or of_set.values())]
    table = options.vectors or distilled_table(files, options.work, "distilled-parallel")
    found = []
    for done, (name, (parallel, corpora)) in enumerate(jobs.items(), start=1):
        say(f"{done} of {len(jobs)}: {name}")
        out = ["--out", options.out / name] if options.out else []
        if corpora is not None:
            indexes = [f"{c}={sentence_index(name, c, corpus, table, options.work)}" for c, corpus in corpora.items()]
            asked = ["--parallel"]
        else:
            indexes = [f"{s.lang}={make_index(s, 'distilled', table, options.work)}" for s in parallel]
            asked = [part for s in parallel for part in ("--queries", f"{s.lang}={s.queries}")]
            asked += [part for s in parallel for part in ("--qrels", f"{s.lang}={s.qrels}")]
            asked += ["--measures", MEASURE]
        arguments = [*indexes, *asked, "--methods", options.methods, "--name", name, *out]
        found.append(json.loads(run("evaluate", "crosslingual", *arguments, "--json")))
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        print_matrices(found)


def print_matrices(found: list[dict]) -> None:
    """Markdown: an overview of all sets and methods, then the matrix of each."""
    print("| set | method | measure | directions | mean | lowest |\n|---|---|---|--:|--:|--:|")
    for of_set in found:
        for one in of_set["directions"]:
            n = sum(cell["queries"] != cell["documents"] and cell["value"] is not None for cell in one["cells"])
            shown = f"{one['mean_across']:.3f} | {one['lowest_across']:.3f}"
            print(f"| {of_set['dataset']} | {one['method']} | {one['measure']} | {n} | {shown} |")
    for of_set in found:
        for one in of_set["directions"]:
            langs = list(dict.fromkeys(cell["documents"] for cell in one["cells"]))
            print(f"\n{of_set['dataset']}, {one['method']}, {one['measure']}, queries in (rows) against documents in "
                  f"(columns):\n\n| | {' | '.join(langs)} |\n|---|{'--:|' * len(langs)}")  # fmt: skip
            for asked in dict.fromkeys(cell["queries"] for cell in one["cells"]):
                values = [cell["value"] for cell in one["cells"] if cell["queries"] == asked]
                print(f"| {asked} | {' | '.join('' if value is None else f'{value:.3f}' for value in values)} |")


if __name__ == "__main__":
    main()
