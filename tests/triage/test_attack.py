"""The reduced ATT&CK table."""

import re

from triage import attack


def test_names_and_tactics():
    assert attack.name("T1110") == "Brute Force"
    assert attack.tactics("T1070.001") == ("Defense Evasion",)
    assert attack.is_known("T1059.001")


def test_unknown_ids_are_unknown_and_keep_their_name():
    for identifier in ("T9999", "t1110", "T1110 ", "", "T1059.999"):
        assert not attack.is_known(identifier)
        assert attack.name(identifier) == identifier
        assert attack.tactics(identifier) == ()


def test_every_row_is_well_formed_and_children_have_their_parent_name():
    for identifier, (name, tactics) in attack.TECHNIQUES.items():
        assert re.fullmatch(r"T\d{4}(\.\d{3})?", identifier)
        assert name
        assert tactics
        parent = identifier.partition(".")[0]
        if parent != identifier and parent in attack.TECHNIQUES:
            assert name.startswith(f"{attack.name(parent)}: ")
