#!/bin/bash
# larder-benchmark against two servers and against some that misbehave: see checks.py. Called from the
# top of the tree by utils/run-tests; ends with `N passed, N failed`.
set -u
here=$(dirname "$0")
with_server=${WITH_SERVER:-${BUILD:-build}/tests-integration/with_server}
export LARDER_BENCHMARK=${LARDER_BENCHMARK:-${BUILD:-build}/bench/larder-benchmark}

case ${1:-} in
'')
    exec "$with_server" --requirepass secret -- "$here/run.sh" second
    ;;
second)
    LARDER_SECRET_PORT=$LARDER_PORT exec "$with_server" --enable-debug-command yes \
        --unixsocket benchmark.sock -- /usr/bin/python3 "$here/checks.py"
    ;;
esac
