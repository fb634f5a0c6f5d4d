"""The eight severities of syslog, in the words ECS uses (RFC 5424, table 2)."""

SEVERITIES = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
