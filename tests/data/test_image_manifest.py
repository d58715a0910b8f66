import json
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.data.pictures import encoded, scene
from tsd.data import image_manifest
from tsd.data.image_files import Fault, inspect
from tsd.data.image_manifest import content_of, manifest_path, read_images

NAMES = ["1.png", "2.jpg", "below/3.png"]


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "images"
    (folder / "below").mkdir(parents=True)
    (folder / "1.png").write_bytes(encoded(scene(), "PNG"))
    (folder / "2.jpg").write_bytes(encoded(scene(), "JPEG", 6))
    (folder / "below" / "3.png").write_bytes(b"")
    return folder


@pytest.fixture
def inspected(monkeypatch):
    """The files that were read, by their contents."""
    contents: list[bytes] = []

    def counting(content):
        contents.append(content)
        return inspect(content)

    monkeypatch.setattr(image_manifest, "inspect", counting)
    return contents


def silent(_line):
    pass


def test_every_image_is_looked_at(folder, tmp_path):
    found = read_images(folder, NAMES, tmp_path / "manifest.json", silent)
    assert list(found) == NAMES
    assert found == {name: inspect((folder / name).read_bytes()) for name in NAMES}
    assert found["2.jpg"].orientation == 6
    assert found["below/3.png"].fault is Fault.EMPTY


def test_an_unchanged_folder_is_not_read_again(folder, tmp_path, inspected):
    manifest = tmp_path / "deep" / "manifest.json"
    first = read_images(folder, NAMES, manifest, silent)
    assert len(inspected) == 3
    written = manifest.stat().st_mtime_ns
    assert read_images(folder, NAMES, manifest, silent) == first
    assert len(inspected) == 3
    assert manifest.stat().st_mtime_ns == written


def test_of_a_changed_folder_what_changed_is_read(folder, tmp_path, inspected):
    manifest = tmp_path / "manifest.json"
    read_images(folder, NAMES[:2], manifest, silent)
    del inspected[:]
    (folder / "1.png").write_bytes(encoded(scene(10, 20), "PNG"))
    found = read_images(folder, NAMES, manifest, silent)
    assert sorted(inspected) == sorted([b"", (folder / "1.png").read_bytes()])
    assert (found["1.png"].width, found["2.jpg"].width) == (10, 64)


def test_a_change_of_the_same_size_is_told_by_its_time(folder, tmp_path):
    path, manifest = folder / "2.jpg", tmp_path / "manifest.json"
    before = read_images(folder, NAMES, manifest, silent)["2.jpg"]
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    assert read_images(folder, NAMES, manifest, silent)["2.jpg"].content != before.content


def test_a_missing_image_is_a_fault_and_not_remembered(folder, tmp_path):
    manifest = tmp_path / "manifest.json"
    missing = read_images(folder, ["none.png"], manifest, silent)["none.png"]
    assert missing.fault is Fault.UNREADABLE
    assert "No such file" in missing.reason
    (folder / "none.png").write_bytes(encoded(scene(), "PNG"))
    assert read_images(folder, ["none.png"], manifest, silent)["none.png"].fault is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"made_by": 0, "files": {"1.png": []}}', "3"])
def test_a_manifest_that_is_spoilt_or_of_another_version_is_made_anew(content, folder, tmp_path):
    manifest = tmp_path / "manifest.json"
    manifest.write_text(content)
    assert read_images(folder, NAMES, manifest, silent)["1.png"].fault is None
    assert set(json.loads(manifest.read_text())["files"]) == set(NAMES)


def test_a_place_that_cannot_be_written_is_told_and_costs_no_more(folder, tmp_path):
    (tmp_path / "file").touch()
    lines: list[str] = []
    found = read_images(folder, NAMES, tmp_path / "file" / "manifest.json", lines.append)
    assert len(found) == 3
    (line,) = lines
    assert "cannot be written" in line


def test_a_long_folder_shows_progress_and_is_remembered_meanwhile(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(image_manifest, "ANNOUNCE_EVERY", 0)
    monkeypatch.setattr(image_manifest, "REMEMBER_EVERY", 0)
    manifest = tmp_path / "manifest.json"
    lines, remembered = [], []

    def announce(line):
        lines.append(line)
        remembered.append(manifest.exists() and len(json.loads(manifest.read_text())["files"]))

    read_images(folder, NAMES, manifest, announce)
    assert [line.split()[:3] for line in lines] == [[str(n), "of", "3"] for n in (1, 2, 3)]
    assert remembered == [False, 1, 2]


def one_of_many(arguments):
    folder, manifest, name = arguments
    return read_images(folder, [name], manifest, silent)[name].fault


def test_concurrent_checks_leave_a_whole_manifest(folder, tmp_path):
    names = [f"{number}.png" for number in range(12)]
    for name in names:
        (folder / name).write_bytes(encoded(scene(8, 8), "PNG"))
    manifest = tmp_path / "manifest.json"
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        faults = list(pool.map(one_of_many, [(folder, manifest, name) for name in names]))
    assert faults == [None] * 12
    kept = json.loads(manifest.read_text())["files"]
    assert kept
    assert set(kept) <= set(names)
    assert [path.name for path in tmp_path.iterdir() if "manifest" in path.name] == [manifest.name]
    assert len(read_images(folder, names, manifest, silent)) == 12


def test_the_content_depends_on_names_and_bytes_alone(folder, tmp_path):
    def content(names, folder=folder):
        return content_of(read_images(folder, names, tmp_path / "manifest.json", silent))

    first = content(NAMES)
    assert content(NAMES[::-1]) == first
    elsewhere = tmp_path / "elsewhere"
    folder.rename(elsewhere)
    for name in NAMES:
        os.utime(elsewhere / name, ns=(5, 5))
    assert content(NAMES, elsewhere) == first
    assert content(NAMES[:2], elsewhere) != first
    (elsewhere / "1.png").rename(elsewhere / "4.png")
    assert content(["4.png", *NAMES[1:]], elsewhere) != first
    (elsewhere / "4.png").rename(elsewhere / "1.png")
    assert content(NAMES, elsewhere) == first
    (elsewhere / "1.png").write_bytes(encoded(scene(3, 3), "PNG"))
    assert content(NAMES, elsewhere) != first


def test_each_folder_has_its_manifest_with_the_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = manifest_path(Path("results"), Path("data"))
    assert here.parent == Path("results/.images")
    assert here == manifest_path(Path("results"), tmp_path / "data")
    assert here != manifest_path(Path("results"), tmp_path / "other")
