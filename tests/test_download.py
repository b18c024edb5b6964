"""Downloads from a server of our own on this machine: whole, broken off and continued, damaged, absent."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from nnlang.codes import data as codes
from nnlang.codes import files as file_codes
from nnlang.diagnostics import Stop
from nnlang.runtime import download
from nnlang.runtime.download import COLLECTIONS, Collection, collection, extract, get, take

TABLE = b"userId,movieId,rating,timestamp\n" + b"".join(b"%d,%d,4.0,1\n" % (i, i * 7) for i in range(20_000))


def packed(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_csv", ".csv"), data)
    return content.getvalue()


ZIP = packed(ml__ratings_csv=TABLE, __etc__passwd=b"no")


class _Server(ThreadingHTTPServer):
    """Serves `files`; `cut` bytes at most per answer, ranges where `ranges` says so. `asked` keeps the requests."""

    files: dict[str, bytes]
    cut: int = 1 << 30
    ranges: bool = True
    asked: list[tuple[str, str | None]]


class _Answers(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        first = int(re.findall(r"\d+", wanted)[0]) if wanted and self.server.ranges else 0
        if first >= len(content) > 0:
            self.send_error(416)
            return
        self.send_response(206 if wanted and self.server.ranges else 200)
        if wanted and self.server.ranges:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        self.wfile.write(content[first : first + self.server.cut])
        self.close_connection = True

    def log_message(self, format: str, *arguments: Any) -> None:
        """Quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = _Server(("127.0.0.1", 0), _Answers)
    md5 = hashlib.md5(ZIP).hexdigest()
    made.files = {"/ml.zip": ZIP, "/ml.zip.md5": f"MD5 (ml.zip) = {md5}\n".encode()}
    made.asked = []
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def of(server: _Server) -> Collection:
    url = f"http://127.0.0.1:{server.server_port}/ml.zip"
    return Collection("ml", url, url + ".md5", "ml/ratings.csv", "about", "terms")


def test_a_download_is_checked_extracted_and_remembered(server: _Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    table = get(of(server), tmp_path / "new", lambda done, total: seen.append((done, total)))
    assert table == tmp_path / "new" / "ratings.csv"
    assert table.read_bytes() == TABLE
    assert seen[-1] == (len(ZIP), len(ZIP))
    assert {p.name for p in table.parent.iterdir()} == {"ml.zip", "ml.zip.sha256", "ratings.csv"}
    server.asked.clear()
    table.unlink()
    assert get(of(server), tmp_path / "new") == table
    assert server.asked == []


@pytest.mark.parametrize("ranges", [True, False])
def test_what_broke_off_is_continued(server: _Server, tmp_path: Path, ranges: bool) -> None:
    server.cut = 1000
    with pytest.raises(Stop) as stopped:
        get(of(server), tmp_path)
    assert stopped.value.diagnostics[0].code is codes.NO_NETWORK
    assert (tmp_path / "ml.zip.part").stat().st_size == 1000
    assert not (tmp_path / "ml.zip").exists()
    server.cut, server.ranges = 1 << 30, ranges
    assert get(of(server), tmp_path).read_bytes() == TABLE
    assert server.asked[-1] == ("/ml.zip", "bytes=1000-")


def test_a_part_that_is_whole_is_enough(server: _Server, tmp_path: Path) -> None:
    (tmp_path / "ml.zip.part").write_bytes(ZIP)
    assert get(of(server), tmp_path).read_bytes() == TABLE


def test_a_wrong_checksum_is_told_and_the_file_goes(server: _Server, tmp_path: Path) -> None:
    (tmp_path / "ml.zip.part").write_bytes(b"x" * 1000)
    with pytest.raises(Stop) as stopped:
        get(of(server), tmp_path)
    assert stopped.value.diagnostics[0].code is codes.BAD_CHECKSUM
    assert list(tmp_path.iterdir()) == []
    assert get(of(server), tmp_path).read_bytes() == TABLE


@pytest.mark.parametrize("missing", ["/ml.zip", "/ml.zip.md5"])
def test_without_network_the_remedy_is_told(server: _Server, tmp_path: Path, missing: str) -> None:
    del server.files[missing]
    with pytest.raises(Stop) as stopped:
        get(of(server), tmp_path)
    found = stopped.value.diagnostics[0]
    assert found.code is codes.NO_NETWORK
    assert "404" in found.message
    assert "--from ml.zip" in found.remedy


def test_no_checksum_in_the_answer(server: _Server, tmp_path: Path) -> None:
    server.files["/ml.zip.md5"] = b"<html>please log in</html>"
    with pytest.raises(Stop) as stopped:
        get(of(server), tmp_path)
    assert "no checksum" in stopped.value.diagnostics[0].message


def test_no_server_at_all(tmp_path: Path) -> None:
    nowhere = Collection("ml", "http://127.0.0.1:9/ml.zip", "http://127.0.0.1:9/ml.zip.md5", "a", "", "")
    with pytest.raises(Stop) as stopped:
        get(nowhere, tmp_path)
    assert stopped.value.diagnostics[0].code is codes.NO_NETWORK


def test_files_at_hand_need_no_network(tmp_path: Path) -> None:
    wanted = Collection("ml", "", "", "ml/ratings.csv", "", "")
    (tmp_path / "a.zip").write_bytes(ZIP)
    (tmp_path / "ratings.csv").write_bytes(TABLE)
    assert take(tmp_path / "a.zip", wanted, tmp_path / "one").read_bytes() == TABLE
    assert take(tmp_path / "ratings.csv", wanted, tmp_path / "two").read_bytes() == TABLE
    assert take(tmp_path / "ratings.csv", wanted, tmp_path) == tmp_path / "ratings.csv"
    assert [p.name for p in (tmp_path / "one").iterdir()] == ["ratings.csv"]


def test_archives_that_cannot_be_used(tmp_path: Path) -> None:
    wanted = Collection("ml", "", "", "ml/ratings.csv", "", "")
    damaged = bytearray(ZIP)
    damaged[5000] ^= 1
    for content in (b"no zip", packed(other=b""), bytes(damaged), ZIP[:-30]):
        (tmp_path / "a.zip").write_bytes(content)
        with pytest.raises(Stop) as stopped:
            take(tmp_path / "a.zip", wanted, tmp_path)
        assert stopped.value.diagnostics[0].code is codes.BAD_ARCHIVE
        assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]
    with pytest.raises(Stop) as stopped:
        extract(tmp_path / "a.zip", wanted, tmp_path)
    assert stopped.value.diagnostics[0].code is codes.BAD_ARCHIVE


def test_collections_are_known_by_name(tmp_path: Path) -> None:
    assert collection("ml-20m") is COLLECTIONS["ml-20m"]
    with pytest.raises(Stop) as stopped:
        collection("ml-1b")
    assert stopped.value.diagnostics[0].code is codes.UNKNOWN_COLLECTION
    (tmp_path / "file").touch()
    with pytest.raises(Stop) as stopped:
        take(tmp_path / "file", COLLECTIONS["ml-20m"], tmp_path)
    assert stopped.value.diagnostics[0].code is file_codes.EMPTY_FILE


def test_addresses_are_those_of_the_publisher() -> None:
    assert all(c.url.startswith("https://") and c.checksum == c.url + ".md5" for c in COLLECTIONS.values())
    assert download.COLLECTIONS["ml-20m"].member == "ml-20m/ratings.csv"
