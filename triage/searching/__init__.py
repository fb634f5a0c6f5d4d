"""Searching stored events: newest first, opening as few chunks as can be, as far as one request may.

Handed: a condition (see :mod:`triage.conditions`). Hands on: events, counts over time, most frequent values, each with
how far was looked. ``plan`` says what a condition means for chunks, rows and documents, ``walk`` goes over the chunks,
``results`` and ``over_time`` answer.
"""
