"""The official Elasticsearch client: the bulk helper with its retries on.

elasticsearch_client.py PORT TOKEN MARKER COUNT
"""

import sys

from elasticsearch import Elasticsearch, helpers

port, token, marker, count = sys.argv[1:]
client = Elasticsearch(
    f"http://127.0.0.1:{port}/elastic", basic_auth=("winnow", token), retry_on_timeout=True, max_retries=8,
    retry_on_status=(429, 502, 503, 504),
)  # fmt: skip
assert client.info()["version"]["number"]
actions = (
    {"_op_type": "create", "_index": "logs-app-default", "_source": {"message": f"{marker}-{number}"}}
    for number in range(int(count))
)
stored, errors = helpers.bulk(client, actions, max_retries=8, initial_backoff=0.2, max_backoff=1)
assert (stored, errors) == (int(count), []), (stored, errors)
