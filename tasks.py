"""The project's two commands. Needs Python 3.10 to 3.13 and pip; makes a virtual environment of its own in .venv.

python3 tasks.py demo    set up, then distil, index, search and evaluate the corpora in five languages
python3 tasks.py test    set up, then lint, check types and run the tests; further words go to pytest
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
HOME = ROOT / ".venv"
BIN = HOME / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
RUNS = Path("runs/demo")


def run(*command: object) -> None:
    """Show a command and run it; end with its exit code when it fails."""
    words = [str(word) for word in command]
    shown = " ".join(f'"{word}"' if " " in word else word for word in words)
    print(f"\n$ {shown.replace(str(BIN) + os.sep, '')}", flush=True)
    code = subprocess.run(words, cwd=ROOT).returncode
    if code:
        sys.exit(code)


def set_up(extra: str) -> None:
    """Make the environment and install the project with an extra, unless that is what it holds already."""
    if not (3, 10) <= sys.version_info[:2] <= (3, 13):
        sys.exit(f"Python 3.10 to 3.13 is needed, this is {sys.version.split()[0]}: run me with another python3.")
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + sys.version.encode()).hexdigest()
    stamp = HOME / f"{extra}.stamp"
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"setting up {HOME.relative_to(ROOT)} with spacy-embed[{extra}]", flush=True)
    venv.create(HOME, with_pip=True, clear=not PYTHON.exists())
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", f".[{extra}]")
    stamp.write_text(wanted)


def demo() -> None:
    """The main job, with the commands that a user would type."""
    spacy_embed, table, index = BIN / "spacy-embed", RUNS / "vectors", RUNS / "corpora"
    run(spacy_embed, "distill", table, "--corpus", "corpora", "--overwrite")
    run(spacy_embed, "index", "corpora", index, "--vectors", table, "--overwrite")
    run(spacy_embed, "info", index)
    run(spacy_embed, "search", index, "how do plants make food from light", "-k", 3, "--method", "tfidf")
    run(spacy_embed, "search", index, "почему море поднимается и опускается", "-k", 3, "--method", "tfidf")
    run(spacy_embed, "search", index, "面包为什么涨价", "-k", 3, "--method", "bm25")
    arguments = [
        "benchmarks/retrieval.py",
        "corpora",
        "--no-training",
        "--across",
        "tfidf",
        "--methods",
        "bm25,mean,tfidf,sif",
        "--vectors",
        table,
        "--work",
        RUNS / "evaluation",
    ]
    run(PYTHON, *arguments)


def test(arguments: list[str]) -> None:
    """Lint, types, tests."""
    run(PYTHON, "-m", "ruff", "check", ".")
    run(PYTHON, "-m", "ruff", "format", "--check", ".")
    run(PYTHON, "-m", "mypy")
    # a file's tests share fixtures that take long to make
    spread = ["-n", min(os.cpu_count() or 1, 4), "--dist", "loadfile"]
    run(PYTHON, "-m", "pytest", *spread, *arguments)


def main() -> None:
    """Run the task that is named."""
    task, *arguments = sys.argv[1:] or [""]
    if task == "demo":
        set_up("all")
        demo()
    elif task == "test":
        set_up("dev")
        test(arguments)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
