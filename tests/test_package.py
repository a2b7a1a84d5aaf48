"""What is published: the checks of a release find what they are there for, and what the pages say of the package is true."""

import io
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAME = "headrace-0.1.0-cp310-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
WHEEL = [
    "headrace/__init__.py",
    "headrace/py.typed",
    "headrace/models/verifier.safetensors",
    "headrace/_core/__init__.pyi",
    "headrace-0.1.0.dist-info/licenses/LICENSE",
    "headrace-0.1.0.dist-info/sboms/headrace-python.cyclonedx.json",
]
SOURCE = ["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "pyproject.toml", "python/Cargo.toml", "src/lib.rs"]


def run(script, *arguments):
    command = [sys.executable, str(ROOT / "scripts" / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    return done.returncode, done.stdout + done.stderr


def wheel(folder, names, name=NAME, filler=b""):
    path = folder / name
    with zipfile.ZipFile(path, "w") as made:
        for file in names:
            made.writestr(file, filler)
    return path


def test_a_whole_wheel_passes(tmp_path):
    assert run("check_wheel.py", wheel(tmp_path, WHEEL)) == (0, f"{NAME}: 0.0 MB\n")


@pytest.mark.parametrize("left_out", WHEEL)
def test_a_wheel_that_lacks_something_is_refused(tmp_path, left_out):
    status, told = run("check_wheel.py", wheel(tmp_path, [name for name in WHEEL if name != left_out]))
    assert status == 1
    assert f"lacks {left_out.split('-0.1.0.dist-info/')[-1].removeprefix('sboms/headrace-python')}" in told


@pytest.mark.parametrize(
    "stray", ["headrace/tests/test_x.py", "headrace/__pycache__/x.cpython-311.pyc", "headrace/.env"]
)
def test_a_wheel_that_carries_a_stray_file_is_refused(tmp_path, stray):
    status, told = run("check_wheel.py", wheel(tmp_path, [*WHEEL, stray]))
    assert (status, f"carries {stray}" in told) == (1, True)


def test_a_wheel_of_one_version_of_python_is_refused(tmp_path):
    status, told = run("check_wheel.py", wheel(tmp_path, WHEEL, "headrace-0.1.0-cp312-cp312-win_amd64.whl"))
    assert (status, "one version of Python only" in told) == (1, True)


def test_a_large_wheel_is_refused(tmp_path):
    status, told = run("check_wheel.py", wheel(tmp_path, WHEEL, filler=b"x" * 8_000_000))
    assert (status, "MB, 32 are allowed" in told) == (1, True)


@pytest.mark.parametrize("left_out", [None, *SOURCE])
def test_a_source_distribution_has_what_it_is_built_from(tmp_path, left_out):
    path = tmp_path / "headrace-0.1.0.tar.gz"
    with tarfile.open(path, "w:gz") as made:
        for name in SOURCE:
            if name != left_out:
                made.addfile(tarfile.TarInfo(f"headrace-0.1.0/{name}"), io.BytesIO())
    status, told = run("check_wheel.py", path)
    assert status == (left_out is not None), told
    assert left_out is None or f"lacks {left_out}" in told


def test_the_workflow_of_releases_uses_what_is_there():
    text = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    for file in re.findall(r"(?:scripts|examples)/[\w.]+", text):
        assert (ROOT / file).exists(), file
    for target in ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "apple-darwin", "windows-msvc"):
        assert target in text
    # Published by identity, attested, and from the lock file: a secret in it would be a mistake.
    assert "id-token: write" in text
    assert "attest-build-provenance" in text
    assert "--locked" in text
    # The best code that there is, not the one that is sooner built.
    assert text.count("--profile dist ") == 2
    assert "--release" not in text
    assert "secrets." not in text


def test_the_limits_on_size_are_those_that_the_page_states():
    page = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    script = (ROOT / "scripts/check_wheel.py").read_text(encoding="utf-8")
    most = dict(re.findall(r'"(\.whl|\.gz)": (\d+) \* MB', script))
    assert f"at most {most['.whl']} MB" in page
    assert f"at most {most['.gz']} MB" in page
