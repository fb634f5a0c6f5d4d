"""AWS CloudTrail records, one per message.

Handed: time, who, what. Hands on: messages whose content is a CloudTrail record (event version 1.09).
"""

from dataclasses import dataclass
from random import Random
from typing import Any

from bench.company.formats.clock import iso_seconds
from bench.company.message import Message

ACCOUNT = "111122223333"
REGION = "eu-central-1"
#: Calls that only read; CloudTrail says so in ``readOnly``.
READING = ("Get", "List", "Describe", "Head", "Lookup", "Decrypt")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls the cloud API, from where and with what: ``kind`` is ``IAMUser`` or ``AssumedRole``."""

    kind: str
    name: str
    key: str
    address: str
    agent: str
    session: str = ""

    def identity(self) -> dict[str, Any]:
        """Return the ``userIdentity`` element."""
        shared = {"type": self.kind, "accountId": ACCOUNT, "accessKeyId": self.key}
        if self.kind == "IAMUser":
            arn = f"arn:aws:iam::{ACCOUNT}:user/{self.name}"
            return shared | {"principalId": "AIDA4EXAMPLE" + self.key[-8:], "arn": arn, "userName": self.name}
        issuer = {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/{self.name}", "userName": self.name}
        return shared | {
            "principalId": f"AROA4EXAMPLE:{self.session}",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.name}/{self.session}",
            "sessionContext": {"sessionIssuer": issuer, "attributes": {"mfaAuthenticated": "false"}},
        }


def call(
    at: float,
    rng: Random,
    caller: Caller,
    action: str,
    *,
    parameters: dict[str, Any] | None = None,
    error: str = "",
    region: str = REGION,
) -> Message:
    """Return one API call; ``action`` is ``service:Name`` (``s3:ListBuckets``)."""
    service, _, name = action.partition(":")
    document: dict[str, Any] = {
        "eventVersion": "1.09",
        "userIdentity": caller.identity(),
        "eventTime": iso_seconds(at),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": caller.address,
        "userAgent": caller.agent,
        "requestParameters": parameters,
        "responseElements": None,
        "requestID": _uuid(rng),
        "eventID": _uuid(rng),
        "readOnly": name.startswith(READING),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    if error:
        document |= {"errorCode": error, "errorMessage": f"{caller.name} is not authorized to perform: {action}"}
    return Message(at, "aws", "sample-cloud", "aws:cloudtrail", document)


def _uuid(rng: Random) -> str:
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
