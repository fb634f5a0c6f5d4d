"""Every file under ``deploy/`` is what its own tool accepts, and names what the product has."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deployment import ROOT

pytestmark = pytest.mark.once
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
COMPOSE, KUBERNETES = DEPLOY / "compose/compose.yaml", DEPLOY / "kubernetes/winnow.yaml"
UNITS = sorted((DEPLOY / "systemd").iterdir())


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, env=os.environ | variables, cwd=ROOT
    )


def tool(name: str) -> Path:
    """Return a program of the development requirements or of the system; without it the test is skipped, not in CI."""
    found = BIN / name if (BIN / name).exists() else shutil.which(name)
    if not found:
        assert not os.environ.get("CI") or name not in {"caddy", "hadolint"}, f"{name} is not installed"
        pytest.skip(f"{name} is not installed")
    return Path(found)


def documents() -> list[dict]:
    return list(yaml.safe_load_all(KUBERNETES.read_text()))


def commands() -> dict[str, list[str]]:
    """Return every command line that a file runs, by where it stands."""
    found = {f"compose {name}": one["command"] for name, one in yaml.safe_load(COMPOSE.read_text())["services"].items()
             if "command" in one and name != "redis"}  # fmt: skip
    for one in documents():
        if one["kind"] in {"Deployment", "Job"}:
            (container,) = one["spec"]["template"]["spec"]["containers"]
            found[f"kubernetes {one['metadata']['name']}"] = container["args"]
    for unit in UNITS:
        for line in re.findall(r"^ExecStart(?:Pre)?=\S+python manage\.py (.+)$", unit.read_text(), re.MULTILINE):
            found[f"systemd {unit.name} {line}"] = line.split()
    return found


def test_the_container_file_passes_its_linter():
    done = run(tool("hadolint"), DEPLOY / "Containerfile")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_compose_file_is_of_its_specification():
    done = run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", COMPOSE)
    assert done.returncode == 0, done.stdout


def test_the_manifests_are_of_their_schemas():
    done = run(tool("kubernetes-validate"), "--strict", KUBERNETES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_reads_the_units(unit):
    done = run(tool("systemd-analyze"), "verify", "--man=no", unit)
    problems = [line for line in done.stderr.splitlines() if DEPLOY.name in line or unit.name in line]
    assert [line for line in problems if "is not executable" not in line] == []


@pytest.mark.parametrize("host", ["winnow.example", "10.1.2.3:8443"])
def test_the_proxy_reads_its_file(host):
    done = run(tool("caddy"), "validate", "--config", DEPLOY / "compose/Caddyfile", "--adapter", "caddyfile",
               WINNOW_HOST=host, WINNOW_UPSTREAM="web:8000")  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("script", ["run.sh", "compose/make-secrets.sh"])
def test_the_scripts_are_read_by_their_shell(script):
    assert run("bash", "-n", DEPLOY / script).stderr == ""
    assert os.access(DEPLOY / script, os.X_OK)


def test_every_command_is_one_of_ours():
    from triage.management.commands import process

    known = {"web", "beat", *process.WORKERS}
    roles = set()
    for place, (name, *arguments) in commands().items():
        assert name in {"migrate", "process", "up"}, place
        if name == "process":
            assert arguments[0] in known, place
            roles.add((place.split()[0], arguments[0]))
    assert {role for way, role in roles if way == "compose"} == known
    assert {role for way, role in roles if way == "kubernetes"} == known
    worker = (DEPLOY / "systemd/winnow-worker@.service").read_text()
    assert "manage.py process" in worker
    wanted = re.findall(r"winnow-worker@([a-z]+)-\d+\.service", (DEPLOY / "systemd/winnow.target").read_text())
    assert set(wanted) == set(process.WORKERS)


def test_every_variable_is_one_that_settings_read():
    known = set(re.findall(r"^#? ?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    compose = yaml.safe_load(COMPOSE.read_text())["x-winnow"]["environment"]
    (config,) = [one for one in documents() if one["kind"] == "ConfigMap"]
    for name in {*compose, *config["data"]}:
        assert name.removesuffix("_FILE") in known, name
    assert set(config["data"]) == set(compose)


def test_nothing_runs_as_root_or_writes_to_its_image():
    compose = yaml.safe_load(COMPOSE.read_text())["x-winnow"]
    assert (compose["read_only"], compose["cap_drop"]) == (True, ["ALL"])
    assert "USER 10001:10001" in (DEPLOY / "Containerfile").read_text()
    for one in documents():
        if one["kind"] not in {"Deployment", "Job"}:
            continue
        pod = one["spec"]["template"]["spec"]
        assert (pod["securityContext"]["runAsNonRoot"], pod["automountServiceAccountToken"]) == (True, False)
        context = pod["containers"][0]["securityContext"]
        assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"]) == (True, False)
        assert context["capabilities"] == {"drop": ["ALL"]}
    for unit in UNITS:
        if unit.suffix == ".service":
            text = unit.read_text()
            assert "User=winnow" in text, unit.name
            assert "NoNewPrivileges=true" in text, unit.name
            assert "ProtectSystem=strict" in text, unit.name


def test_the_image_holds_what_the_product_needs_and_no_more():
    copied = set(re.findall(r"^COPY (\S+) ", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)) - {"--from=build"}
    assert copied == {"requirements.txt", "manage.py", "triage", "alerts", "templates"}
    kept = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert kept == copied


def test_secrets_are_made_once_and_fit_together(tmp_path):
    shutil.copy(DEPLOY / "compose/make-secrets.sh", tmp_path)
    made = []
    for _ in range(2):
        assert run("sh", tmp_path / "make-secrets.sh").returncode == 0
        made.append({path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()})
    assert made[0] == made[1]
    first = made[0]
    assert set(first) == set(yaml.safe_load(COMPOSE.read_text())["secrets"])
    assert first["database_url"] == f"postgresql://winnow:{first['database_password']}@postgresql:5432/winnow"
    assert first["redis_url"] == f"redis://:{first['redis_password']}@redis:6379/0"
    assert len({first[name] for name in ("secret_key", "audit_key", "database_password", "redis_password")}) == 4
    assert all(len(first[name]) == 64 for name in ("secret_key", "audit_key"))
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
