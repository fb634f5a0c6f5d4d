"""A seeded simulator of a small company's day, sent to a running Winnow over its HTTP intake.

Handed: a seed, a clock reading, an address and two tokens. Hands on: log records of people, servers, web,
SSH, Windows, cloud and DNS with intrusions among them, and an answer key that never leaves this package.
The product knows nothing of it; nothing here imports the product.
"""
