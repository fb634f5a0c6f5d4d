"""Route 53 Resolver query logs and AWS WAF logs.

Handed: one JSON record of either. Hands on: who asked for what, and what was answered or blocked, in ECS terms; the
rest under ``aws.route53.`` or ``aws.waf.``. Formats: Route 53 developer guide, "Values that appear in Resolver query
logs"; WAF developer guide, "Log fields".
"""

from typing import Any

from triage.contracts import Fields
from triage.parsers.layouts import DocumentParser, Layout, named_values, put, summarise
from triage.parsers.web_access import read_target


class Route53Resolver(DocumentParser):
    """Resolver query logs."""

    name = "route53_resolver"
    layout = Layout(
        prefix="aws.route53.",
        times=("query_timestamp",),
        constant=(
            ("event.module", "aws"),
            ("event.dataset", "aws.route53_resolver_logs"),
            ("event.category", "network"),
            ("event.action", "dns-query"),
            ("network.protocol", "dns"),
            ("cloud.provider", "aws"),
        ),
        rows=(
            ("cloud.account.id", ("account_id",)),
            ("cloud.region", ("region",)),
            ("cloud.instance.id", ("srcids.instance",)),
            ("dns.question.name", ("query_name",)),
            ("dns.question.type", ("query_type",)),
            ("dns.question.class", ("query_class",)),
            ("dns.response_code", ("rcode",)),
            ("dns.answers.data", ("answers.Rdata",)),
            ("source.ip", ("srcaddr",)),
            ("source.port", ("srcport",)),
            ("network.transport", ("transport",)),
            ("rule.name", ("firewall_rule_group_id",)),
        ),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        return 95 if "query_timestamp" in content and "query_name" in content else 0

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        transport = fields.get("network.transport")
        if type(transport) is str:
            fields["network.transport"] = transport.lower()
        verdict = content.get("firewall_rule_action")
        if verdict == "BLOCK":
            fields["event.outcome"] = "failure"
        elif content.get("rcode") == "NOERROR":
            fields["event.outcome"] = "success"
        return summarise(fields, "dns.question.type", "dns.response_code")


class AwsWaf(DocumentParser):
    """Web ACL traffic logs."""

    name = "aws_waf"
    layout = Layout(
        prefix="aws.waf.",
        times=("timestamp",),
        constant=(
            ("event.module", "aws"),
            ("event.dataset", "aws.waf"),
            ("event.category", "web"),
            ("cloud.provider", "aws"),
        ),
        rows=(
            ("event.action", ("action",)),
            ("event.id", ("httpRequest.requestId",)),
            ("rule.id", ("terminatingRuleId",)),
            ("rule.ruleset", ("terminatingRuleType",)),
            ("source.ip", ("httpRequest.clientIp",)),
            ("source.geo.country_iso_code", ("httpRequest.country",)),
            ("http.request.method", ("httpRequest.httpMethod",)),
            ("url.path", ("httpRequest.uri",)),
            ("url.query", ("httpRequest.args",)),
            ("http.response.status_code", ("responseCodeSent",)),
        ),
        bulky=frozenset({"ruleGroupList", "terminatingRuleMatchDetails"}),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        return 95 if "webaclId" in content and isinstance(content.get("httpRequest"), dict) else 0

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        request = content["httpRequest"]
        headers = {
            name.lower(): value for name, value in named_values(request.get("headers"), "name", ("value",)).items()
        }
        for part in ("name", "value"):
            fields.pop(f"aws.waf.httpRequest.headers.{part}", None)
        for header, name in (
            ("user-agent", "user_agent.original"),
            ("host", "url.domain"),
            ("referer", "http.request.referrer"),
        ):
            if header in headers:
                put(fields, name, headers[header])
        for header, value in headers.items():
            fields.setdefault(f"aws.waf.request.headers.{header}", value)
        path, query = fields.get("url.path"), fields.get("url.query")
        if type(path) is str:
            read_target(f"{path}?{query}" if query else path, fields)
        verdict = fields.get("event.action")
        if type(verdict) is str:
            fields["event.outcome"] = "success" if verdict in ("ALLOW", "COUNT") else "failure"
            fields["event.action"] = verdict.lower()
        return summarise(fields, "http.request.method", "url.domain", "rule.id")
