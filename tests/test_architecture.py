"""The house keeps its shape: imports run one way, libraries stay behind their gates, files stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("models/**/*.py"), *ROOT.glob("studio/**/*.py"), ROOT / "app.py"])

# library -> the only places (path prefixes) that may import it
GATES = {
    "torch": ("models/",),
    "diffusers": ("models/",),
    "transformers": ("models/",),
    "open_clip": ("models/scoring/", "models/pocket/"),
    "gradio": ("studio/ui/", "app.py"),
    "av": ("studio/media",),
    "sqlmodel": ("studio/store",),
    "sqlalchemy": ("studio/store",),
    "sqlite3": ("studio/store",),
    "cv2": ("models/metrics/", "models/seam.py"),
    "matplotlib": ("studio/evaluation/",),
    "typer": ("studio/cli", "models/pocket/"),
}
# package -> what it may not see
FORBIDDEN = {
    "models/": ("studio",),
    "studio/timeline.py": ("studio.store", "studio.studio", "studio.jobs", "studio.media", "studio.ui"),
    "studio/store": ("studio.studio", "studio.jobs", "studio.ui", "studio.workers", "studio.extend"),
    "studio/media": ("studio.store", "studio.studio", "studio.jobs", "studio.ui"),
    "studio/search.py": ("studio.store", "studio.studio", "studio.jobs", "studio.ui"),
    "studio/ui/": (
        "models",
        "studio.store",
        "studio.media",
        "studio.jobs",
        "studio.workers",
        "studio.search",
    ),
}
SEES_MODELS = (
    "studio/workers/",
    "studio/extend.py",
    "studio/search.py",
    "studio/evaluation/",
    "studio/errors.py",
)


def imported(path: Path) -> set[str]:
    """Every module that a file names in an import statement outside `if TYPE_CHECKING`."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for child in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def under(name: str, module: str) -> bool:
    return name == module or name.startswith(module + ".")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("library", sorted(GATES))
def test_a_library_stays_behind_its_gate(library: str) -> None:
    inside = GATES[library]
    offenders = [
        relative(path)
        for path in SOURCES
        if not relative(path).startswith(inside) and any(under(name, library) for name in imported(path))
    ]
    assert offenders == []


@pytest.mark.parametrize("room", sorted(FORBIDDEN))
def test_imports_run_one_way(room: str) -> None:
    files = [path for path in SOURCES if relative(path).startswith(room)]
    assert files
    offenders = [
        (relative(path), name)
        for path in files
        for name in imported(path)
        if any(under(name, module) for module in FORBIDDEN[room])
    ]
    assert offenders == []


def test_only_some_rooms_of_the_studio_see_the_models() -> None:
    offenders = [
        (relative(path), name)
        for path in SOURCES
        if relative(path).startswith("studio/") and not relative(path).startswith(SEES_MODELS)
        for name in imported(path)
        if under(name, "models")
    ]
    assert offenders == []


def test_a_family_imports_no_other_family() -> None:
    for path in ROOT.glob("models/families/[a-z]*.py"):
        others = {
            name
            for name in imported(path)
            if under(name, "models.families") and (ROOT / f"{name.replace('.', '/')}.py").is_file()
        }
        assert not others, relative(path)


def test_importing_the_studio_loads_no_torch_and_no_gradio() -> None:
    code = "import sys, studio.studio, studio.cli; print({'torch', 'gradio', 'diffusers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_file_is_one_idea(path: Path) -> None:
    limit = 200 if "ui/panels" in relative(path) else 40 if relative(path) == "app.py" else 400
    assert len(path.read_text().splitlines()) < limit


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_functions_are_short(path: Path) -> None:
    functions = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)]
    long = [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= 60]
    assert long == []


def test_weights_are_small_files() -> None:
    files = [path for path in (ROOT / "assets").rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in files) <= 16 * 2**20
    assert sum(path.stat().st_size for path in files) <= 100 * 2**20


def test_the_space_runs_the_gradio_that_was_tested() -> None:
    pin = next(line for line in (ROOT / "requirements.txt").read_text().splitlines() if "gradio==" in line)
    assert f"sdk_version: {pin.split('==')[1]}" in (ROOT / "README.md").read_text()
