"""The part of MITRE ATT&CK that Winnow names: technique id -> name and tactics.

Handed: nothing. Hands on: a reduced table of the techniques that rules hint at and that an explanation may
name. An id outside the table is treated as unknown, so an invented one cannot reach a page.

Technique names, ids and tactics are facts from MITRE ATT&CK (Enterprise), (c) The MITRE Corporation, and
are reproduced with the permission of The MITRE Corporation under the ATT&CK terms of use:
https://attack.mitre.org/resources/legal-and-branding/terms-of-use/
"""

#: Technique id -> (name, tactics). Sub-techniques are written "parent: sub-technique".
TECHNIQUES: dict[str, tuple[str, tuple[str, ...]]] = {
    "T1003": ("OS Credential Dumping", ("Credential Access",)),
    "T1003.001": ("OS Credential Dumping: LSASS Memory", ("Credential Access",)),
    "T1003.008": ("OS Credential Dumping: /etc/passwd and /etc/shadow", ("Credential Access",)),
    "T1016": ("System Network Configuration Discovery", ("Discovery",)),
    "T1018": ("Remote System Discovery", ("Discovery",)),
    "T1021": ("Remote Services", ("Lateral Movement",)),
    "T1021.001": ("Remote Services: Remote Desktop Protocol", ("Lateral Movement",)),
    "T1021.002": ("Remote Services: SMB/Windows Admin Shares", ("Lateral Movement",)),
    "T1021.004": ("Remote Services: SSH", ("Lateral Movement",)),
    "T1033": ("System Owner/User Discovery", ("Discovery",)),
    "T1041": ("Exfiltration Over C2 Channel", ("Exfiltration",)),
    "T1046": ("Network Service Discovery", ("Discovery",)),
    "T1047": ("Windows Management Instrumentation", ("Execution",)),
    "T1048": ("Exfiltration Over Alternative Protocol", ("Exfiltration",)),
    "T1053": ("Scheduled Task/Job", ("Execution", "Persistence", "Privilege Escalation")),
    "T1053.003": ("Scheduled Task/Job: Cron", ("Execution", "Persistence", "Privilege Escalation")),
    "T1053.005": ("Scheduled Task/Job: Scheduled Task", ("Execution", "Persistence", "Privilege Escalation")),
    "T1055": ("Process Injection", ("Defense Evasion", "Privilege Escalation")),
    "T1059": ("Command and Scripting Interpreter", ("Execution",)),
    "T1059.001": ("Command and Scripting Interpreter: PowerShell", ("Execution",)),
    "T1059.003": ("Command and Scripting Interpreter: Windows Command Shell", ("Execution",)),
    "T1059.004": ("Command and Scripting Interpreter: Unix Shell", ("Execution",)),
    "T1070": ("Indicator Removal", ("Defense Evasion",)),
    "T1070.001": ("Indicator Removal: Clear Windows Event Logs", ("Defense Evasion",)),
    "T1070.002": ("Indicator Removal: Clear Linux or Mac System Logs", ("Defense Evasion",)),
    "T1071": ("Application Layer Protocol", ("Command and Control",)),
    "T1071.001": ("Application Layer Protocol: Web Protocols", ("Command and Control",)),
    "T1071.004": ("Application Layer Protocol: DNS", ("Command and Control",)),
    "T1078": ("Valid Accounts", ("Defense Evasion", "Persistence", "Privilege Escalation", "Initial Access")),
    "T1078.004": (
        "Valid Accounts: Cloud Accounts",
        ("Defense Evasion", "Persistence", "Privilege Escalation", "Initial Access"),
    ),
    "T1082": ("System Information Discovery", ("Discovery",)),
    "T1087": ("Account Discovery", ("Discovery",)),
    "T1098": ("Account Manipulation", ("Persistence", "Privilege Escalation")),
    "T1098.001": (
        "Account Manipulation: Additional Cloud Credentials",
        ("Persistence", "Privilege Escalation"),
    ),
    "T1105": ("Ingress Tool Transfer", ("Command and Control",)),
    "T1110": ("Brute Force", ("Credential Access",)),
    "T1110.001": ("Brute Force: Password Guessing", ("Credential Access",)),
    "T1110.003": ("Brute Force: Password Spraying", ("Credential Access",)),
    "T1133": ("External Remote Services", ("Persistence", "Initial Access")),
    "T1136": ("Create Account", ("Persistence",)),
    "T1136.001": ("Create Account: Local Account", ("Persistence",)),
    "T1136.003": ("Create Account: Cloud Account", ("Persistence",)),
    "T1190": ("Exploit Public-Facing Application", ("Initial Access",)),
    "T1485": ("Data Destruction", ("Impact",)),
    "T1486": ("Data Encrypted for Impact", ("Impact",)),
    "T1490": ("Inhibit System Recovery", ("Impact",)),
    "T1498": ("Network Denial of Service", ("Impact",)),
    "T1505.003": ("Server Software Component: Web Shell", ("Persistence",)),
    "T1543": ("Create or Modify System Process", ("Persistence", "Privilege Escalation")),
    "T1543.002": ("Create or Modify System Process: Systemd Service", ("Persistence", "Privilege Escalation")),
    "T1543.003": ("Create or Modify System Process: Windows Service", ("Persistence", "Privilege Escalation")),
    "T1547": ("Boot or Logon Autostart Execution", ("Persistence", "Privilege Escalation")),
    "T1548": ("Abuse Elevation Control Mechanism", ("Privilege Escalation", "Defense Evasion")),
    "T1548.003": (
        "Abuse Elevation Control Mechanism: Sudo and Sudo Caching",
        ("Privilege Escalation", "Defense Evasion"),
    ),
    "T1552": ("Unsecured Credentials", ("Credential Access",)),
    "T1555": ("Credentials from Password Stores", ("Credential Access",)),
    "T1558.003": ("Steal or Forge Kerberos Tickets: Kerberoasting", ("Credential Access",)),
    "T1562": ("Impair Defenses", ("Defense Evasion",)),
    "T1562.001": ("Impair Defenses: Disable or Modify Tools", ("Defense Evasion",)),
    "T1562.008": ("Impair Defenses: Disable or Modify Cloud Logs", ("Defense Evasion",)),
    "T1566": ("Phishing", ("Initial Access",)),
    "T1572": ("Protocol Tunneling", ("Command and Control",)),
    "T1580": ("Cloud Infrastructure Discovery", ("Discovery",)),
    "T1595": ("Active Scanning", ("Reconnaissance",)),
}


def is_known(technique_id: str) -> bool:
    """Tell whether the table has this technique.

    >>> is_known("T1110"), is_known("T9999")
    (True, False)
    """
    return technique_id in TECHNIQUES


def name(technique_id: str) -> str:
    """Return the technique's name; an unknown id is its own name.

    >>> name("T1110")
    'Brute Force'
    """
    entry = TECHNIQUES.get(technique_id)
    return entry[0] if entry else technique_id


def tactics(technique_id: str) -> tuple[str, ...]:
    """Return the tactics the technique serves; none for an unknown id."""
    entry = TECHNIQUES.get(technique_id)
    return entry[1] if entry else ()
