"""The command line: ``spacy-embed``, or ``python -m spacy_embed``."""


def main() -> None:
    """Run a command."""
    # not above: worker processes import the script that started them, and need none of the commands
    from spacy_embed.cli.main import main as run

    run(own_process=True)


if __name__ == "__main__":
    main()
