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
from triage.plugins import PluginError, load_table

#: Entry points of this group add paths: the name is the path, the object an endpoint.
GROUP = "winnow.paths"
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


def free_paths() -> dict[str, IntakeProtocol]:
    """Return the paths of installed packages; a path that is somebody's already is refused."""
    added: dict[str, IntakeProtocol] = load_table({}, GROUP)
    taken = [path for path in added if path in PATHS or path.startswith(tuple(PREFIXES)) or not path.startswith("/")]
    if taken:
        raise PluginError(f"{taken[0]!r} of group {GROUP} is not a free path")
    return added


PATHS |= free_paths()


def endpoint_for(path: str) -> IntakeProtocol | None:
    """Return the endpoint of a path."""
    found = PATHS.get(path)
    if found is not None:
        return found
    return next((endpoint for prefix, endpoint in PREFIXES.items() if path.startswith(prefix)), None)
