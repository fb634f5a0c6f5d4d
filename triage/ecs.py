"""The Elastic Common Schema names that Winnow gives a meaning of its own.

Handed: nothing. Hands on: field-name constants, the columns an event row has beside its document, and
the order in which fields name the entity of an event. Field names: Elastic Common Schema 8.17 reference.
"""

from collections.abc import Mapping

#: Longest text each column takes, in the order of :data:`COLUMNS`.
COLUMN_WIDTHS: tuple[tuple[str, int], ...] = (
    ("event.category", 64),
    ("event.action", 128),
    ("event.outcome", 16),
    ("event.code", 64),
    ("log.level", 32),
    ("host.name", 255),
    ("user.name", 255),
    ("source.ip", 64),
    ("destination.ip", 64),
    ("process.name", 255),
)

#: ECS field -> column of the event table (same name, dots as underscores).
COLUMNS: dict[str, str] = {name: name.replace(".", "_") for name, _ in COLUMN_WIDTHS}

#: Which field names the entity of an event, first one present wins: (ECS field, entity kind).
ENTITY_FIELDS: tuple[tuple[str, str], ...] = (
    ("user.name", "user"),
    ("host.name", "host"),
    ("source.ip", "address"),
    ("process.name", "process"),
)

#: Fields whose text an attacker chooses. Shown marked, capped before a model sees them.
ATTACKER_WRITTEN = frozenset(
    {
        "message",
        "user.name", "user.full_name", "user.email", "user.target.name", "user.effective.name", "source.user.name",
        "user_agent.original", "user_agent.name",
        "url.original", "url.full", "url.path", "url.query", "url.fragment", "url.domain",
        "http.request.referrer", "http.request.body.content",
        "process.command_line", "process.args", "process.title", "process.parent.command_line", "process.parent.args",
        "powershell.file.script_block_text",
        "dns.question.name", "dns.question.subdomain", "dns.answers.data", "dns.answers.name",
        "source.domain", "client.domain",
        "tls.client.server_name", "tls.client.subject", "tls.client.issuer", "tls.server.subject", "tls.server.issuer",
        "email.subject", "email.from.address", "email.sender.address", "email.reply_to.address", "email.x_mailer",
        "email.attachments.file.name",
        "file.name", "file.path", "file.target_path", "file.directory", "dll.name", "dll.path",
        "registry.path", "registry.key", "registry.value", "registry.data.strings",
    }
)  # fmt: skip
#: What begins so is written by them as well, whatever a sender calls the rest.
ATTACKER_SETS = ("http.request.headers.", "registry.data.", "email.headers.")

#: Fields that name one instance of something (a process, a connection, a record), not what it is. Their
#: values repeat by chance only, so how often one was seen says nothing.
INSTANCE_FIELDS = frozenset(
    {
        "process.pid",
        "process.parent.pid",
        "process.group_leader.pid",
        "process.session_leader.pid",
        "process.thread.id",
        "process.entity_id",
        "process.parent.entity_id",
        "winlog.process.pid",
        "winlog.process.thread.id",
        "winlog.record_id",
        "winlog.activity_id",
        "event.id",
        "event.sequence",
        "trace.id",
        "span.id",
        "transaction.id",
        "source.port",
        "client.port",
    }
)

#: The field sets of the schema: what a name may begin with.
FIELD_SETS = frozenset(
    {
        "@timestamp", "agent", "as", "base", "client", "cloud", "code_signature", "container", "data_stream",
        "destination", "device", "dll", "dns", "ecs", "elf", "email", "entity", "error", "event", "faas", "file",
        "gen_ai", "geo", "group", "hash", "host", "http", "interface", "labels", "log", "macho", "message", "network",
        "observer", "orchestrator", "organization", "os", "package", "pe", "process", "registry", "related", "risk",
        "rule", "server", "service", "source", "span", "tags", "threat", "tls", "trace", "transaction", "url", "user",
        "user_agent", "vlan", "volume", "vulnerability", "x509",
    }
)  # fmt: skip
#: Namespaces that products (and Winnow) have beside the schema; parsers put there what has no name in it.
VENDOR_SETS = frozenset(
    {
        "apache", "auditd", "auth0", "aws", "azure", "bind", "cef", "cisco", "cloudflare", "crowdstrike", "dnsmasq",
        "elastic_agent", "falco", "fortinet", "gcp", "github", "gitlab", "google_workspace", "haproxy",
        "hashicorp_vault", "iis", "input", "iptables", "journald", "kubernetes", "leef", "mysql", "nginx", "o365",
        "ocsf", "okta", "onepassword", "osquery", "otel", "panw", "postfix", "postgresql", "redis", "slack", "snort",
        "sophos", "squid", "suricata", "sysmon", "syslog", "system", "teleport", "traefik", "wazuh", "winlog",
        "winnow", "zeek", "zscaler",
    }
)  # fmt: skip
#: Names of the schema that have nothing after them; any other single word is a sender's own.
PLAIN_NAMES = frozenset({"@timestamp", "message", "labels", "tags"})

SEVERITIES = ("info", "low", "medium", "high", "critical")


def is_known(name: str) -> bool:
    """Return whether a field's name is of the schema or of a product's own namespace.

    >>> is_known("source.ip"), is_known("okta.uuid"), is_known("hostname"), is_known("host"), is_known("my.field")
    (True, True, False, False, False)
    """
    root, dot, _ = name.partition(".")
    return root in FIELD_SETS or root in VENDOR_SETS if dot else name in PLAIN_NAMES


def is_attacker_written(name: str) -> bool:
    """Return whether an attacker chooses the text of a field.

    >>> is_attacker_written("url.path"), is_attacker_written("http.request.headers.x"), is_attacker_written("host.name")
    (True, True, False)
    """
    return name in ATTACKER_WRITTEN or name.startswith(ATTACKER_SETS)


def entity(fields: dict[str, object]) -> str:
    """Return ``kind:value`` of the entity an event is about, or an empty string.

    >>> entity({"host.name": "web-1", "source.ip": "192.0.2.7"})
    'host:web-1'
    """
    for name, kind in ENTITY_FIELDS:
        value = fields.get(name)
        if value:
            return f"{kind}:{value}"[:200]
    return ""


def columns(fields: Mapping[str, object]) -> list[str]:
    """Return the texts of :data:`COLUMN_WIDTHS`, in order.

    >>> columns({"event.action": "login", "user.name": ["root"]})[1:7]
    ['login', '', '', '', '', 'root']
    """
    get = fields.get
    texts: list[str] = []
    for name, width in COLUMN_WIDTHS:
        value = get(name, "")
        texts.append(value if type(value) is str and len(value) <= width else column_text(value, width))
    return texts


def column_text(value: object, width: int) -> str:
    """Return a field's value as the text of a column: lists give their first entry, nothing gives "".

    >>> column_text(["authentication", "session"], 64)
    'authentication'
    """
    if value is None:
        return ""
    if isinstance(value, list):
        return column_text(value[0], width) if value else ""
    return str(value)[:width]
