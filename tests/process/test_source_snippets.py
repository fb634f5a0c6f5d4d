"""What the sources page tells people to paste works as it stands: a source is made in the browser's way and sends."""

import html
import http.cookiejar
import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.deployment import Deployment

pytestmark = [pytest.mark.process, pytest.mark.once]
LEAD = f"User.objects.create_user('lena', password='{PASSWORD}', role='lead').pk"
LINE = "Nov 22 10:09:59 srv-1 sshd[999]: Failed password for root from 203.0.113.77 port 6 ssh2"


class Person:
    """Somebody at a browser without scripts."""

    def __init__(self, winnow: Deployment) -> None:
        self.url = f"http://127.0.0.1:{winnow.port}"
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))

    def get(self, path: str) -> str:
        with self.opener.open(self.url + path, timeout=30) as answer:
            return str(answer.read().decode())

    def post(self, page: str, path: str, **fields: str) -> str:
        """Send a form that stands on a page."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get(page))
        assert token is not None
        body = urllib.parse.urlencode(fields | {"csrfmiddlewaretoken": token[1]}).encode()
        with self.opener.open(self.url + path, body, timeout=30) as answer:
            return str(answer.read().decode())


def snippet(page: str, name: str) -> str:
    found = re.search(rf'id="s-{name}">(.*?)</code>', page, re.S)
    assert found is not None
    return html.unescape(found[1])


def by_syslog_ng(destination: str, directory: Path, winnow: Deployment) -> int:
    """Send two lines by the pasted destination; return how many were sent: none where syslog-ng is not installed."""
    if not shutil.which("syslog-ng"):
        return 0
    log, conf = directory / "auth.log", directory / "syslog-ng.conf"
    source = f'source s_src {{ file("{log}" follow-freq(0.1) flags(no-parse)); }};'
    conf.write_text(f'@version: 3.38\n@include "scl.conf"\n{source}\n{destination}\n')
    files = {"-f": conf, "-R": directory / "persist", "-p": directory / "pid", "-c": directory / "control"}
    command = ["syslog-ng", "-F", "--no-caps", *(str(word) for pair in files.items() for word in pair)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: winnow.query("sum(RawBatch.objects.values_list('record_count', flat=True))") == 5)
        finally:
            process.terminate()
    return 2


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)


def test_what_is_pasted_from_the_page_sends(deploy: Callable[..., Deployment], tmp_path: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    winnow = deploy()
    assert winnow.query(LEAD) > 0
    lena = Person(winnow)
    assert "Queue" in lena.post("/login/", "/login/", username="lena", password=PASSWORD)
    page = lena.post("/sources/", "/sources/new/", name="edge berlin")
    number = winnow.query("Source.objects.get(name='edge berlin').pk")
    assert "Waiting for the first event" in lena.get(f"/sources/{number}/received/")
    (tmp_path / "auth.log").write_text(f"{LINE}\n{LINE}\n")
    for name, stands_for in (("curl", "/var/log/auth.log"), ("hec", "nothing")):
        command = snippet(page, name).replace(stands_for, str(tmp_path / "auth.log"))
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
    sent = 3 + by_syslog_ng(snippet(page, "syslogng"), tmp_path, winnow)
    assert json.loads(winnow.manage("drain", "--timeout", "60"))["events"] == sent
    assert "Receiving." in lena.get(f"/sources/{number}/received/")
    said = winnow.query("sorted(Event.objects.filter(source__name='edge berlin').values_list('message', flat=True))")
    assert [text for text in said if "hello from HEC" in text] == ["hello from HEC"]
    assert sum("Failed password for root" in text for text in said) == sent - 1
