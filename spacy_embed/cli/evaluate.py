"""``spacy-embed evaluate``: methods against judgements."""

import typer

from spacy_embed.cli import (
    evaluate_classify,
    evaluate_crosslingual,
    evaluate_retrieval,
    evaluate_runs,
    evaluate_senses,
    evaluate_similarity,
    evaluate_words,
)

app = typer.Typer(help="Compare methods by the measures of the field.", no_args_is_help=True)
app.command("retrieval")(evaluate_retrieval.retrieval_command)
app.command("run")(evaluate_runs.run_command)
app.command("dataset")(evaluate_runs.dataset_command)
app.command("crosslingual")(evaluate_crosslingual.crosslingual_command)
app.command("words")(evaluate_words.words_command)
app.command("senses")(evaluate_senses.senses_command)
app.command("similarity")(evaluate_similarity.similarity_command)
app.command("classify")(evaluate_classify.classify_command)


@app.callback()
def evaluate() -> None:
    """Compare methods by the measures of the field."""
