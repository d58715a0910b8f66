"""One set of versions, wherever it is written down."""

import re
from importlib.metadata import version
from pathlib import Path

import yaml


def pins(*files):
    found = {}
    for file in files:
        for line in Path("requirements", file).read_text().splitlines():
            if match := re.match(r"([A-Za-z0-9._-]+)==([^ ;]+)", line):
                found[match[1]] = match[2]
    return found


LOCK = pins("requirements.txt", "mmcv.txt", "uv.txt")


def test_environment_yml_has_the_versions_of_the_lock():
    declared = yaml.safe_load(Path("environment.yml").read_text())["dependencies"]
    (by_pip,) = (entry["pip"] for entry in declared if isinstance(entry, dict))
    # mmcv is not among them: pip would build it without its ops.
    assert dict(line.split("==") for line in by_pip) == pins("requirements.txt", "uv.txt")
    assert "python=3.11" in declared


def test_what_is_asked_for_is_locked():
    for line in Path("requirements/requirements.in").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, wanted = line.split("#")[0].strip().partition("==")
            assert name in LOCK, name
            assert not wanted or LOCK[name] == wanted, name


def test_the_server_has_the_versions_of_the_lock_and_what_it_asks_for():
    server = pins("server.txt")
    assert {name: LOCK[name] for name in server if name in LOCK}.items() <= server.items()
    lines = Path("requirements/server.in").read_text().splitlines()
    asked = {line.split("#")[0].strip() for line in lines} - {""}
    assert asked == {"flask-wtf", "psycopg2-binary"} <= server.keys()


def test_every_pin_has_a_hash():
    files = ("requirements.txt", "mmcv.txt", "server.txt")
    text = "".join(Path("requirements", file).read_text() for file in files)
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)
    unhashed = [b.split()[0] for b in blocks if "==" in b.split("\n")[0] and "sha256:" not in b]
    assert not unhashed


def test_what_is_installed_is_what_is_pinned():
    wrong = {name: version(name) for name in LOCK if name != "uv" and version(name) != LOCK[name]}
    assert not wrong
