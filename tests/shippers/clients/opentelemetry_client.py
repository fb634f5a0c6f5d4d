"""The OpenTelemetry SDK: log records over OTLP/HTTP, protobuf and gzip.

opentelemetry_client.py PORT TOKEN MARKER COUNT
"""

import logging
import sys

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

port, token, marker, count = sys.argv[1:]
exporter = OTLPLogExporter(
    endpoint=f"http://127.0.0.1:{port}/v1/logs", headers={"Authorization": f"Bearer {token}"},
    compression=Compression.Gzip, timeout=60,
)  # fmt: skip
provider = LoggerProvider(resource=Resource.create({"service.name": "shop", "host.name": "web-7"}))
provider.add_log_record_processor(BatchLogRecordProcessor(exporter, export_timeout_millis=60_000))
logger = logging.getLogger("app")
logger.addHandler(LoggingHandler(level=logging.INFO, logger_provider=provider))
logger.setLevel(logging.INFO)
for number in range(int(count)):
    logger.warning("%s-%d", marker, number)
provider.force_flush(60_000)
provider.shutdown()
