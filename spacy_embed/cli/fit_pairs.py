"""``spacy-embed fit-pairs``: word weights and a linear map learned from scored pairs of texts."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from spacy_embed.cli.console import note, output, print_json, require_search
from spacy_embed.cli.labelled_texts import Languages, files_of_language
from spacy_embed.errors import InputError


def fit_pairs_command(
    files: Annotated[list[Path], typer.Argument(help="TSV of score (or 0/1, or class), text, text.")],
    vectors: Annotated[Path, typer.Option(help="A table of any format.")],
    out: Annotated[Path, typer.Option(help="The encoder file to write.")],
    lang: Annotated[str, typer.Option(help="Language of the files.")],
    corpus: Annotated[
        list[str] | None, typer.Option(help="What idf is counted on. Default: the texts of the pairs.")
    ] = None,
    normalize: Annotated[
        bool, typer.Option(help="Scale each word's vector to length 1; use the encoder with vectors scaled so.")
    ] = True,
    components: Annotated[
        int | None, typer.Option(help="Common components taken out first; default: chosen on held-out pairs.", min=0)
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes at most; how many is chosen on held-out pairs.", min=1)] = 8,
    seed: Annotated[int, typer.Option(help="Of folds and order.", min=0)] = 1,
    keep_stop_words: Annotated[
        bool, typer.Option("--keep-stop-words", help="Count them too, in pipelines that are not your own.")
    ] = False,
    pipeline: Annotated[list[str] | None, typer.Option(help="LANG=PATH of a pipeline with 'lookup_forms'.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a file that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Learn how much words count, and a map of their vectors, from pairs that people scored; for 'doc_embedder'."""
    require_search("fit on pairs")
    started = time.perf_counter()
    from spacy_embed.evaluation.scored_pairs import read_scored_pairs
    from spacy_embed.pipeline.pair_fit import fit_pairs
    from spacy_embed.retrieval.corpus import read_corpus
    from spacy_embed.training.pair_encoder import PairEncoder

    if out.exists() and not overwrite:
        raise InputError(f"{out} exists already: choose another place, or replace it with --overwrite.")
    settings = PairEncoder(components, epochs, seed)
    languages = Languages.of_options(lang, [str(vectors)], pipeline or [], keep_stop_words=keep_stop_words)
    language, _ = languages.language_and_file(str(files[0]))
    sets = [read_scored_pairs(file) for file in files]
    corpora = files_of_language(corpus or [], language)
    texts = [document.full_text for path in corpora for document in read_corpus(path)]
    fit = fit_pairs(
        settings, sets, languages.pipeline(language), languages.table(language), texts=texts, normalize=normalize
    )
    fit.file.save(out)
    learned = fit.encoder.learned
    assert learned is not None
    facts: dict[str, Any] = {
        "encoder": str(out),
        "lang": language,
        **learned._asdict(),
        "left_out": sum(map(len, sets)) - learned.pairs,
        "words": len(fit.file.words),
        "seconds": round(time.perf_counter() - started, 2),
    }
    if learned.epochs == 0:
        note("note: no epoch helped the pairs that were held out: the encoder is its start.")
    if learned.start is None:
        note("note: too few pairs to hold any out: nothing says yet whether the encoder is better. Evaluate it.")
    if as_json:
        print_json(facts)
        return
    quality = (learned.start, learned.fitted)
    held_out = "not known" if None in quality else "{:.3f} by tfidf, {:.3f} fitted".format(*quality)
    facts = {**facts, "losses": " ".join(f"{loss:.4f}" for loss in learned.losses)}
    table = Table(show_header=False)
    for key, value in {**facts, "Spearman, held out": held_out}.items():
        if key not in ("start", "fitted"):
            table.add_row(key.replace("_", " "), Text(str(value)))
    output().print(table)
