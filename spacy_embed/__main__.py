"""The command line: ``spacy-embed``, or ``python -m spacy_embed``."""

import sys


def main() -> None:
    """Run a command."""
    try:
        # not above: worker processes import the script that started them, and need none of the commands
        from spacy_embed.cli.main import main as run

        run(own_process=True)
    except KeyboardInterrupt:
        # while commands are imported; once there, they report it themselves
        print("error: Interrupted.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
