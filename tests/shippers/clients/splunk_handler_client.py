"""PyPI splunk-handler: HEC events, retried by urllib3 on 429, 500, 502, 503 and 504.

splunk_handler_client.py PORT TOKEN MARKER COUNT
"""

import logging
import sys

from splunk_handler import SplunkHandler

port, token, marker, count = sys.argv[1:]
handler = SplunkHandler(
    host="127.0.0.1", port=port, token=token, index="main", protocol="http", verify=False,
    flush_interval=0.2, retry_count=8, retry_backoff=0.2, sourcetype="app", source="splunk-handler",
)  # fmt: skip
logger = logging.getLogger("app")
logger.addHandler(handler)
logger.setLevel(logging.INFO)
for number in range(int(count)):
    logger.info("%s-%d", marker, number)
logging.shutdown()
