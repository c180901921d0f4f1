"""Two languages in one space: translation and search across languages, before and after ``align``.

    python benchmarks/alignment.py DATA --vectors en=TABLE --vectors es=TABLE [--vectors ru=TABLE] [--to en]
        [--sets xquad,libreoffice-help] [--methods tfidf,sif] [--rotate] [--work DIR] [--json]

DATA holds ``wordsim/dictionaries/LANG-LANG*.txt`` and parallel retrieval sets, ``SET/LANG`` in BEIR layout. Three in
ten source words of a dictionary are put aside, with all words of the same lemma, and only asked for in the end.
Documents in the language of ``--to`` are indexed with its own table, queries in the others find their words in the
aligned one. ``--rotate`` turns the source tables by random first: for tables that share a space already.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from reporting import print_table, say
from retrieval import run

from spacy_embed.evaluation.dictionaries import Dictionary, read_dictionary, split_dictionary, word_pairs_of
from spacy_embed.evaluation.word_lookup import WordLookup
from spacy_embed.pipeline.word_forms import forms_of_language
from spacy_embed.vectors import WordTable, load_vectors

TEST_SHARE = 0.3
MEASURE = "nDCG@10"


def split_file(dictionary: Path, lang: str, table: WordTable, work: Path) -> tuple[Path, Path]:
    """A training and a test dictionary, as files, without a source word or, where words are lemmas, a row in common."""
    split = split_dictionary(read_dictionary(dictionary), TEST_SHARE)
    lookup = WordLookup(forms=forms_of_language(lang))
    rows, asked = lookup.rows(table, list(split.train)), lookup.rows(table, list(split.test))
    is_other = (rows < 0) | ~np.isin(rows, asked)
    train = {word: split.train[word] for word, keep in zip(split.train, is_other.tolist(), strict=True) if keep}
    files = []
    for name, part in {"train": train, "test": split.test}.items():
        file = work / name / f"{dictionary.name.split('.')[0]}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_dictionary(part, file)
        files.append(file)
    return files[0], files[1]


def write_dictionary(dictionary: Dictionary, file: Path) -> None:
    """A word and a translation a line."""
    file.write_text("".join(f"{word}\t{translation}\n" for word, translation in word_pairs_of(dictionary)), "utf-8")


def rotated(path: Path, work: Path) -> Path:
    """The same table, turned by random: what it shares with others is lost."""
    out, table = work / f"{path.name}-rotated", load_vectors(path)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(table.dim, table.dim)))[0].astype(np.float32)
    WordTable(table.keys, table.rows @ turn, {"source": {"method": "rotated"}}).save(out, overwrite=True)
    return out


def variants(lang: str, to: str, source: Path, target: Path, train: Path, work: Path) -> dict[str, tuple[Path, Path]]:
    """Source and target table of each way to align, the first of which is not to."""
    made = {"as it is": (source, target)}
    for name, options in {
        "Procrustes": ["--refine", 0],
        "refined": [],
        "centred": ["--refine", 0, "--center"],
        "centred, refined": ["--center"],
    }.items():
        say(f"aligning {lang} with {to}: {name}")
        folder = work / f"{lang}-{to}-{name.replace(', ', '-')}"
        center = [folder.with_name(f"{folder.name}-target")] if "--center" in options else []
        run("align", f"{lang}={source}", f"{to}={target}", folder, "--dictionary", train, "--overwrite",
            *options, *center)  # fmt: skip
        made[name] = (folder, center[0] if center else target)
    return made


def translation(lang: str, to: str, tables: tuple[Path, Path], test: Path) -> dict[str, float]:
    """P@1 of the words put aside."""
    source, target = tables
    printed = run("evaluate", "words", f"{lang}={source}", f"{to}={target}", "--dictionary", test, "--json")
    score = json.loads(printed)["scores"][0]
    return {"words": score["covered"], "P@1": score["p@1"], "P@1 CSLS": score["p@1 csls"]}


def search(lang: str, to: str, tables: tuple[Path, Path], folder: Path, methods: str, index: Path) -> dict[str, float]:
    """nDCG@10 of queries in one language against documents in the other, by each method."""
    source, target = tables
    run("index", folder / to, index, "--lang", to, "--vectors", f"{to}={target}", "--vectors", f"{lang}={source}",
        "--overwrite")  # fmt: skip
    queries = folder / lang
    printed = run("evaluate", "retrieval", index, "--queries", next(queries.glob("queries.jsonl*")),
                  "--qrels", queries / "qrels" / "test.tsv", "--lang", lang, "--methods", methods,
                  "--depth", 10, "--json")  # fmt: skip
    return {method: measures[MEASURE] for method, measures in json.loads(printed)["methods"].items()}


def main() -> None:
    """Align, ask for translations, search, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--vectors", action="append", required=True, metavar="LANG=TABLE")
    parser.add_argument("--to", default="en", help="the language whose space the others are turned into")
    parser.add_argument("--sets", default="xquad,libreoffice-help")
    parser.add_argument("--methods", default="tfidf,sif")
    parser.add_argument("--rotate", action="store_true")
    parser.add_argument("--work", type=Path, default=Path("runs/alignment"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    tables = {lang: Path(path) for lang, _, path in (value.partition("=") for value in options.vectors)}
    to, rows = options.to, []
    for lang in sorted(set(tables) - {to}):
        dictionary = next((options.data / "wordsim" / "dictionaries").glob(f"{lang}-{to}.*"))
        train, test = split_file(dictionary, lang, load_vectors(tables[lang]), options.work)
        source = rotated(tables[lang], options.work) if options.rotate else tables[lang]
        pairs = {"before rotation": (tables[lang], tables[to])} if options.rotate else {}
        pairs |= variants(lang, to, source, tables[to], train, options.work)
        for name, of_variant in pairs.items():
            row = {"languages": f"{lang} > {to}", "alignment": name, **translation(lang, to, of_variant, test)}
            for of_set in options.sets.split(","):
                folder = options.data / of_set
                if (folder / lang).is_dir() and (folder / to).is_dir():
                    say(f"searching {of_set}, {lang} > {to}: {name}")
                    found = search(lang, to, of_variant, folder, options.methods, options.work / "index")
                    row |= {f"{of_set} {method}": round(score, 3) for method, score in found.items()}
            rows.append(row)
    if options.json:
        print(json.dumps(rows, ensure_ascii=False))
    else:
        print_table([{k: f"{v:.3f}" if isinstance(v, float) else v for k, v in row.items()} for row in rows])


if __name__ == "__main__":
    main()
