"""``python -m spacy_embed``: the command line."""

from spacy_embed.cli.main import main

main()
