"""Windows events as XML, the way the event log itself renders them.

Handed: a text that begins with ``<Event``. Hands on: the object that a JSON writer would have made of it, for
:mod:`triage.parsers.windows`. Only what the event schema knows is read, with patterns and in one pass: no entity is
expanded that is not one of the five of XML, nothing is fetched, no depth is walked.
"""

import re
from html import unescape
from typing import Any

from triage.parsers.finish import MAX_MESSAGE

MAX_TEXT = 262_144
MAX_VALUES = 512
_TAG = re.compile(
    r"<(?P<close>/)?(?P<name>[A-Za-z][\w.:-]{0,127})(?P<attributes>(?:[^<>\"']|\"[^\"]{0,4096}\""
    r"|'[^']{0,4096}'){0,64}?)(?P<empty>/)?>",
)
_ATTRIBUTE = re.compile(r"([\w:.-]{1,64})\s{0,4}=\s{0,4}(?:\"([^\"]{0,4096})\"|'([^']{0,4096})')")
_SYSTEM = frozenset(
    {
        "EventID",
        "Version",
        "Level",
        "Task",
        "Opcode",
        "Keywords",
        "EventRecordID",
        "Channel",
        "Computer",
        "Provider",
        "TimeCreated",
        "Execution",
        "Correlation",
        "Security",
    }
)


def is_event(text: str) -> bool:
    """Return whether a text is an event in XML; cheap."""
    head = text[:300].lstrip("\ufeff \t\r\n")
    return head.startswith("<Event") or (head.startswith("<?xml") and "<Event" in head)


def _text(raw: str) -> str:
    """Undo the escapes of XML; attackers' text holds no others."""
    raw = raw.strip()
    if raw.startswith("<![CDATA[") and raw.endswith("]]>"):
        return raw[9:-3]
    return unescape(raw) if "&" in raw else raw


def _attributes(text: str) -> dict[str, Any]:
    return {f"@{name}": _text(double or single) for name, double, single in _ATTRIBUTE.findall(text[:4096])}


class _Reader:
    """One pass over the tags of an event."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.system: dict[str, Any] = {}
        self.data: list[dict[str, Any]] = []
        self.plain: dict[str, Any] = {}
        self.user_data: dict[str, Any] = {}
        self.rendered: dict[str, str] = {}
        self.section = ""

    def read(self) -> dict[str, Any]:
        for tag in _TAG.finditer(self.text):
            name = tag["name"].rpartition(":")[2]
            if name in ("System", "EventData", "UserData", "RenderingInfo", "BinaryEventData", "DebugData"):
                self.section = "" if tag["close"] or tag["empty"] else name
            elif not tag["close"] and len(self.data) < MAX_VALUES:
                self._open(name, tag)
        event: dict[str, Any] = {
            "System": self.system,
            "EventData": {"Data": self.data, **self.plain} if self.data else self.plain,
        }
        if self.user_data:
            event["UserData"] = {"Event": self.user_data}
        if self.rendered:
            event["RenderingInfo"] = self.rendered
        return event

    def _open(self, name: str, tag: re.Match[str]) -> None:
        attributes = _attributes(tag["attributes"]) if tag["attributes"] else {}
        value = "" if tag["empty"] else self._content(tag.end())
        if self.section == "System" and name in _SYSTEM:
            self.system[name] = {**attributes, "#text": value} if attributes else value
        elif self.section == "EventData":
            if name == "Data":
                self.data.append({**attributes, "#text": value})
            elif len(self.plain) < MAX_VALUES:
                self.plain[name] = value
        elif self.section == "UserData" and value and len(self.user_data) < MAX_VALUES:
            self.user_data[name] = value
        elif self.section == "RenderingInfo" or (not self.section and name == "RenderedText"):
            self.rendered["Message" if name == "RenderedText" else name] = value[:MAX_MESSAGE]

    def _content(self, start: int) -> str:
        if self.text.startswith("<![CDATA[", start):
            end = self.text.find("]]>", start)
            return self.text[start + 9 : end] if end > 0 else ""
        end = self.text.find("<", start)
        return _text(self.text[start:end]) if end > 0 else ""


def decode(text: str) -> dict[str, Any] | None:
    """Return ``{"Event": {"System": ..}}`` for an event in XML, ``None`` when it has no head."""
    event = _Reader(text[:MAX_TEXT]).read()
    return {"Event": event} if event["System"].get("EventID") else None
