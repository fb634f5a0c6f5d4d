"""The reduced ATT&CK table."""

import re
import subprocess
import sys
from collections import Counter

import pytest

from triage import attack

pytestmark = pytest.mark.once


def test_names_and_tactics():
    assert attack.name("T1110") == "Brute Force"
    assert attack.name("T1059.001") == "Command and Scripting Interpreter: PowerShell"
    assert attack.tactics("T1070.001") == ("Defense Evasion",)
    assert attack.is_known("T1059.001")
    assert attack.version() == "18.1"


@pytest.mark.parametrize("identifier", ["T9999", "t1110", "T1110 ", "", "T1059.999"])
def test_unknown_ids_are_unknown_and_keep_their_name(identifier):
    assert not attack.is_known(identifier)
    assert not attack.is_active(identifier)
    assert attack.name(identifier) == identifier
    assert attack.tactics(identifier) == ()
    assert attack.successor(identifier) == ""


def test_revoked_and_deprecated_ids_are_known_but_not_active():
    assert (attack.is_known("T1086"), attack.is_active("T1086"), attack.successor("T1086")) == (
        True,
        False,
        "T1059.001",
    )
    deprecated = [key for key, row in attack.techniques().items() if row.status == attack.DEPRECATED]
    assert len(deprecated) == 12
    assert not any(attack.is_active(key) or attack.successor(key) for key in deprecated)
    assert (attack.is_active("T1110.003"), attack.successor("T1110.003")) == (True, "")


def test_every_row_is_well_formed_and_children_have_their_parent_name():
    rows = attack.techniques()
    assert list(rows) == sorted(rows)
    assert Counter(row.status for row in rows.values()) == {"active": 691, "revoked": 132, "deprecated": 12}
    for identifier, row in rows.items():
        assert re.fullmatch(r"T\d{4}(\.\d{3})?", identifier)
        assert row.name == row.name.strip() != ""
        assert row.tactics or row.status != attack.ACTIVE
        assert bool(row.successor) == (row.status == attack.REVOKED)
        assert not row.successor or attack.is_active(row.successor) or not attack.successor(row.successor)
        parent = identifier.partition(".")[0]
        if parent != identifier and parent in rows:
            assert row.name.startswith(f"{attack.name(parent)}: ")


def test_the_table_cannot_be_changed_and_is_read_when_first_asked():
    with pytest.raises(TypeError):
        attack.techniques()["T1"] = attack.techniques()["T1110"]
    program = "from triage import attack; assert attack._file.cache_info().currsize == 0; attack.is_known('T1110')"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
