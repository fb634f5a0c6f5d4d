"""Which path belongs to which protocol. A new protocol is a row here and a module beside it.

Handed: a request path without its last slash. Hands on: the endpoint, or ``None`` for a path of Django's.
"""

from triage.intake.azure import AzureEndpoint
from triage.intake.elastic import ElasticEndpoint
from triage.intake.firehose import FirehoseEndpoint
from triage.intake.hec import HecAckEndpoint, HecEventEndpoint, HecHealthEndpoint, HecNowhere, HecRawEndpoint
from triage.intake.ingest import IngestEndpoint, IngestNowhere, SyslogEndpoint
from triage.intake.loki import LokiNowhere, LokiPushEndpoint, LokiReadyEndpoint
from triage.intake.otlp import OtlpEndpoint, OtlpNowhere
from triage.intake.protocol import IntakeProtocol
from triage.intake.pubsub import PubSubEndpoint

_HEC_EVENT, _HEC_RAW, _HEC_HEALTH = HecEventEndpoint(), HecRawEndpoint(), HecHealthEndpoint()

_ELASTIC = ElasticEndpoint()

PATHS: dict[str, IntakeProtocol] = {
    "/services/collector": _HEC_EVENT,
    "/services/collector/event": _HEC_EVENT,
    "/services/collector/event/1.0": _HEC_EVENT,
    "/services/collector/raw": _HEC_RAW,
    "/services/collector/raw/1.0": _HEC_RAW,
    "/services/collector/ack": HecAckEndpoint(),
    "/services/collector/health": _HEC_HEALTH,
    "/services/collector/health/1.0": _HEC_HEALTH,
    "/api/v1/ingest": IngestEndpoint(),
    "/api/v1/ingest/syslog": SyslogEndpoint(),
    "/api/v1/ingest/firehose": FirehoseEndpoint(),
    "/api/v1/ingest/pubsub": PubSubEndpoint(),
    "/elastic": _ELASTIC,
    "/v1/logs": OtlpEndpoint(),
    "/loki/api/v1/push": LokiPushEndpoint(),
    "/ready": LokiReadyEndpoint(),
}
#: Everything below these is the intake's, so that a shipper never meets a page.
PREFIXES: dict[str, IntakeProtocol] = {
    "/services/collector/": HecNowhere(),
    "/api/v1/ingest/": IngestNowhere(),
    "/elastic/": _ELASTIC,
    "/dataCollectionRules/": AzureEndpoint(),
    "/v1/": OtlpNowhere(),
    "/loki/": LokiNowhere(),
}


def endpoint_for(path: str) -> IntakeProtocol | None:
    """Return the endpoint of a path."""
    found = PATHS.get(path)
    if found is not None:
        return found
    return next((endpoint for prefix, endpoint in PREFIXES.items() if path.startswith(prefix)), None)
