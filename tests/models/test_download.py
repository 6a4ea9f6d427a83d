"""Checkpoints from a hub, here a small server of this test with the hub's interface."""

import dataclasses
import errno
import hashlib
import json
import os
import re
import threading
import time
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

import huggingface_hub.constants
import pytest
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError

from models import download
from models.catalog import card
from models.errors import InputError
from models.weights import check_file

COMMIT = "c" * 40
WEIGHTS = bytes(range(256)) * 4000
INDEX = b'{"transformer": ["diffusers", "Net"], "safety_checker": [null, null]}'
FILES = {
    "model_index.json": INDEX,
    "transformer/config.json": b"{}",
    "transformer/model.safetensors": WEIGHTS,
    "transformer/model.fp16.safetensors": b"x" * 100,
    "transformer/model.fp16-00001-of-00002.safetensors": b"x" * 100,
    "everything.safetensors": b"x" * 100,
    "README.md": b"words",
}
MODEL = dataclasses.replace(card("pocket"), title="Far", source="someone/far")
LOST = "d" * 40
GATED = dataclasses.replace(MODEL, title="Shut", source="someone/shut")
REFUSED = {
    LOST: (404, {"X-Error-Code": "RevisionNotFound"}),
    "someone/shut": (403, {"X-Error-Code": "GatedRepo"}),
    "someone/strict": (401, {"X-Error-Message": "Invalid credentials in Authorization header"}),
}
"""How the hub refuses what has these words in its path."""
Usage = namedtuple("Usage", "total used free")


class Hub(BaseHTTPRequestHandler):
    """Two repositories that are open, one that is gated, and none else."""

    asked: list[str] = []  # noqa: RUF012 - one server a test

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = unquote(urlparse(self.path).path)
        Hub.asked.append(f"{self.command} {path}")
        for part, (status, headers) in REFUSED.items():
            if part in path:
                return self.answer(status, b"{}", headers)
        if "/tree/" in path:
            entries = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in FILES.items()
            ]
            return self.answer(200, json.dumps(entries).encode())
        if path.startswith(("/api/models/someone/far", "/api/models/someone/near")):
            siblings = [{"rfilename": name, "size": len(data)} for name, data in FILES.items()]
            about = {"id": "someone/far", "modelId": "someone/far", "sha": COMMIT, "siblings": siblings}
            return self.answer(200, json.dumps(about).encode())
        for name, data in FILES.items():
            if path.endswith(f"/{name}") and "/resolve/" in path:
                etag = hashlib.sha1(data).hexdigest()
                return self.answer(200, data, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
        return self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in {**dict(headers), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    Hub.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    for name, value in (
        ("ENDPOINT", address),
        ("HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"),
        ("HF_HUB_OFFLINE", False),
        ("HF_HUB_CACHE", str(tmp_path / "cache")),
    ):
        monkeypatch.setattr(huggingface_hub.constants, name, value)
    yield server
    server.shutdown()
    server.server_close()


def test_the_plan_says_how_much_is_missing_and_how_much_room_there_is(hub):
    wanted = download.plan(MODEL)
    assert wanted.missing == wanted.size == len(INDEX + WEIGHTS) + 2
    assert wanted.sentence.startswith("1 MB of 1 MB are to be downloaded; ")
    assert not download.is_here(MODEL)


def test_a_download_brings_what_the_pipeline_loads_and_tells_how_far_it_is(hub):
    told: list[str] = []
    folder = download.fetch(MODEL, told.append)
    assert (folder / "transformer" / "model.safetensors").read_bytes() == WEIGHTS
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {"model_index.json", "transformer/config.json", "transformer/model.safetensors"}
    assert told[0] == "Far is being downloaded: 0 MB of 1 MB."
    assert told[-1] == "Far is being downloaded: 1 MB of 1 MB."


def test_a_network_that_comes_from_elsewhere_is_not_downloaded(hub):
    assert download.plan(MODEL, ["transformer"]).size < download.plan(MODEL).size
    folder = download.fetch(MODEL, without=["transformer"])
    assert (folder / "transformer" / "config.json").is_file()
    assert not list(folder.rglob("*.safetensors"))
    assert download.is_here(MODEL, ["transformer"])


def test_what_is_gathered_from_several_repositories_is_fetched_from_all(hub):
    parts = {"someone/far": ("everything.safetensors",), "someone/near": ("transformer/*.safetensors",)}
    gathered = dataclasses.replace(MODEL, parts=parts)
    told: list[str] = []
    assert not download.is_here(gathered)
    assert download.plan(gathered).missing == 100 + len(WEIGHTS)
    assert download.fetch(gathered, told.append) is None  # loaded by its ids, from what is here now
    assert told[-1] == "Far is being downloaded: 1 MB of 1 MB."
    assert download.is_here(gathered)
    fetched = [line for line in Hub.asked if line.startswith("GET") and "/resolve/" in line]
    assert len(fetched) == 2


def test_what_is_here_is_not_fetched_again(hub):
    folder = download.fetch(MODEL)
    assert download.is_here(MODEL)
    Hub.asked.clear()
    assert download.fetch(MODEL) == folder
    assert Hub.asked == []


WANTED = ("model_index.json", "transformer/config.json", "transformer/model.safetensors")


def older_download(*names):
    """Files as an older client of the hub left them: without a list of what there is."""
    for name in names:
        hf_hub_download(MODEL.source, name)


@pytest.mark.parametrize("missing", WANTED)
def test_part_of_an_older_download_is_not_taken_for_all_of_it(hub, missing):
    older_download(*(name for name in WANTED if name != missing))
    assert not download.is_here(MODEL)
    folder = download.fetch(MODEL)
    assert (folder / missing).read_bytes() == FILES[missing]
    assert download.is_here(MODEL)


def test_an_older_download_is_compared_with_the_hub_once(hub, monkeypatch):
    older_download(*WANTED)
    monkeypatch.setitem(FILES, "transformer/merges.txt", b"nothing here names it")
    assert download.is_here(MODEL)
    folder = download.fetch(MODEL)
    assert (folder / "transformer" / "merges.txt").is_file()
    Hub.asked.clear()
    assert download.fetch(MODEL) == folder
    assert Hub.asked == []


def test_an_older_download_is_compared_at_its_own_commit(hub):
    older_download(*WANTED)
    Hub.asked.clear()
    assert download.plan(MODEL).missing == 0
    assert Hub.asked
    assert all(COMMIT in line for line in Hub.asked)


@pytest.mark.parametrize("offline", [True, False])
def test_an_older_download_is_loaded_without_a_network_and_without_a_wait(hub, monkeypatch, offline):
    older_download(*WANTED)
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"waits for {seconds} s"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    assert download.is_here(MODEL)
    assert (download.fetch(MODEL) / "transformer" / "model.safetensors").read_bytes() == WEIGHTS


def test_a_damaged_file_is_fetched_again_once_what_its_error_names_is_deleted(hub):
    """The hub's client keeps weights elsewhere and links to them; it takes what is there for whole."""
    file = download.fetch(MODEL) / "transformer" / "model.safetensors"
    os.truncate(file, 1000)
    with pytest.raises(InputError, match=r"Delete \S+, and fetch it again") as damage:
        check_file(file, MODEL.title)
    Path(re.search(r"Delete (\S+), and", str(damage.value))[1]).unlink()
    download.fetch(MODEL)
    assert file.read_bytes() == WEIGHTS


def test_a_disk_that_is_too_small_is_told_before_the_download(hub, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: Usage(0, 0, 10**6))
    with pytest.raises(InputError, match=r"needs 1 MB on the disk and 1 MB are free\. Make room"):
        download.fetch(MODEL)
    assert not [line for line in Hub.asked if line.startswith("GET") and "/resolve/" in line]


def test_a_gated_model_says_where_its_licence_is_accepted(hub):
    with pytest.raises(InputError, match=r"Accept it at huggingface\.co/someone/shut"):
        download.fetch(GATED)


def test_a_gated_part_of_a_model_says_where_its_own_licence_is_accepted(hub):
    parts = {"someone/far": download.FILES, "someone/shut": ("*",)}
    with pytest.raises(InputError, match=r"Accept it at huggingface\.co/someone/shut"):
        download.fetch(dataclasses.replace(MODEL, parts=parts))


def test_a_pinned_model_is_fetched_at_its_commit(hub):
    pinned = dataclasses.replace(MODEL, revision=COMMIT)
    assert download.fetch(pinned).name == COMMIT
    assert all(COMMIT in line for line in Hub.asked)
    assert download.is_here(pinned)


def test_a_commit_that_the_hub_no_longer_holds_is_told_in_a_sentence(hub):
    with pytest.raises(InputError, match="no longer holds the revision dddddddd of someone/far"):
        download.fetch(dataclasses.replace(MODEL, revision=LOST))


def test_a_model_that_the_hub_does_not_know_is_told_in_a_sentence(hub):
    with pytest.raises(InputError, match="does not know someone/nothing"):
        download.fetch(dataclasses.replace(MODEL, source="someone/nothing"))


@pytest.mark.parametrize("offline", [True, False])
def test_without_a_network_a_sentence_says_what_to_do(hub, monkeypatch, offline):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InputError, match="out of reach"):
        download.fetch(MODEL)


def test_a_token_that_is_no_longer_valid_is_told_as_that(hub):
    with pytest.raises(InputError, match=r"refuses the token .* remove it"):
        download.fetch(dataclasses.replace(MODEL, source="someone/strict"))


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            HfHubHTTPError.__bases__[0]("Connection reset by peer"),
            r"broke off \(Connection reset by peer\)\.",
        ),
        (RuntimeError("Data processing error: CAS service error"), r"broke off \(Data processing error"),
        (OSError(errno.ENOSPC, "No space left on device"), r"disk is full\. What has arrived of Far is kept"),
        (RuntimeError("IO error: No space left on device (os error 28)"), r"disk is full\."),
    ],
)
def test_a_download_that_breaks_off_is_told_as_what_it_is(hub, monkeypatch, error, sentence):
    def breaks(**how):
        if how.get("dry_run") or how.get("local_files_only"):
            return asked(**how)
        raise error

    asked = huggingface_hub.snapshot_download
    monkeypatch.setattr(huggingface_hub, "snapshot_download", breaks)
    with pytest.raises(InputError, match=sentence):
        download.fetch(MODEL)


def test_the_embedded_model_is_always_here():
    assert not download.on_hub(card("pocket"))
    assert download.is_here(card("pocket"))
