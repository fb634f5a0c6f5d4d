"""The intake: one straight line for every protocol, from the request's first byte to the reply.

Handed: ASGI requests on intake paths. Hands on: committed RawBatch rows, and the protocol's own reply. The
line: route, token, declared length, capped read, capped inflate, validate and count, group commit, reply.
"""
