#!/usr/bin/env bash
# Install the OpenID Connect provider that the tests start; needs npm.
set -euo pipefail
cd "$(dirname "$0")/../.."
if command -v npm >/dev/null && [ ! -d tests/sso/node/node_modules ]; then
    npm ci --prefix tests/sso/node --ignore-scripts --no-audit --no-fund --loglevel=error
fi
