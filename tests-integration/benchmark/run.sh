#!/bin/bash
# redis-benchmark runs its tests without an error, with pipelines and without, with small values and
# large ones. Its figures are shown and not judged. Called from the top of the tree by
# utils/run-tests; ends with `N passed, N failed`.
set -u
here=$(dirname "$0")
with_server=${WITH_SERVER:-${BUILD:-build}/tests-integration/with_server}
seconds_max=120

if [ "${1:-}" != inside ]; then
    if ! command -v redis-benchmark >/dev/null; then
        echo "redis-benchmark is missing (package redis-tools)"
        echo "0 passed, 1 failed"
        exit 1
    fi
    exec "$with_server" -- "$here/run.sh" inside
fi

passed=0
failed=0

# run LINES ARGUMENTS...: so many lines of results, no error, and the server is there afterwards.
run() {
    local lines=$1 output status results
    shift
    output=$(timeout -k 5 $seconds_max redis-benchmark -p "$LARDER_PORT" -q "$@" 2>&1)
    status=$?
    # With -q each test's line is written over several times.
    results=$(tr '\r' '\n' <<<"$output" | grep -c 'requests per second')
    if [ $status -eq 0 ] && [ "$results" -eq "$lines" ] && ! grep -qi error <<<"$output" &&
        [ "$(timeout 10 redis-cli -p "$LARDER_PORT" ping)" = PONG ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
    echo "redis-benchmark $*: exit status $status, $results of $lines results"
    tr '\r' '\n' <<<"$output" | grep 'requests per second'
    tr '\r' '\n' <<<"$output" | grep -i error
}

run 7 -t ping,set,get,incr,mset,hset -P 16 -n 100000
run 7 -t ping,set,get,incr,mset,hset -n 10000
run 2 -t set,get -P 100 -n 100000 -r 100000 -d 100
run 2 -t set,get -P 4 -n 2000 -d 50000
run 2 -t set,get -c 500 -n 20000 -r 1000
run 2 -t set,get -k 0 -n 2000
run 1 -n 20000 -P 8 -r 1000 set key:__rand_int__ value ex 100
run 1 -n 1000 -3 hset hash field value

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
