"""A bundle is read whole and as its manifest says, or refused by name."""

import gzip
import tarfile
import zipfile

import pytest

from tests.results.bundles import FILES, TRAINING, manifest, members, write_tar, write_zip
from tsd.results.bundle_format import BundleError, Manifest, bundled_paths, is_safe
from tsd.results.bundle_read import unpack
from tsd.results.bundle_write import describe, write_bundle

WRITERS = {".tar.gz": write_tar, ".zip": write_zip}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "unpacked").mkdir()
    return tmp_path / "unpacked"


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_sound_bundle_is_unpacked(tmp_path, folder, suffix):
    bundle = WRITERS[suffix](tmp_path / f"b{suffix}", members())
    manifest = unpack(bundle, folder)
    assert manifest.trainings == ["mini/r50/ab12cd34ef/seed0"]
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found == FILES


def with_file(name, content=b"x"):
    return {**FILES, name: content}


LINK = tarfile.TarInfo(f"{TRAINING}/status.json")
LINK.type, LINK.linkname = tarfile.SYMTYPE, "/etc/passwd"
HARD = tarfile.TarInfo(f"{TRAINING}/status.json")
HARD.type, HARD.linkname = tarfile.LNKTYPE, "../x"
DEVICE = tarfile.TarInfo(f"{TRAINING}/status.json")
DEVICE.type = tarfile.CHRTYPE

WRONG = {
    "up": ([*members(), ("../x", b"x")], r"'\.\./x' leads out"),
    "up within": ([*members(), (f"{TRAINING}/../../x", b"x")], r"seed0/\.\./\.\./x' leads out"),
    "absolute": ([*members(), ("/etc/x", b"x")], r"'/etc/x' leads out"),
    "backslash": ([*members(), (f"{TRAINING}/..\\x", b"x")], "leads out"),
    "unknown place": ([*members(), ("setup.py", b"x")], "'setup.py' leads out"),
    "hidden": ([*members(), (f"{TRAINING}/.lock", b"x")], "leads out"),
    "link": ([*members(), ("", LINK)], "status.json' is no plain file"),
    "hard link": ([*members(), ("", HARD)], "status.json' is no plain file"),
    "device": ([*members(), ("", DEVICE)], "status.json' is no plain file"),
    "unlisted": (
        [*members(), (f"{TRAINING}/status.json", b"{}")],
        "status.json' is not in the manifest",
    ),
    "twice": ([*members(), ("collected.json", b"{}")], "'collected.json' is there twice"),
    "missing": (members({"collected.json": b"{}"}, FILES), "lacks .*metrics.json"),
    "other content": (
        members(with_file("collected.json", b"[]"), FILES),
        "'collected.json' is not what the manifest says: its SHA-256 differs",
    ),
    "other size": (
        members(with_file("collected.json", b"{ }"), FILES),
        "'collected.json' has 3 bytes, the manifest says 2",
    ),
    "no manifest": (list(FILES.items()), "is no bundle, since its first file is not manifest.json"),
    "empty": ([], "is no bundle"),
    "version": (members(version=2), "has version 2, this project reads version 1"),
    "true": (members(version=True), "has version True"),
    "key": (members(extra=1), "manifest.json: key extra"),
    "not JSON": ([("manifest.json", b"{"), *FILES.items()], "manifest.json: is not JSON"),
    "a list": ([("manifest.json", b"[]"), *FILES.items()], "has version None"),
    "listed path": (members(with_file("../x")), r"'\.\./x' is no path of a file in a bundle"),
    "other grid": (members(grid="paper"), "is not of the grid paper"),
    "no declarations": (members({f"{TRAINING}/a.json": b""}), "collected.json is not listed"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_bundle_that_is_not_what_it_says_is_refused_by_name(tmp_path, folder, wrong):
    content, message = WRONG[wrong]
    bundle = write_tar(tmp_path / "b.tar.gz", content)
    with pytest.raises(BundleError, match=message) as refused:
        unpack(bundle, folder)
    assert str(bundle) in str(refused.value)
    outside = {p for p in tmp_path.rglob("*") if p.is_file()} - set(folder.rglob("*"))
    assert outside == {bundle}


def test_a_zip_file_may_not_hold_links_or_lead_out_either(tmp_path, folder):
    link = zipfile.ZipInfo(f"{TRAINING}/status.json")
    link.external_attr = 0o120777 << 16
    for name, content, message in (
        (link, "/etc/passwd", "no plain file"),
        ("../x", "x", "leads out"),
        ("results/", "", "no plain file"),
    ):
        bundle = write_zip(tmp_path / "b.zip", [*members(), (name, content)])
        with pytest.raises(BundleError, match=message):
            unpack(bundle, folder)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_bundle_that_was_cut_off_or_damaged_anywhere_is_refused(tmp_path, folder, suffix):
    whole = WRITERS[suffix](tmp_path / f"b{suffix}", members()).read_bytes()
    broken = tmp_path / f"broken{suffix}"
    for length in (0, 1, 3, 30, len(whole) // 2, len(whole) - 5):
        broken.write_bytes(whole[:length])
        with pytest.raises(BundleError, match=f"broken{suffix}: "):
            unpack(broken, folder)
    changed = bytearray(whole)
    changed[len(whole) // 3] ^= 0xFF
    broken.write_bytes(changed)
    with pytest.raises(BundleError, match=f"broken{suffix}: "):
        unpack(broken, folder)


def test_what_follows_the_end_of_the_archive_is_refused(tmp_path, folder):
    whole = write_tar(tmp_path / "b.tar.gz", members()).read_bytes()
    bundle = tmp_path / "b.tar.gz"
    bundle.write_bytes(gzip.compress(gzip.decompress(whole) + b"\0" * 20000 + b"more"))
    with pytest.raises(BundleError, match="something follows the end"):
        unpack(bundle, folder)


def test_a_bundle_that_is_not_there_is_named(tmp_path, folder):
    with pytest.raises(BundleError, match=r"absent\.zip: no such file"):
        unpack(tmp_path / "absent.zip", folder)


@pytest.mark.parametrize(
    "path",
    ["", "/", ".", "results", "results/mini/r50/x/seed0/a", f"{TRAINING}/", f"{TRAINING}/a\n",
     f"{TRAINING}//a", "results/../datasets/a.json", "results/mini/datasets/../a.json"],
)  # fmt: skip
def test_a_path_that_is_no_place_in_a_bundle_is_not_safe(path):
    assert not is_safe(path)


def test_the_files_of_a_training_are_chosen_by_rule(tmp_path):
    names = (
        "metrics.json",
        "errors/kinds.json",
        "milestones/ap_500.json",
        "weights.pth",
        "milestones/weights_500.pth",
        "work/iter_4.pth",
        "work/scalars.json",
        "logs/train.log",
        ".metrics.json.host.12",
        "work/.lock",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.json").symlink_to("/etc/passwd")

    def chosen(with_weights):
        found = bundled_paths(tmp_path, with_weights)
        return {str(path.relative_to(tmp_path)) for path in found}

    assert chosen(False) == {"metrics.json", "errors/kinds.json", "milestones/ap_500.json"}
    assert chosen(True) - chosen(False) == {"weights.pth", "milestones/weights_500.pth"}


def manifest_of(*files):
    return Manifest.model_validate({**manifest({}), "files": files})


def test_a_file_that_changes_while_it_is_bundled_leaves_no_bundle(tmp_path):
    source = tmp_path / "metrics.json"
    for later in (b"other", b"short", b"much longer than before", b""):
        source.write_bytes(b"first")
        file = describe(f"{TRAINING}/metrics.json", source)
        collected = describe("collected.json", b"{}")
        described = manifest_of(file, collected)
        source.write_bytes(later)
        for suffix in WRITERS:
            with pytest.raises(BundleError, match=r"metrics\.json has changed"):
                write_bundle(
                    tmp_path / f"b{suffix}",
                    described,
                    {file.path: source, "collected.json": b"{}"},
                )
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]


def test_a_bundle_has_one_of_two_endings(tmp_path):
    described = manifest_of(describe("collected.json", b"{}"))
    with pytest.raises(BundleError, match=r"b\.rar: the name of a bundle ends with"):
        write_bundle(tmp_path / "b.rar", described, {"collected.json": b"{}"})
