"""Rows that have had their time, deleted in small parts, each a transaction of its own: nobody waits for the rest.

Handed: a query. Hands on: how many rows went. Where whole days can be dropped, :mod:`triage.partitions` does it.
"""

from typing import Any

from django.db.models import QuerySet

#: Rows that one transaction deletes.
AT_ONCE = 2_000


def in_parts(rows: QuerySet[Any]) -> int:
    """Delete what a query finds, some rows at a time; return how many went."""
    total = 0
    while identifiers := list(rows.order_by().values_list("pk", flat=True)[:AT_ONCE]):
        total += rows.model._default_manager.filter(pk__in=identifiers).delete()[0]
    return total
