"""The tests. A regular package so that ``tests.settings`` and ``tests.servers`` can be named from anywhere."""
