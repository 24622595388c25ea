#!/bin/bash
# redis-cli as people use it: commands one by one and as a script, raw and csv output, protocol 3, scans,
# statistics, mass insertion, errors. Called from the top of the tree by utils/run-tests; ends with
# `N passed, N failed`.
set -u
here=$(dirname "$0")
with_server=${WITH_SERVER:-${BUILD:-build}/tests-integration/with_server}
seconds_max=60

if [ "${1:-}" != inside ]; then
    if ! command -v redis-cli >/dev/null; then
        echo "redis-cli is missing (package redis-tools)"
        echo "0 passed, 1 failed"
        exit 1
    fi
    exec "$with_server" --requirepass '' -- "$here/run.sh" inside
fi

passed=0
failed=0

cli() {
    timeout -k 5 $seconds_max redis-cli -p "$LARDER_PORT" "$@"
}

# expect NAME WANTED GOT: the text must be the same.
expect() {
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s\n  wanted: %q\n  got:    %q\n' "$1" "$2" "$3"
    fi
}

# has NAME PART TEXT: the text must contain the part.
has() {
    if [[ $3 == *"$2"* ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s\n  wanted in it: %q\n  got: %q\n' "$1" "$2" "${3:0:1000}"
    fi
}

# Single commands.
expect 'ping' PONG "$(cli ping)"
expect 'set' OK "$(cli set greeting 'hello world')"
expect 'get' 'hello world' "$(cli get greeting)"
expect 'no raw output' '"hello world"' "$(cli --no-raw get greeting)"
expect 'nil' '(nil)' "$(cli --no-raw get none)"
expect 'integer' '(integer) 11' "$(cli --no-raw strlen greeting)"
expect 'binary value from standard input' $'a\nb' "$(printf 'a\nb' | cli -x set lines >/dev/null && cli get lines)"
expect 'quoted bytes' '"\x00\xff\n"' "$(cli --quoted-input set bytes '"\x00\xff\n"' >/dev/null; cli --no-raw get bytes)"
expect 'csv' '"1",NULL,"3"' "$(cli mset a 1 c 3 >/dev/null; cli --csv mget a b c)"
expect 'database' '(integer) 0' "$(cli -n 3 --no-raw dbsize)"
expect 'repeated' '1 2 3' "$(cli -r 3 incr counter | tr '\n' ' ' | sed 's/ $//')"
expect 'deleted' '5' "$(cli del greeting lines a c counter)"

# Errors: their text, and the exit status that -e asks for.
has 'wrong type' "WRONGTYPE Operation against a key holding the wrong kind of value" \
    "$(cli hset h f v >/dev/null; cli get h)"
has 'unknown command' "ERR unknown command 'nosuch', with args beginning with: 'a' 'b'" "$(cli nosuch a b)"
has 'arity' "ERR wrong number of arguments for 'get' command" "$(cli get)"
has 'unknown subcommand' "ERR unknown subcommand 'nosuch'. Try CONFIG HELP." "$(cli config nosuch)"
cli -e get h >/dev/null 2>&1
expect 'exit status of an error' 1 $?
cli -e get none >/dev/null 2>&1
expect 'exit status of nil' 0 $?

# A session: commands line by line, as typed.
session=$(cli --no-raw <<'EOF'
set k 1
incr k
get k
hset hash field "a value" other 2
hgetall hash
select 1
get k
echo "unbalanced is not sent \" but this is"
nosuch
EOF
)
expect 'session' 'OK
(integer) 2
"2"
(integer) 2
1) "field"
2) "a value"
3) "other"
4) "2"
OK
(nil)
"unbalanced is not sent \" but this is"
(error) ERR unknown command '"'nosuch'"', with args beginning with: ' "$session"

# Protocol 3.
expect 'protocol 3: map' '1# "field" => "a value"
2# "other" => "2"' "$(cli -3 --no-raw hgetall hash)"
has 'protocol 3: hello' '"proto" => (integer) 3' "$(cli -3 --no-raw hello 3)"
expect 'protocol 3: nil' '(nil)' "$(cli -3 --no-raw get none)"
expect 'protocol 3: double' '(integer) 1' "$(cli -3 --no-raw exists hash)"

# Mass insertion.
keys=20000
insert() {
    local i key value
    for ((i = 0; i < keys; i++)); do
        key=key:$i
        value=value-$i
        printf '*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n' ${#key} "$key" ${#value} "$value"
    done
}
cli flushall >/dev/null
has 'pipe' "errors: 0, replies: $keys" "$(insert | cli --pipe 2>&1)"
expect 'pipe: all there' $keys "$(cli dbsize)"
expect 'pipe: the last' "value-$((keys - 1))" "$(cli get "key:$((keys - 1))")"
has 'pipe: inline commands and an error' 'errors: 1, replies: 3' \
    "$(printf 'SET x 1\r\nINCR key:1\r\nGET x\r\n' | cli --pipe 2>&1)"
cli del x >/dev/null

# Walks over all keys.
expect 'scan' $keys "$(cli --scan | sort -u | wc -l)"
expect 'scan with a pattern' 11 "$(cli --scan --pattern 'key:1999*' | sort -u | wc -l)"
cli set big "$(head -c 5000 /dev/zero | tr '\0' x)" >/dev/null
cli hset wide a 1 b 2 c 3 >/dev/null
# Names stand in quotes of one kind or two, as the version likes.
big=$(cli --bigkeys 2>&1 | tr -d "'\"")
has 'bigkeys: string' 'Biggest string found big has 5000 bytes' "$big"
has 'bigkeys: hash' 'Biggest   hash found wide has 3 fields' "$big"
has 'memkeys' 'Biggest string found' "$(cli --memkeys 2>&1)"

# What the server tells of itself.
info=$(cli info)
for line in redis_version: used_memory: connected_clients: keyspace_hits: role:master db0:keys=; do
    has "info: $line" "$line" "$info"
done
has 'client list' 'cmd=client|list' "$(cli client list)"
has 'stat' "$((keys + 2))" "$(cli -r 2 -i 0.1 --stat)"
expect 'command count' 1 "$(($(cli command count) > 100))"

# A password.
cli config set requirepass secret >/dev/null
has 'without a password' 'NOAUTH Authentication required.' "$(cli get key:1)"
expect 'with a password' value-1 "$(cli -a secret --no-auth-warning get key:1)"
expect 'with user and password' value-1 "$(cli --user default --pass secret --no-auth-warning get key:1)"
has 'with a wrong one' 'WRONGPASS' "$(cli -a wrong --no-auth-warning get key:1 2>&1)"
expect 'with the environment' value-1 "$(REDISCLI_AUTH=secret cli get key:1)"
expect 'password taken away' OK "$(REDISCLI_AUTH=secret cli config set requirepass '')"

# A monitor.
monitor=$(mktemp)
timeout $seconds_max redis-cli -p "$LARDER_PORT" monitor >"$monitor" &
watcher=$!
for ((i = 0; i < 500; i++)); do
    cli get watched >/dev/null
    grep -q '"get" "watched"' "$monitor" && break
done
kill $watcher
wait $watcher 2>/dev/null
has 'monitor' '"get" "watched"' "$(cat "$monitor")"
rm -f "$monitor"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
