#!/bin/bash
# The small programs of utils: how they end, what they change, what they leave alone. Called from the top of
# the tree by utils/run-tests; ends with `N passed, N failed`.
set -u
here=$(dirname "$0")
utils=$here/../../utils
with_server=${WITH_SERVER:-${BUILD:-build}/tests-integration/with_server}
server=$(realpath "${LARDER_SERVER:-${BUILD:-build}/larder-server}")
passed=0
failed=0

# expect NAME WANTED GOT: the text must be the same.
expect() {
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s\n  wanted: %q\n  got:    %q\n' "$1" "$2" "$3"
    fi
}

if [ "${1:-}" = inside ]; then
    ask() {
        LARDER_PORT=$LARDER_PORT LARDER_PASSWORD=${password-} "$utils/larder-ask" "$@" 2>&1
        echo "$?"
    }
    expect 'ping without password' '0' "$(ask PING)"
    expect 'a command without password' $'NOAUTH Authentication required.\n1' "$(ask GET k)"
    password=wrong
    expect 'wrong password' $'WRONGPASS invalid username-password pair or user is disabled.\n1' "$(ask PING)"
    password=secret
    expect 'ping' $'PONG\n0' "$(ask PING)"
    expect 'set' $'OK\n0' "$(ask SET k $'a b\xc3\xa4\nc')"
    expect 'get' $'a b\xc3\xa4\nc\n0' "$(ask GET k)"
    expect 'nil' $'(nil)\n0' "$(ask GET none)"
    expect 'integer' $'7\n0' "$(ask STRLEN k)"
    expect 'error' $'ERR value is not an integer or out of range\n1' "$(ask INCR k)"
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ]
    exit
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/larder-tools-XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT

# wrap-comments leaves lists and pictures alone, and wraps what is text.
long='word word word word word word word word word word word word word word word word word word word word end.'
cat >"$folder/list.h" <<EOF
/* Invariants:
 * 1. $long
 * 2. the second one;
 *    which hangs.
 * 3. the third one.
 *
 *     | a picture | of columns | that is far too long to stand here | but must not be folded, ever | ok |
 *
 * - $long
 * - short */
EOF
cat >"$folder/wanted.h" <<'EOF'
/* Invariants:
 * 1. word word word word word word word word word word word word word word word word word word word
 *    word end.
 * 2. the second one;
 *    which hangs.
 * 3. the third one.
 *
 *     | a picture | of columns | that is far too long to stand here | but must not be folded, ever | ok |
 *
 * - word word word word word word word word word word word word word word word word word word word
 *   word end.
 * - short */
EOF
said=$("$utils/wrap-comments" "$folder/list.h")
expect 'wrap-comments: the picture is named' "$folder/list.h:8: wrap this by hand" "$said"
expect 'wrap-comments: lists' "$(cat "$folder/wanted.h")" "$(cat "$folder/list.h")"
"$utils/wrap-comments" "$folder/list.h" >/dev/null
expect 'wrap-comments: again' "$(cat "$folder/wanted.h")" "$(cat "$folder/list.h")"

# tune.sh
"$utils/tune.sh" --help >"$folder/help"
expect 'tune.sh --help ends with 0' 0 $?
expect 'tune.sh --help says something' 1 $(($(wc -l <"$folder/help") > 3))
"$utils/tune.sh" --nonsense >/dev/null 2>&1
expect 'tune.sh --nonsense ends with 2' 2 $?
"$utils/tune.sh" --persist "$folder/sysctl" >/dev/null
range=$(sed -n 's/^net.ipv4.ip_local_port_range = \([0-9]*\) .*/\1/p' "$folder/sysctl")
expect "tune.sh leaves the server's port alone" 1 $((${range:-10000} > 6379))

# The container's entry, with programs that show how they were called.
mkdir "$folder/bin"
printf '#!/bin/sh\necho server "$@"\n' >"$folder/bin/larder-server"
printf '#!/bin/sh\necho benchmark "$@"\n' >"$folder/bin/larder-benchmark"
chmod 755 "$folder"/bin/*
entry() {
    PATH=$folder/bin:$PATH "$utils/container-entry" "$@"
}
echo 'maxmemory 1gb' >"$folder/plain.conf"
echo '  Protected-Mode yes' >"$folder/protected.conf"
expect 'entry: alone' 'server --protected-mode no' "$(entry)"
expect 'entry: options' 'server --protected-mode no --maxmemory 1gb' "$(entry --maxmemory 1gb)"
expect 'entry: the options win' 'server --protected-mode no --protected-mode yes' "$(entry --protected-mode yes)"
expect 'entry: by its name' 'server --protected-mode no --port 1' "$(entry larder-server --port 1)"
expect 'entry: a file' "server $folder/plain.conf --protected-mode no --port 1" "$(entry "$folder/plain.conf" --port 1)"
expect 'entry: a file that decides' "server $folder/protected.conf" "$(entry "$folder/protected.conf")"
expect 'entry: another program' 'benchmark -h cache' "$(entry larder-benchmark -h cache)"
expect 'entry: help' 'server --help' "$(entry --help)"
expect 'larder-ask without arguments' 2 "$("$utils/larder-ask" >/dev/null; echo $?)"
expect 'larder-ask without server' 1 "$(LARDER_PORT=1 "$utils/larder-ask" PING 2>/dev/null; echo $?)"
LARDER_SERVER=$server "$with_server" --requirepass secret -- "$here/run.sh" inside >"$folder/output" 2>&1
expect 'larder-ask with a server' 0 $?
grep -v ' passed, ' "$folder/output"

# What is installed, and where; nothing but a relative copy is touched.
DESTDIR_TEST=$folder/root
"$utils/install-service" /usr/local "$DESTDIR_TEST"
if [ -d /lib/systemd/system ] || [ -d /usr/lib/systemd/system ]; then
    expect 'the unit is installed' 'ExecStart=/usr/local/bin/larder-server' \
        "$(grep -o '^ExecStart=[^ ]*' "$DESTDIR_TEST/usr/local/lib/systemd/system/larder.service")"
    "$utils/install-service" /usr "$DESTDIR_TEST"
    expect 'with its prefix' 'ExecStart=/usr/bin/larder-server' \
        "$(grep -o '^ExecStart=[^ ]*' "$DESTDIR_TEST/usr/lib/systemd/system/larder.service")"
fi
"$utils/install-service" "$folder/elsewhere" "$DESTDIR_TEST"
expect 'no unit where systemd does not look' no "$([ -e "$DESTDIR_TEST$folder" ] && echo yes || echo no)"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
