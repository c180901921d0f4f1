"""``spacy embed``: the same commands under spaCy's own command line."""

from spacy.cli._util import app as spacy_app

from spacy_embed.cli.main import app

spacy_app.add_typer(app, name="embed")
