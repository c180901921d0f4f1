import sys
from typing import NamedTuple

import pytest

from spacy_embed.cli.main import main


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys, monkeypatch):
    """Run a command in this process."""

    def run(*arguments) -> Result:
        monkeypatch.setattr(sys, "argv", ["spacy-embed", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code or 0
        printed = capsys.readouterr()
        return Result(code, printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def vector_options(tables):
    """``--vectors`` for all five languages."""
    return [part for code, table in tables.items() for part in ("--vectors", f"{code}={table.path}")]
