"""Static files: compressed for who takes it, as they are for who does not, never an old copy."""

import contextlib
import gzip
from io import BytesIO
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from triage.intake import static_files

pytestmark = pytest.mark.once


@pytest.fixture
def get(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    application = static_files.in_front_of(lambda _environ, _start: pytest.fail("it went on to Django"))

    def ask(path, **headers):
        seen = []
        environ = {"PATH_INFO": path, "REQUEST_METHOD": "GET", "wsgi.input": BytesIO()} | headers
        answer = application(environ, lambda status, found: seen.append((status, dict(found))))
        with contextlib.closing(answer):
            return seen[0][0], seen[0][1], b"".join(answer)

    return ask


def test_a_style_sheet_is_compressed_for_who_takes_it(get):
    plain = Path(finders.find("css/tokens.css")).read_bytes()
    status, headers, body = get("/static/css/tokens.css", HTTP_ACCEPT_ENCODING="gzip, br")
    assert (status, headers["Content-Encoding"], headers["Vary"]) == ("200 OK", "gzip", "Accept-Encoding")
    assert (int(headers["Content-Length"]), gzip.decompress(body)) == (len(body), plain)
    assert len(body) < len(plain) / 2
    status, headers, body = get("/static/css/tokens.css")
    assert (status, headers.get("Content-Encoding"), body) == ("200 OK", None, plain)


def test_small_files_and_pictures_are_served_as_they_are(tmp_path):
    small, picture = tmp_path / "a.css", tmp_path / "b.png"
    small.write_bytes(b"x" * (static_files.WORTH_IT - 1))
    picture.write_bytes(b"x" * 10_000)
    assert static_files.compressed(small, tmp_path / "copies") is None
    assert static_files.compressed(picture, tmp_path / "copies") is None
    assert not (tmp_path / "copies").exists()


def test_a_file_that_changed_has_another_copy(tmp_path):
    file = tmp_path / "a.js"
    file.write_bytes(b"a" * 2000)
    first = static_files.compressed(file, tmp_path / "copies")
    assert static_files.compressed(file, tmp_path / "copies") == first
    file.write_bytes(b"b" * 2000)
    second = static_files.compressed(file, tmp_path / "copies")
    assert (gzip.decompress(first.read_bytes()), gzip.decompress(second.read_bytes())) == (b"a" * 2000, b"b" * 2000)
    assert sorted((tmp_path / "copies").iterdir()) == sorted([first, second])


@pytest.mark.django_db
def test_a_page_is_compressed_for_who_takes_it_and_its_length_says_nothing(client):
    plain = client.get("/login/")
    assert "Content-Encoding" not in plain.headers
    answers = [client.get("/login/", headers={"Accept-Encoding": "gzip"}) for _ in range(8)]
    assert {answer.headers["Content-Encoding"] for answer in answers} == {"gzip"}
    assert "<title>" in gzip.decompress(answers[0].content).decode()
    assert len({len(answer.content) for answer in answers}) > 1
