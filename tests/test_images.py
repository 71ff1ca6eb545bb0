"""The images and the compose file: valid, pinned, and with the least rights."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from ruamel.yaml import YAML

from deploy.lock import LEFT_OUT, lists, text_of

ROOT = Path(__file__).parents[1]
IMAGE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
OURS = {
    name: service
    for name, service in COMPOSE["services"].items()
    if service["image"].startswith("p2pcdn")
}


def stage(name: str) -> str:
    """What a stage of the image is made by."""
    (found,) = re.findall(
        rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", IMAGE, re.MULTILINE | re.DOTALL
    )
    return str(found)


def test_the_compose_file_is_valid() -> None:
    words = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    ran = subprocess.run(
        [sys.executable, *words, "docker-compose.yml"], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


# The image


@pytest.mark.parametrize("name", ["serve", "full"])
def test_an_image_runs_as_nobody_in_particular(name: str) -> None:
    lines = stage(name).strip().splitlines()
    assert lines[-1] == "USER 10001:10001"
    assert f"COPY --from={name}-environment /opt/p2pcdn /opt/p2pcdn" in lines


def test_an_image_says_how_and_what_it_is() -> None:
    base = stage("base")
    assert '["p2pcdn", "healthcheck"]' in base
    for label in ("title", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in base


def test_what_is_built_when_nothing_is_said_is_the_full_one() -> None:
    assert IMAGE.split("\nFROM ")[-1].startswith("base AS full\n")


def test_what_the_image_is_made_from_is_not_ignored() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    taken = {line[1:] for line in ignore if line.startswith("!")}
    copied = {
        path
        for words in re.findall(r"^COPY (?!--from)(.+) \S+$", IMAGE, re.MULTILINE)
        for path in words.split()
    }
    assert {path for path in copied if not within(path, taken)} == set()
    assert {path for path in taken if not any(within(one, {path}) for one in copied)} == set()
    assert {path for path in taken if not (ROOT / path).exists()} == set()


def within(path: str, folders: set[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


# What it is made of


def pins(name: str) -> dict[str, Version]:
    """The version of each package in a list, all of which have hashes."""
    text = (ROOT / f"deploy/locks/{name}.txt").read_text(encoding="utf-8")
    found = {}
    for entry in re.findall(r"^\S+==\S+(?: \\\n +\S+)*", text, re.MULTILINE):
        pin, *hashes = re.split(r" \\\n +", entry)
        assert hashes, pin
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes), pin
        package, _, version = pin.partition("==")
        found[str(canonicalize_name(package))] = Version(version)
    return found


@pytest.mark.parametrize("name", ["build", "serve", "full"])
def test_a_list_satisfies_what_is_asked_for(name: str) -> None:
    """`make lock` makes it anew."""
    pinned = pins(name)
    there = {"python_version": "3.11", "sys_platform": "linux"}
    for requirement in map(Requirement, lists()[name]):
        if requirement.marker is None or requirement.marker.evaluate(there):
            assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_a_server_goes_without_what_only_peers_need() -> None:
    serve, full = pins("serve"), pins("full")
    assert set(LEFT_OUT) | {"aioice"} <= full.keys() - serve.keys()
    assert serve.items() <= full.items()


def test_what_an_image_needs_is_all_that_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(project["dependencies"]) <= set(lists()["full"])


def test_a_pin_is_written_as_pip_reads_it() -> None:
    assert text_of({"b==2": {"22", "11"}, "a==1": {"00"}}).splitlines()[1:] == [
        *("a==1 \\", "    --hash=sha256:00"),
        *("b==2 \\", "    --hash=sha256:11 \\", "    --hash=sha256:22"),
    ]


def test_what_comes_with_pyav_is_named_with_its_licence() -> None:
    spec = find_spec("av")
    assert spec is not None
    assert spec.origin is not None
    libraries = Path(spec.origin).parents[1] / "av.libs"
    if not libraries.is_dir():
        pytest.skip("a PyAV that was not installed from its wheel for Linux")
    notice = set(re.findall(r"\blib[\w-]+", (ROOT / "deploy/NOTICE.md").read_text("utf-8")))
    found = {re.sub(r"-[0-9a-f]{8}\.so.*", "", path.name) for path in libraries.iterdir()}
    assert found
    assert found - notice == set()


# Containers


@pytest.mark.parametrize("name", OURS)
def test_a_container_of_ours_has_the_least_rights(name: str) -> None:
    service = OURS[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"]
    assert service["init"]
    assert "user" not in service, "it is the image's"


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_container_is_reached_from_this_machine_alone(name: str) -> None:
    ports = COMPOSE["services"][name].get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_a_container_that_waits_for_another_waits_until_it_is_well() -> None:
    for name, service in COMPOSE["services"].items():
        for other, wish in service.get("depends_on", {}).items():
            once = COMPOSE["services"][other].get("restart") == "no"
            assert wish["condition"] == (
                "service_completed_successfully" if once else "service_healthy"
            ), name


def test_what_is_asked_for_its_health_can_say_so() -> None:
    """The image asks p2pcdn's server; what is none says how it is asked, or that it cannot be."""
    for name, service in OURS.items():
        serves = service.get("entrypoint") is None and service["command"][0] != "peer"
        health = service.get("healthcheck", {})
        assert serves != ("test" in health or health.get("disable", False)), name
