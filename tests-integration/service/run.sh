#!/bin/bash
# The systemd unit and the server agree: under exactly the system calls that utils/larder.service allows
# the server starts, serves a load in each of its shapes (threads, io_uring, huge pages, compaction,
# CONFIG REWRITE), and ends. Called from the top of the tree by utils/run-tests; ends with
# `N passed, N failed`.
set -u
here=$(dirname "$0")
with_server=${WITH_SERVER:-${BUILD:-build}/tests-integration/with_server}
server=$(realpath "${LARDER_SERVER:-${BUILD:-build}/larder-server}")
benchmark=${LARDER_BENCHMARK:-${BUILD:-build}/bench/larder-benchmark}
unit=$here/../../utils/larder.service

if [ "${1:-}" = inside ]; then
    set -e
    cli() {
        timeout 60 redis-cli -p "$LARDER_PORT" "$@"
    }
    timeout 120 "$benchmark" -p "$LARDER_PORT" -t set,get,hset -n 60000 -c 20 -P 16 -d 700 -r 200000 >/dev/null
    cli config set maxmemory-policy allkeys-lru >/dev/null
    cli config set maxmemory 60mb >/dev/null
    timeout 120 "$benchmark" -p "$LARDER_PORT" -t set -n 60000 -c 20 -P 16 -d 1500 -r 200000 >/dev/null
    cli config set maxclients 500 >/dev/null
    [ "$(cli config rewrite)" = OK ]
    grep -q '^maxclients 500' "$CONFIGURATION"
    cli flushall >/dev/null
    cli memory purge >/dev/null
    [ "$(cli ping)" = PONG ]
    exit 0
fi

passed=0
failed=0
verdict() {
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $1"
    fi
}

for program in systemd-analyze redis-cli python3; do
    if ! type -P $program >/dev/null; then
        echo "$program is missing (deps/install.sh test)"
        echo "0 passed, 1 failed"
        exit 1
    fi
done
folder=$(mktemp -d "${TMPDIR:-/tmp}/larder-service-XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT

# A program that does what the unit forbids is ended: the filter is there.
"$here/confine" "$unit" /bin/true
verdict 'an innocent program runs' $?
forbidden() {
    ("$here/confine" "$unit" /usr/bin/python3 -c "$2") >/dev/null 2>&1
    verdict "$1" $(($? != 128 + $(kill -l SYS)))
} 2>/dev/null
forbidden 'a call that is not allowed ends the program' 'import os; os.chroot("/")'
forbidden 'so does an address family' 'import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)'

# The sanitizers make calls of their own.
if [[ $(nm -D "$server" 2>/dev/null) == *__asan_init* || $(nm -D "$server" 2>/dev/null) == *__tsan_init* ]]; then
    echo "$passed passed, $failed failed"
    exit $((failed > 0))
fi

cat >"$folder/server" <<EOF
#!/bin/sh
exec "$(realpath "$here/confine")" "$(realpath "$unit")" "$server" "\$CONFIGURATION" "\$@"
EOF
chmod 755 "$folder/server"
shape() {
    local name=$1
    shift
    echo '# nothing yet' >"$folder/larder.conf"
    CONFIGURATION=$folder/larder.conf LARDER_SERVER=$folder/server "$with_server" --enable-debug-command yes "$@" -- "$here/run.sh" inside \
        >"$folder/output" 2>&1
    local status=$?
    verdict "$name" $status
    [ $status -eq 0 ] || tail -n 20 "$folder/output"
}
shape 'one thread'
shape 'threads' --io-threads 3
shape 'pinned threads' --io-threads 2 --io-cpulist 0 --server-cpulist 0
shape 'io_uring' --io-backend io_uring
shape 'io_uring and threads' --io-backend io_uring --io-threads 3
shape 'compaction' --activedefrag yes

# The unit itself: nothing that systemd does not know, and the server's place.
sed "s|^ExecStart=/usr/local/bin/larder-server|ExecStart=/bin/true|; /^User=/d; /^Group=/d" "$unit" \
    >"$folder/larder.service"
warnings=$(systemd-analyze verify "$folder/larder.service" 2>&1 | grep larder.service)
[ -z "$warnings" ]
verdict "systemd-analyze verify: $warnings" $?
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
