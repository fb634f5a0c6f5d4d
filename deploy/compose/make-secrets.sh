#!/bin/sh
# Make the secrets that compose.yaml reads; those that are there already stay.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
make() { [ -e "secrets/$1" ] || printf '%s' "$2" >"secrets/$1"; }
make database_password "$(random)"
make redis_password "$(random)"
make secret_key "$(random)"
make audit_key "$(random)"
make database_url "postgresql://winnow:$(cat secrets/database_password)@postgresql:5432/winnow"
make redis_url "redis://:$(cat secrets/redis_password)@redis:6379/0"
# The containers run as 10001, which has to read what is theirs; the directory stays closed to others.
chmod 644 secrets/*
chmod 700 secrets
