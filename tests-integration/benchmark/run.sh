#!/bin/bash
# redis-benchmark runs its tests without an error, with pipelines and without, with small values and
# large ones; and larder-benchmark the tests of all families, on Larder and on redis-server. Figures are
# shown and not judged. Called from the top of the tree by
# utils/run-tests; ends with `N passed, N failed`.
set -u
here=$(dirname "$0")
with_server=${WITH_SERVER:-${BUILD:-build}/tests-integration/with_server}
load=${LARDER_BENCHMARK:-${BUILD:-build}/bench/larder-benchmark}
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

# larder-benchmark, both servers in turns.
folder=$(mktemp -d "${TMPDIR:-/tmp}/larder-benchmark-XXXXXX") || exit 1
redis=
trap '[ -n "$redis" ] && kill "$redis" && wait "$redis"; rm -rf "$folder"' EXIT
redis-server --port 0 --unixsocket "$folder/socket" --save '' --appendonly no --dir "$folder" >"$folder/log" 2>&1 &
redis=$!
for _ in $(seq 500); do
    [ "$(redis-cli -s "$folder/socket" ping 2>/dev/null)" = PONG ] && break
    sleep 0.02
done

# every REQUESTS TESTS OPTIONS...: each of the tests gets its replies from both servers, none of them an
# error or empty, however many replies a request has.
every() {
    local requests=$1 tests=$2 output status whole wanted count
    shift 2
    output=$(timeout -k 5 $seconds_max "$load" --compare "larder=127.0.0.1:$LARDER_PORT,redis=$folder/socket" \
        -t "$tests" -n "$requests" --rounds 1 --json "$@" 2>&1)
    status=$?
    count=$(tr ',' '\n' <<<"$tests" | wc -l)
    wanted=$((count * 2))
    whole=$(grep "\"requests\":$requests," <<<"$output" | grep '"nulls":0,' | grep -c '"errors":0,')
    if [ $status -eq 0 ] && [ "$whole" -eq "$wanted" ]; then
        passed=$((passed + wanted))
    else
        failed=$((failed + 1))
        echo "$output"
    fi
    echo "larder-benchmark -t $tests -n $requests $*: exit status $status, $whole of $wanted results"
}

# knows COMMAND: the server under test has it.
knows() {
    [ -n "$(redis-cli -p "$LARDER_PORT" command info "$1")" ]
}

every 3000 ping,set,get,incr,mset,mget,exists,expire,multi_set --load -r 1000
every 1010 lpush,rpush,lpush_1000,lpop,rpop,sadd,sadd_1000,spop,zadd,zadd_1000,zpopmin -r 1000000 -P 16 --threads 2
every 1000 lrange_100,lrange_300,lrange_500,lrange_600,lindex,smembers_100,sismember,hgetall_100 -P 4
every 1000 hset_1000,hget_1000,zrank,zrange_100,zrangebyscore_100,xadd,xrange_100 -3 -d 10-200
every 4 sinter,sunion,zunionstore -c 2
knows sort && every 4 sort -c 2
# An odd number of connections, and fewer than a pair for each thread.
knows blpop && every 3000 blpop -c 11 --threads 2 && every 1001 blpop -c 1 --threads 3 -P 7 -d 1-100
knows bzpopmin && every 3000 bzpopmin -c 40 -P 16
if "$load" -p "$LARDER_PORT" -t blpop --rate 1000 2>"$folder/error" || ! grep -q 'pairs: --rate' "$folder/error"; then
    failed=$((failed + 1))
    cat "$folder/error"
else
    passed=$((passed + 1))
fi

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
