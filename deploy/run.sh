#!/usr/bin/env bash
# All processes of a deployment on one host, without containers: what compose.yaml wires together, as plain processes with
# the same commands and the same environment. PostgreSQL and Redis are where DATABASE_URL and REDIS_URL say.
#
#   DATABASE_URL=... REDIS_URL=... SECRET_KEY=... WINNOW_HOST=winnow.example deploy/run.sh
#
# WINNOW_PORT (8000) is where the web process listens, PIPELINE_WORKERS (2) how many there are. With caddy on the PATH a TLS
# proxy answers at WINNOW_HOST. A process that ends is started again; SIGTERM or Ctrl-C ends all of them.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${DATABASE_URL:?}" "${REDIS_URL:?}" "${SECRET_KEY:?}" "${WINNOW_HOST:?}"
python=${PYTHON:-.venv/bin/python}
port=${WINNOW_PORT:-8000}
name=${WINNOW_HOST%%:*}
export BEHIND_TLS=true ALLOWED_HOSTS="$name,127.0.0.1" CSRF_TRUSTED_ORIGINS="https://$WINNOW_HOST"
export WINNOW_HOST WINNOW_UPSTREAM="127.0.0.1:$port" CANARY_URL="${CANARY_URL:-http://127.0.0.1:$port}"

keepers=()
keep() { # run a command, and again when it ends
    (
        trap 'kill "$child" 2>/dev/null; wait "$child"; exit' TERM
        while true; do
            "$@" &
            child=$!
            wait "$child" || echo "ended with $?: $*" >&2
            sleep 1 &
            child=$!
            wait "$child"
        done
    ) &
    keepers+=($!)
}
end() {
    kill "${keepers[@]}" 2>/dev/null || true
    wait "${keepers[@]}" 2>/dev/null || true
    exit 0
}
trap end TERM INT

"$python" manage.py migrate --verbosity 0
keep "$python" manage.py process web --port "$port"
for number in $(seq 0 $((${PIPELINE_WORKERS:-2} - 1))); do
    keep "$python" manage.py process pipeline --number "$number"
done
keep "$python" manage.py process explain
keep "$python" manage.py process learn
keep "$python" manage.py process beat
if command -v caddy >/dev/null; then
    keep caddy run --config deploy/compose/Caddyfile --adapter caddyfile
else
    echo "caddy is not installed: plain HTTP at http://127.0.0.1:$port, to be put behind a TLS proxy" >&2
fi
wait
