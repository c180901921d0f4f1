"""Indexing beside bare tokenising: documents a second, two workers beside one, peak memory as the corpus grows.

    python benchmarks/index.py TEXT [--langs en,ru] [--runs 3] [--million] [--work DIR] [--json] [--quick]

TEXT holds LANG/*.txt.gz; running text is cut into documents of about 20 and about 200 words. Vectors are random ones
for every form of the text (their values do not matter to time). Every run is in a process of its own: "bare" is the
tokenizer alone, ``nlp.pipe`` of a blank pipeline, in one process, texts in memory; ours is ``spacy-embed index``, the
whole command after its start: reading, tokenising, forms, fitting, writing. What is compared is run in turn; figures
are medians over the turns, ratios the medians of each turn's: a machine that is slower for a minute is so for both.

"2 bare / 1" is what two processes gain that tokenize one half each and do nothing else: what the machine gives, and
halves that must each meet the words of the language.
"""

import argparse
import gzip
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from reporting import print_table, say
from watching import Measured, measure

LANGUAGES = ("en", "es", "pt", "ru", "zh")
CHARACTERS_A_WORD = 1.6
"""Of Chinese, by rjieba on this kind of text."""

BARE = """
import json, sys, time
from pathlib import Path
from spacy_embed.pipeline.language_pipelines import default_pipeline
lang, file, part, parts = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
texts = [json.loads(line)["text"] for line in Path(file).open(encoding="utf-8")]
texts = texts[len(texts) * part // parts : len(texts) * (part + 1) // parts]
nlp = default_pipeline(lang)
nlp.remove_pipe("lookup_forms")
print("ready", flush=True)
sys.stdin.readline()
started = time.time()
for _ in nlp.pipe(texts):
    pass
print(json.dumps([started, time.time()]))
"""

TABLE = """
import sys
from pathlib import Path
import numpy as np
from spacy_embed.embedding import unit_rows
from spacy_embed.pipeline.text_kernel import TextKernel
from spacy_embed.retrieval.corpus import Corpus
from spacy_embed.retrieval.encoded import form_of, text_batches
from spacy_embed.vectors import WordTable
forms = set()
for file in sys.argv[2:]:
    kernel = TextKernel()
    for batch in text_batches(Corpus(Path(file))):
        forms.update(map(form_of, kernel(batch).column("keys").flatten().dictionary.to_pylist()))
rows = unit_rows(np.random.default_rng(0).normal(size=(len(forms), 256)))
WordTable.build(sorted(forms), rows).save(sys.argv[1], overwrite=True)
"""


def documents(folder: Path, lang: str, words: int) -> Iterator[str]:
    """Running text in pieces of about so many words."""
    piece: list[str] = []
    size = round(words * CHARACTERS_A_WORD)
    for file in sorted(folder.glob("*.txt.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                piece += line.strip() if lang == "zh" else line.split()
                while len(piece) >= (size if lang == "zh" else words):
                    cut = size if lang == "zh" else words
                    yield ("" if lang == "zh" else " ").join(piece[:cut])
                    piece = piece[cut:]


def make_corpus(text: Path, langs: list[str], words: int, n: int, file: Path) -> Path:
    """``n`` documents as JSONL, as many of each language; text that is too short is begun again."""
    if file.exists():
        return file
    temporary = file.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8") as out:
        for lang in langs:
            made, target = 0, n // len(langs)
            while made < target:
                before = made
                for piece in documents(text / lang, lang, words):
                    made += 1
                    out.write(
                        json.dumps({"_id": f"{lang}{made}", "lang": lang, "text": piece}, ensure_ascii=False) + "\n"
                    )
                    if made == target:
                        break
                if made == before:
                    sys.exit(f"no text in {text / lang}")
    temporary.rename(file)
    return file


def tokenize(lang: str, corpus: Path, processes: int) -> float:
    """Seconds of bare processes that tokenize an equal part of the corpus each, all at once."""
    command = [sys.executable, "-c", BARE, lang, str(corpus)]
    running = [
        subprocess.Popen(
            [*command, str(part), str(processes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for part in range(processes)
    ]
    for process in running:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            sys.exit(f"failed: {command}")
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    printed = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        sys.exit(f"failed: {command}")
    starts, ends = zip(*map(json.loads, printed), strict=True)
    return float(max(ends) - min(starts))


def index_command(corpus: Path, table: Path, out: Path, workers: int) -> list[object]:
    """The command that is measured."""
    head = [sys.executable, "-m", "spacy_embed", "index", corpus, out, "--vectors", table]
    return [*head, "--workers", workers, "--overwrite", "--json"]


class Turn(NamedTuple):
    """What is compared, one after the other."""

    bare: float
    """Seconds."""
    bare_twice: float
    """Seconds of two processes with one half each."""
    one: Measured
    two: Measured


def _turn(lang: str, corpus: Path, table: Path, out: Path) -> Turn:
    return Turn(
        tokenize(lang, corpus, 1),
        tokenize(lang, corpus, 2),
        measure(index_command(corpus, table, out, 1)),
        measure(index_command(corpus, table, out, 2)),
    )


def measure_language(text: Path, lang: str, words: int, n: int, small: int, work: Path, runs: int) -> dict:
    """One row of the table."""
    say(f"{lang}: {n} documents of about {words} words")
    corpus = make_corpus(text, [lang], words, n, work / f"{lang}-{words}-{n}.jsonl")
    few = make_corpus(text, [lang], words, small, work / f"{lang}-{words}-{small}.jsonl")
    table = work / f"{lang}-{words}-{n}.vectors"
    if not table.exists():
        subprocess.run([sys.executable, "-c", TABLE, table, corpus], check=True)
    first = measure(index_command(few, table, work / "out", 1))
    turns = [_turn(lang, corpus, table, work / "out") for _ in range(runs)]
    return {
        "lang": lang,
        "documents": n,
        "words": words,
        "bare docs/s": round(n / statistics.median(turn.bare for turn in turns)),
        "2 bare / 1": round(statistics.median(turn.bare / turn.bare_twice for turn in turns), 2),
        "index docs/s": round(n / statistics.median(turn.one.seconds for turn in turns)),
        "index time / bare": round(statistics.median(turn.one.seconds / turn.bare for turn in turns), 2),
        "2 workers docs/s": round(n / statistics.median(turn.two.seconds for turn in turns)),
        "2 workers / 1": round(statistics.median(turn.one.seconds / turn.two.seconds for turn in turns), 2),
        f"peak MB, {small} docs": round(first.peak_mb),
        f"peak MB, {n} docs": round(statistics.median(turn.one.peak_mb for turn in turns)),
        "peak MB, 2 workers": round(statistics.median(turn.two.peak_mb for turn in turns)),
    }


def measure_million(text: Path, langs: list[str], n: int, work: Path) -> dict:
    """One large corpus in all languages, once with one worker and once with two."""
    say(f"{n} documents in {', '.join(langs)}")
    corpus = make_corpus(text, langs, 20, n, work / f"all-20-{n}.jsonl")
    table = work / f"all-20-{n}.vectors"
    if not table.exists():
        subprocess.run([sys.executable, "-c", TABLE, table, corpus], check=True)
    one = measure(index_command(corpus, table, work / "million", 1))
    measured = measure(index_command(corpus, table, work / "million", 2))
    size = sum(file.stat().st_size for file in (work / "million").rglob("*") if file.is_file())
    return {
        "documents": n,
        "languages": len(langs),
        "seconds": round(measured.seconds),
        "docs/s": round(n / measured.seconds),
        "2 workers / 1": round(one.seconds / measured.seconds, 2),
        "CPU s": round(measured.cpu),
        "peak MB": round(measured.peak_mb),
        "MB on disk": round(size / 1e6),
        "corpus MB": round(corpus.stat().st_size / 1e6),
    }


def main() -> None:
    """Make the corpora, measure, print."""
    repository = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="LANG/*.txt.gz")
    parser.add_argument("--langs", default=",".join(LANGUAGES))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path, default=repository / "runs" / "index")
    parser.add_argument("--million", action="store_true", help="only 1,000,000 short documents in all languages, once")
    parser.add_argument("--quick", action="store_true", help="a hundredth of the documents")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    langs, share = options.langs.split(","), 100 if options.quick else 1
    if options.million:
        tables = [[measure_million(options.text, langs, 1_000_000 // share, options.work)]]
    else:
        tables = [
            [
                measure_language(options.text, lang, words, n // share, n // share // 10, options.work, options.runs)
                for lang in langs
            ]
            for words, n in ((20, 100_000), (200, 20_000))
        ]
    if options.json:
        print(json.dumps(tables))
    else:
        for rows in tables:
            print_table(rows)


if __name__ == "__main__":
    main()
