"""The scripts behind `make lint` and `make ci`: what they are there to find, they find."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*command, cwd=None, **environment):
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=cwd, env={**os.environ, **environment}, timeout=100
    )
    return done.returncode, done.stdout + done.stderr


def unused(folder):
    return run(sys.executable, str(ROOT / "scripts" / "check_unused.py"), str(folder))


@pytest.fixture
def workspace(tmp_path):
    """A copy of what the check reads."""
    for folder in ("src", "python/src", "fuzz/src", "tests", "benches"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=lambda at, names: [n for n in names if is_other(at, n)]
        )
    for file in ("Cargo.toml", "python/Cargo.toml", "fuzz/Cargo.toml"):
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def is_other(folder, name):
    path = Path(folder) / name
    return path.is_file() and path.suffix != ".rs"


def test_every_dependency_is_used_and_says_its_version(workspace):
    status, told = unused(workspace)
    assert status == 0, told


@pytest.mark.parametrize(
    ("manifest", "section", "added", "told"),
    [
        ("Cargo.toml", "[dependencies]", 'faer = "0.24"', "headrace: faer is named nowhere"),
        ("Cargo.toml", "[dependencies]", 'criterion = "0.8"', "headrace: criterion is named by tests only"),
        ("Cargo.toml", "[dev-dependencies]", 'rstest = "0.26"', "headrace: rstest is a dependency of tests that none"),
        ("Cargo.toml", "[workspace.dependencies]", 'faer = "0.24"', "faer stands in the workspace's dependencies"),
        ("python/Cargo.toml", "[dependencies]", 'libc = "*"', "headrace-python: libc is wanted in any version"),
        ("python/Cargo.toml", "[dependencies]", 'regex = "1"', "headrace-python: regex is named nowhere"),
    ],
)
def test_a_dependency_without_use_is_found(workspace, manifest, section, added, told):
    file = workspace / manifest
    file.write_text(file.read_text().replace(f"{section}\n", f"{section}\n{added}\n", 1))
    status, printed = unused(workspace)
    assert status == 1
    assert told in printed


def test_a_crate_in_a_comment_is_not_used(workspace):
    manifest = workspace / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace("[dependencies]\n", '[dependencies]\nfaer = "0.24"\n', 1))
    source = workspace / "src" / "lib.rs"
    source.write_text(source.read_text() + "\n// faer::Mat would do this too.\n")
    assert unused(workspace)[0] == 1
    source.write_text(source.read_text() + "\nuse faer::Mat;\n")
    assert unused(workspace)[0] == 0


@pytest.fixture
def checkout(tmp_path):
    """A repository with the script and a `.ci/run` of its own."""
    root = tmp_path / "checkout"
    (root / "scripts").mkdir(parents=True)
    (root / ".ci").mkdir()
    shutil.copy(ROOT / "scripts" / "ci.sh", root / "scripts")
    script = root / ".ci" / "run"
    script.write_text('#!/bin/sh\npwd > "$SEEN"\ntest -z "$FAILS"\n')
    script.chmod(0o755)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "one")
    return root


def git(root, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def ci(checkout, tmp_path, fails=""):
    rooms = tmp_path / "rooms"
    rooms.mkdir(exist_ok=True)
    result = run(str(checkout / "scripts" / "ci.sh"), TMPDIR=str(rooms), SEEN=str(tmp_path / "seen"), FAILS=fails)
    assert list(rooms.iterdir()) == [], "nothing is left behind"
    return result


def test_a_commit_that_passed_is_noted(checkout, tmp_path):
    status, told = ci(checkout, tmp_path)
    assert status == 0, told
    assert (checkout / ".git" / "ci-passed").read_text().strip() == git(checkout, "rev-parse", "HEAD").strip()
    assert Path((tmp_path / "seen").read_text().strip()).is_relative_to(tmp_path / "rooms"), "it ran in a clone"


def test_a_commit_that_failed_is_not_noted(checkout, tmp_path):
    status, told = ci(checkout, tmp_path, fails="yes")
    assert status == 1
    assert "ended with status 1" in told
    assert not (checkout / ".git" / "ci-passed").exists()


@pytest.mark.parametrize("file", ["new", "scripts/ci.sh"])
def test_what_is_not_committed_is_not_tested(checkout, tmp_path, file):
    with (checkout / file).open("a") as changed:
        changed.write("\n# changed\n")
    status, told = ci(checkout, tmp_path)
    assert status == 1
    assert "not committed" in told
    assert file in told
    assert not (tmp_path / "seen").exists()


def checked(script, folder):
    return run(sys.executable, str(ROOT / "scripts" / script), str(folder))


def test_two_types_of_one_name_are_found(tmp_path):
    (tmp_path / "a.rs").write_text(
        "pub struct Entry;\npub(super) struct Row;\n#[cfg(test)]\nmod tests {\npub struct Own;\n}\n"
    )
    (tmp_path / "b.rs").write_text("pub(super) enum Row {}\npub enum Own {}\n")
    assert checked("check_names.py", tmp_path)[0] == 0
    (tmp_path / "c.rs").write_text("pub(crate) trait Entry {}\n")
    status, told = checked("check_names.py", tmp_path)
    assert (status, told) == (1, f"Entry is the name of 2 types: {tmp_path.name}/a.rs, {tmp_path.name}/c.rs\n")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("    print(1)\n", "asserts nothing"),
        ("    if x:\n        return\n    assert x\n", "returns before its end"),
        ("    assert True\n", "constant"),
        ("    assert (x, 'told')\n", "tuple"),
        ("    assert x or os.environ.get('CI')\n", "environment"),
        ("    with pytest.raises(Exception):\n        x()\n", "raises(Exception)"),
    ],
)
def test_a_test_that_cannot_fail_is_found(tmp_path, body, fault):
    file = tmp_path / "test_it.py"
    file.write_text(f"def test_it(x):\n{body}")
    status, told = checked("check_tests.py", tmp_path)
    assert status == 1
    assert fault in told
    file.write_text("def test_it(x):\n    assert x\n")
    assert checked("check_tests.py", tmp_path)[0] == 0


def test_a_test_that_the_hour_decides_is_found(tmp_path):
    model = "/".join(["deepseek", "deepseek-chat"])
    (tmp_path / "kill.rs").write_text(f'const MODEL: &str = "{model}";\n')
    status, told = checked("check_tests.py", tmp_path)
    assert status == 1
    assert told.startswith(f'kill.rs:1: the price of "{model}" depends on the hour')
    (tmp_path / "kill.rs").unlink()
    (tmp_path / "test_prices.py").write_text(f'def test_it():\n    assert model == "{model}"\n')
    assert checked("check_tests.py", tmp_path)[0] == 0
