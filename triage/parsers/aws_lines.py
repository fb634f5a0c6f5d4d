"""Text lines of AWS: VPC flow logs, load balancer, S3 and CloudFront access logs.

Handed: one line. Hands on: both ends, the request and its answer in ECS terms. Formats: VPC user guide, "Flow log
records" (version 2, and any order that a header line gives); Elastic Load Balancing user guide, "Access logs" of
application, network and classic load balancers; S3 user guide, "server access log format"; CloudFront developer
guide, "Standard logs". A header line counts for the lines after it, within one batch.
"""

import re
from typing import Self

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import times
from triage.parsers.aws_line_formats import ALB, CLASSIC, CLOUDFRONT, FLOW_V2, NLB, S3, Columns, fill
from triage.parsers.finish import finish
from triage.parsers.layouts import split_address

MAX_LINE = 32_768
_WORDS = re.compile(r'"((?:[^"\\]|\\.)*)"|\[([^\]]{0,64})\]|(\S+)')
_FLOW = re.compile(
    r"[2-9] (?:\d{12}|unknown) \S{1,64} (?:[\da-fA-F.:]{2,45}|-) (?:[\da-fA-F.:]{2,45}|-)(?: \S{1,128}){7}"
    r" (?:ACCEPT|REJECT|-)"
)
_HEADER = re.compile(r"(?:[a-z][a-z-]{2,40} ){6,40}[a-z][a-z-]{2,40}\Z")
_STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z?"
_ALB = re.compile(rf"(?:https?|h2|grpcs?|wss?) {_STAMP} \S{{1,256}} \S{{1,64}}:\d{{1,5}} ")
_NLB = re.compile(rf"tls \d\.\d {_STAMP} net/\S{{1,256}} ")
_CLASSIC = re.compile(
    rf"{_STAMP} \S{{1,256}} [\da-fA-F.:]{{3,45}}:\d{{1,5}} (?:\S{{3,64}}|-) -?[\d.]{{1,16}} -?[\d.]{{1,16}} "
)
_S3 = re.compile(r"(?:[\da-f]{64}|-) \S{1,255} \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] \S{1,64} ")
_CLOUDFRONT = re.compile(
    r"\d{4}-\d\d-\d\d\t\d\d:\d\d:\d\d\t[A-Z]{3}[\w-]{0,16}\t(?:\d{1,20}|-)\t[\da-fA-F.:]{3,45}\t[A-Z]{3,10}\t"
)
_KINDS = (
    ("aws.elb_logs", _ALB, ALB),
    ("aws.elb_logs", _NLB, NLB),
    ("aws.elb_logs", _CLASSIC, CLASSIC),
    ("aws.s3access", _S3, S3),
)


def words(line: str) -> list[str]:
    """Return the words of a line; quotes and brackets hold one word together.

    >>> words('a "b c" [d e] -')
    ['a', 'b c', 'd e', '-']
    """
    return [quoted or bracketed or plain for quoted, bracketed, plain in _WORDS.findall(line[:MAX_LINE])]


class AwsLines:
    """VPC flow, ELB, S3 and CloudFront lines."""

    name = "aws_lines"
    takes = str

    def __init__(self) -> None:
        self._columns: Columns = ()

    def for_batch(self) -> Self:
        """Return a fresh instance: a header counts within its batch."""
        return type(self)()

    def settle(self) -> None:
        """Nothing is left to complete."""

    def claim(self, record: Record) -> int:
        content = record.content
        if type(content) is not str or len(content) < 40:
            return 0
        if content[0] in "23456789" and _FLOW.match(content):
            return 92
        if _CLOUDFRONT.match(content) or any(looks.match(content) for _, looks, _ in _KINDS):
            return 92
        return 60 if _is_header(content) or self._fits(content) else 0

    def _fits(self, line: str) -> bool:
        """Tell whether a line has the columns of the batch's header, with addresses where it says so."""
        if not self._columns or line.count(" ") + 1 != len(self._columns):
            return False
        source = line.split(" ")[self._columns.index("srcaddr")]
        return source == "-" or bool(split_address(source)[0])

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        line = record.content
        if type(line) is not str or self.claim(record) == 0:
            return None
        fields: Fields = {"event.module": "aws", "cloud.provider": "aws"}
        if _is_header(line):
            self._columns = tuple(line.split(" "))
            fields["event.dataset"] = "aws.vpcflow"
            return finish(self.name, record, received_at, fields, message=line)
        stamp = self._read(line, fields)
        if stamp is None:
            return None
        return finish(
            self.name, record, received_at, fields, message=line, when=times.from_any(stamp), stamp=stamp or None
        )

    def _read(self, line: str, fields: Fields) -> str | None:
        """Fill the fields of a line and return its time as text, or ``None`` when it is of no known format."""
        if _CLOUDFRONT.match(line):
            fields["event.dataset"] = "aws.cloudfront_logs"
            return fill(CLOUDFRONT, line.split("\t"), fields, "aws.cloudfront.")
        for dataset, looks, columns in _KINDS:
            if looks.match(line):
                fields["event.dataset"] = dataset
                return fill(columns, words(line), fields, dataset.removesuffix("_logs") + ".")
        fields["event.dataset"] = "aws.vpcflow"
        values = line.split(" ")
        if self._fits(line):
            return fill(self._columns, values, fields, "aws.vpcflow.")
        if _FLOW.match(line):
            return fill(FLOW_V2, values, fields, "aws.vpcflow.")
        return None


def _is_header(line: str) -> bool:
    return "srcaddr" in line and "dstaddr" in line and _HEADER.match(line) is not None
