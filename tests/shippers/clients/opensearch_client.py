"""The official OpenSearch client: the bulk helper with its retries on, an id for every document.

opensearch_client.py PORT TOKEN MARKER COUNT
"""

import sys

from opensearchpy import OpenSearch, helpers

port, token, marker, count = sys.argv[1:]
client = OpenSearch(
    f"http://127.0.0.1:{port}/elastic", http_auth=("winnow", token), retry_on_timeout=True, max_retries=8,
    retry_on_status=(429, 502, 503, 504),
)  # fmt: skip
actions = (
    {"_op_type": "index", "_index": "logs-app", "_id": f"{marker}-{number}", "message": f"{marker}-{number}"}
    for number in range(int(count))
)
stored, errors = helpers.bulk(client, actions, max_retries=8, initial_backoff=0.2, max_backoff=1)
assert (stored, errors) == (int(count), []), (stored, errors)
