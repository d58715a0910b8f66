import hashlib
import io
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tsd.data import download
from tsd.data.coco_archives import ARCHIVES, Archive
from tsd.data.download import DownloadError, obtain

FILES = {"val2017/1.jpg": b"one" * 40_000, "val2017/2.jpg": b"two" * 30_000}


def zipped(files, compression=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def archive_of(content, **changes):
    declared = {
        "address": "zips/val2017.zip",
        "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "size": len(content),
        "holds": {"val2017": 2},
    }
    return Archive(**(declared | changes))


CONTENT = zipped(FILES)
ARCHIVE = archive_of(CONTENT)


class Server(ThreadingHTTPServer):
    """Serves one file; can ignore ranges, and cut a connection after so many bytes."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.path = CONTENT, "/zips/val2017.zip"
        self.knows_ranges, self.cuts, self.requested = True, [], []
        self.says_how_long = True

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.requested.append(wanted)
        if self.path != self.server.path:
            return self.send_error(404)
        content = self.server.content
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        if wanted and self.server.knows_ranges:
            if start >= len(content):
                return self.send_error(416)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            content = content[start:]
        else:
            self.send_response(200)
        if self.server.says_how_long:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self.server.cuts.pop(0) if self.server.cuts else None])
        return None

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=[0.01], daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture(autouse=True)
def _no_pauses_and_no_proxy(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "coco"


def files_below(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_an_archive_is_fetched_unpacked_and_removed(server, root):
    lines = []
    record = obtain(ARCHIVE, root, server.url, lines.append)
    assert files_below(root) == FILES
    assert record == {"archive": "val2017.zip", "md5": ARCHIVE.md5, "server": "127.0.0.1"}
    assert "2 files written" in lines[-1]


def test_what_is_there_is_not_fetched_again(server, root):
    obtain(ARCHIVE, root, server.url, print)
    lines = []
    assert obtain(ARCHIVE, root, server.url, lines.append)["server"] is None
    assert len(server.requested) == 1
    assert "already" in lines[0]


def test_a_link_to_a_copy_is_as_good_as_the_copy(server, root, tmp_path):
    obtain(ARCHIVE, root, server.url, print)
    (tmp_path / "link").symlink_to(root)
    obtain(ARCHIVE, tmp_path / "link", server.url, print)
    assert len(server.requested) == 1


def test_a_cut_connection_is_taken_up_where_it_ended(server, root):
    server.cuts = [70_000, 20_000]
    obtain(ARCHIVE, root, server.url, print)
    assert files_below(root) == FILES
    assert server.requested == [None, "bytes=70000-", "bytes=90000-"]


def test_a_later_call_takes_up_what_an_earlier_one_left(server, root):
    server.cuts = [50_000, *[0] * 10]
    with pytest.raises(
        DownloadError, match=r"the connection ended at 50,000 of .* next start goes on"
    ):
        obtain(ARCHIVE, root, server.url, print)
    assert (root / "archives" / "val2017.zip").read_bytes() == CONTENT[:50_000]
    server.cuts, server.requested = [], []
    obtain(ARCHIVE, root, server.url, print)
    assert server.requested == ["bytes=50000-"]
    assert files_below(root) == FILES


def test_a_server_without_ranges_sends_all_of_it_again(server, root):
    server.knows_ranges, server.cuts = False, [50_000]
    obtain(ARCHIVE, root, server.url, print)
    assert files_below(root) == FILES


def test_an_archive_put_there_by_other_means_is_used(server, root):
    (root / "archives").mkdir(parents=True)
    (root / "archives" / "val2017.zip").write_bytes(CONTENT)
    obtain(ARCHIVE, root, server.url, print)
    assert files_below(root) == FILES
    assert server.requested == []


def test_a_whole_archive_of_unknown_size_is_seen_to_be_whole(server, root):
    (root / "archives").mkdir(parents=True)
    (root / "archives" / "val2017.zip").write_bytes(CONTENT)
    obtain(archive_of(CONTENT, size=None), root, server.url, print)
    assert files_below(root) == FILES


@pytest.mark.parametrize("there", [b"", b"x" * 10, b"x" * (len(CONTENT) + 10)])
def test_a_wrong_checksum_is_refused_and_its_file_removed(server, root, there):
    (root / "archives").mkdir(parents=True)
    (root / "archives" / "val2017.zip").write_bytes(there)
    expected = archive_of(CONTENT, md5="0" * 32)
    with pytest.raises(DownloadError, match=r"MD5 sum [0-9a-f]{32} instead of 0{32}.*start again"):
        obtain(expected, root, server.url, print)
    assert files_below(root) == {}


def test_a_file_of_another_size_is_refused_and_what_is_there_kept(server, root):
    (root / "archives").mkdir(parents=True)
    (root / "archives" / "val2017.zip").write_bytes(b"begun")
    with pytest.raises(DownloadError, match=r"instead of 7: not COCO's val2017\.zip"):
        obtain(archive_of(CONTENT, size=7), root, server.url, print)
    assert (root / "archives" / "val2017.zip").read_bytes() == b"begun"


def test_a_file_of_unknown_size_is_refused(server, root):
    server.says_how_long = False
    with pytest.raises(DownloadError, match=r"a file of unknown bytes there instead of"):
        obtain(archive_of(CONTENT), root, server.url, print)


def test_a_server_that_lacks_the_file_is_asked_once(server, root):
    with pytest.raises(DownloadError, match=r"cannot be fetched from 127\.0\.0\.1: .*404"):
        obtain(archive_of(CONTENT, address="zips/val.zip"), root, server.url, print)
    assert len(server.requested) == 1


def test_without_a_network_the_message_says_what_to_do(server, root):
    server.shutdown()
    server.server_close()
    with pytest.raises(DownloadError) as error:
        obtain(ARCHIVE, root, server.url, print)
    for part in ("Connection refused", "TSD_COCO_MIRROR", f"make {root} a link"):
        assert part in str(error.value)


@pytest.mark.parametrize("address", ["ftp://127.0.0.1", "file:///tmp", "images.cocodataset.org"])
def test_a_mirror_is_a_web_address(root, address):
    with pytest.raises(DownloadError, match=f"TSD_COCO_MIRROR: '{address}' is not an http"):
        obtain(ARCHIVE, root, address, print)


@pytest.mark.parametrize("name", ["../out.jpg", "val2017/../../out.jpg", "/out.jpg", "..\\out.jpg"])
def test_an_archive_that_points_out_of_the_folder_is_not_unpacked(server, root, name):
    server.content = zipped({"val2017/1.jpg": b"one", name: b"out"})
    with pytest.raises(DownloadError, match=r"refused, its entries point out of the folder"):
        obtain(archive_of(server.content), root, server.url, print)
    assert list(files_below(root.parent)) == ["coco/archives/val2017.zip"]


def test_only_missing_files_are_written(server, root):
    (root / "val2017").mkdir(parents=True)
    kept = root / "val2017" / "1.jpg"
    kept.write_bytes(FILES["val2017/1.jpg"])
    before = kept.stat()
    lines = []
    obtain(ARCHIVE, root, server.url, lines.append)
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert files_below(root) == FILES
    assert "1 files written" in lines[-1]


@pytest.mark.parametrize("mine", [b"mine", b"ONE" * 40_000])
def test_a_file_that_differs_is_not_overwritten(server, root, mine):
    (root / "val2017").mkdir(parents=True)
    (root / "val2017" / "1.jpg").write_bytes(mine)
    with pytest.raises(DownloadError, match=r"not overwritten: 'val2017/1\.jpg'.*move them away"):
        obtain(ARCHIVE, root, server.url, print)
    assert files_below(root) == {"val2017/1.jpg": mine, "archives/val2017.zip": CONTENT}


def test_an_interrupted_unpacking_does_not_pass_for_a_whole_one(server, root, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download.shutil, "copyfileobj", stop)
        with pytest.raises(KeyboardInterrupt):
            obtain(ARCHIVE, root, server.url, print)
    assert not (root / "val2017" / "1.jpg").exists()
    obtain(ARCHIVE, root, server.url, print)
    assert files_below(root) == FILES


def test_damage_that_the_checksum_does_not_tell_is_told_by_the_archive(server, root):
    content = bytearray(CONTENT)
    content[1000] ^= 1
    server.content = bytes(content)
    with pytest.raises(DownloadError, match=r"val2017\.zip: damaged \(Bad CRC-32"):
        obtain(archive_of(server.content), root, server.url, print)
    assert not (root / "val2017" / "1.jpg").exists()


def test_a_small_disk_is_seen_before_it_is_full(server, root, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(DownloadError, match=r"val2017\.zip needs 0\.00 GB more, 0\.00 GB are free"):
        obtain(ARCHIVE, root, server.url, print)
    assert files_below(root) == {}


def test_a_folder_that_cannot_be_made_is_named(server, root):
    root.symlink_to("nowhere/at/all")
    with pytest.raises(DownloadError, match=r"coco: val2017\.zip cannot be put there"):
        obtain(ARCHIVE, root, server.url, print)


def test_progress_is_told(server, root, monkeypatch):
    monkeypatch.setattr(download, "PERIOD", 0)
    monkeypatch.setattr(download, "CHUNK", 50_000)
    lines = []
    obtain(ARCHIVE, root, server.url, lines.append)
    told = [line for line in lines if "MB/s" in line]
    assert len(told) >= 4
    assert "min left" in told[0]


def test_the_targets_fetch_every_archive_once(tmp_path):
    targets = ["coco2017", "coco2017_val", "coco2017_testdev", "coco2014_minival"]
    options = ["-n", "--quiet", "rules", "-s", Path("Snakefile").resolve()]
    options += ["--directory", tmp_path, "--config", f"experiments={Path('experiments').resolve()}"]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *options, "--", *targets],
        capture_output=True,
        text=True,
        check=False,
    )
    planned = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.M))
    planned.pop("total")
    assert {rule: int(count) for rule, count in planned.items()} == {
        **dict.fromkeys([*targets, "divide_coco2014"], 1),
        "download": len(ARCHIVES),
    }
