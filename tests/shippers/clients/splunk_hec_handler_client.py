"""PyPI splunk-hec-handler: one HEC request per record, never retried.

splunk_hec_handler_client.py PORT TOKEN MARKER COUNT
"""

import logging
import sys

from splunk_hec_handler import SplunkHecHandler

port, token, marker, count = sys.argv[1:]
handler = SplunkHecHandler("127.0.0.1", token, port=int(port), proto="http", source="splunk-hec-handler")
logger = logging.getLogger("app")
logger.addHandler(handler)
logger.setLevel(logging.INFO)
for number in range(int(count)):
    logger.info({"message": f"{marker}-{number}"})
