#!/usr/bin/env bash
# Install the log shippers that the tests start and that are no Python packages: syslog-ng, rsyslog, Node clients.
# Needs root and Debian's packages for the first two; rsyslog conflicts with syslog-ng, so it is only unpacked.
set -euo pipefail
cd "$(dirname "$0")/../.."
export DEBIAN_FRONTEND=noninteractive
rsyslog="$PWD/.venv/shippers/rsyslog"

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    wanted=()
    command -v syslog-ng >/dev/null || wanted+=(syslog-ng-core syslog-ng-mod-http syslog-ng-scl)
    command -v npm >/dev/null || wanted+=(nodejs npm)
    [ -d "$rsyslog" ] || wanted+=(libestr0 libfastjson4 liblognorm5)
    if [ ${#wanted[@]} -gt 0 ]; then
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
    fi
    if [ ! -d "$rsyslog" ]; then
        folder=$(mktemp -d)
        chmod 755 "$folder"
        (cd "$folder" && apt-get download -qq rsyslog rsyslog-elasticsearch 2>/dev/null)
        mkdir -p "$rsyslog.part"
        for package in "$folder"/*.deb; do dpkg -x "$package" "$rsyslog.part"; done
        mv "$rsyslog.part" "$rsyslog"
        rm -rf "$folder"
    fi
fi
if command -v npm >/dev/null && [ ! -d tests/shippers/node/node_modules ]; then
    npm ci --prefix tests/shippers/node --ignore-scripts --no-audit --no-fund --loglevel=error
fi
