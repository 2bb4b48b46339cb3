"""The environments of `dev.py compat`, and the workflows that call the jobs of dev.py."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
spec = importlib.util.spec_from_file_location("compat", ROOT / "compat.py")
compat = importlib.util.module_from_spec(spec)
sys.modules["compat"] = compat
spec.loader.exec_module(compat)


def test_the_table_names_tests_that_exist_and_the_oldest_versions_that_are_promised():
    table = compat.environments()
    for row in table.values():
        assert set(row) == {"python", "packages", "tests"}
        assert all((ROOT / path).exists() for path in row["tests"])
        assert any(package.startswith("pytest") for package in row["packages"])
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = project["dependencies"] + [r for extra in project["optional-dependencies"].values() for r in extra]
    lowest = dict(match.groups() for r in promised if (match := re.match(r"([\w-]+)>=([\d.]+)", r)))
    pins = (re.match(r"([\w-]+)==([\d.]+)", package) for package in table["oldest"]["packages"])
    for name, version in (match.groups() for match in pins if match):
        if name in lowest and name != "jax":
            assert version.startswith(lowest[name]), name


def test_a_report_is_counted(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n"
        "@pytest.mark.skip\ndef test_c(): pass\n@pytest.fixture\ndef f(): raise OSError\ndef test_d(f): pass\n"
    )
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", str(tmp_path)]
    subprocess.run(command, capture_output=True, cwd=tmp_path, check=False)
    assert compat.counts(report) == (4, 2, 1)
    row = compat.table_of([compat.Outcome("a", "3.11", "2.9", 1, 2, 1, 90.0)]).splitlines()[-1]
    assert row == "| a | 3.11 | 2.9 | 1 | 2 | 1 | 1.5 |"


def test_an_unknown_environment_is_one_line():
    done = subprocess.run(
        [sys.executable, str(ROOT / "dev.py"), "compat", "nothing"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("compat: there is no environment 'nothing', only oldest, newest")
    assert done.stderr.count("\n") == 1


def test_the_workflows_call_jobs_of_dev_and_every_environment():
    jobs = re.findall(r"dev\.py (\w+)", "".join(path.read_text() for path in WORKFLOWS))
    usage = re.search(r'USAGE = "(.*)"', (ROOT / "dev.py").read_text()).group(1)
    assert set(jobs) >= {"test", "docs", "compat"}
    assert all(job in usage for job in jobs)
    matrix = re.search(r"environment: \[(.*)\]", (ROOT / ".github" / "workflows" / "tests.yml").read_text()).group(1)
    assert matrix.split(", ") == list(compat.environments())
