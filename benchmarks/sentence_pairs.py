"""Similarity of sentence pairs in five languages: methods that use no scores, and an encoder learned on STS-B train.

    python benchmarks/sentence_pairs.py DATA --vectors DIR/NAME.{lang}.EXT [--langs en,es,pt,ru,zh] [--keep-stop-words]
                                        [--methods mean,tfidf-5,...] [--sentence] [--work DIR]

DATA holds stsb-multi, sick, paraphraser, zh-pairs, pawsx and rupaws. Weightings and components are fitted on the texts
of stsb-multi/LANG/train, the encoder on its scores; everything else is only measured on. ``--sentence`` adds the
built-in sentence encoder on whole texts. Prints Spearman, with AUC in brackets where the scores are labels.
"""

import argparse
import contextlib
import io
import json
import tempfile
from pathlib import Path

from reporting import print_table, say

from spacy_embed.cli.main import app

METHODS = "mean,tfidf,sif,sif-5,tfidf-5,tfidf-20,soft-cosine-sif,wmd-sif"
SETS = {
    "en": ("sick/en/dev", "sick/en/test", "pawsx/en/dev"),
    "es": ("pawsx/es/dev",),
    "pt": ("sick/pt/dev",),
    "ru": ("paraphraser/ru/train", "rupaws/rupaws_qqp_train"),
    "zh": ("zh-pairs/afqmc-dev", "pawsx/zh/dev"),
}


def command(*arguments: object) -> dict:
    """What a command prints with --json."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        app([*map(str, arguments), "--json"], standalone_mode=False)
    return json.loads(printed.getvalue().splitlines()[-1])


def cell(scores: dict) -> str:
    """Spearman, and AUC where there is one."""
    auc = "" if scores["auc"] is None else f" ({scores['auc']:.3f})"
    return f"{scores['spearman']:.3f}{auc}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--vectors", required=True)
    parser.add_argument("--langs", default=",".join(SETS))
    parser.add_argument("--methods", default=METHODS)
    parser.add_argument("--keep-stop-words", action="store_true")
    parser.add_argument("--sentence", action="store_true")
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)
    rows = []
    for lang in options.langs.split(","):
        train = options.data / "stsb-multi" / lang / "train.tsv.gz"
        names = (f"stsb-multi/{lang}/dev", *SETS[lang])
        shared = ["--lang", lang, "--vectors", options.vectors.format(lang=lang)]
        shared += ["--keep-stop-words"] if options.keep_stop_words else []
        encoder = work / f"{lang}.encoder"
        fit = command("fit-pairs", train, *shared, "--out", encoder, "--overwrite")
        say(f"{lang}: {fit}")
        methods = options.methods + (",sentence" if options.sentence else "")
        files = [options.data / f"{name}.tsv.gz" for name in names]
        asked = [
            "evaluate",
            "similarity",
            *files,
            *shared,
            "--fit-on",
            train,
            "--encoder",
            encoder,
            "--methods",
            methods,
        ]
        for name, result in zip(names, command(*asked)["sets"], strict=True):
            scores = {method: cell(of_method) for method, of_method in result["scores"].items()}
            rows.append({"set": name, "pairs": result["pairs"], **scores})
    print_table(rows)


if __name__ == "__main__":
    main()
