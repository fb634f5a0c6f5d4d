"""PyPI python-logging-loki: one JSON push per record, never retried.

logging_loki_client.py PORT TOKEN MARKER COUNT
"""

import logging
import sys

import logging_loki

port, token, marker, count = sys.argv[1:]
handler = logging_loki.LokiHandler(
    url=f"http://127.0.0.1:{port}/loki/api/v1/push", tags={"app": "shop"}, auth=("tenant", token), version="1"
)
logger = logging.getLogger("app")
logger.addHandler(handler)
logger.setLevel(logging.INFO)
for number in range(int(count)):
    logger.info("%s-%d", marker, number)
