"""Writers of real log formats: each is handed the facts of one happening and hands on one message."""
