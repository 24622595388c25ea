#!/bin/bash
# Client libraries of other languages, with their default settings, each against a server of its own; then
# over TLS, where clients need a certificate and where they do not, as a user with few permissions.
# Called from the top of the tree by utils/run-tests; ends with `N passed, N failed`.
set -u
here=$(dirname "$0")
. "$here/../suites.sh"

suite redis-py /usr/bin/python3 "$here/redis_py.py"
suite redis-rb /usr/bin/ruby "$here/redis_rb.rb"
suite phpredis /usr/bin/php "$here/phpredis.php"
modules=no
if install_modules; then
    modules=yes
    suite ioredis node "$here/ioredis.js"
    suite node-redis node "$here/node_redis.js"
    suite upstash node "$here/upstash.js"
fi

# secure_suites AUTH: with --tls-auth-clients AUTH.
secure_suites() {
    export LARDER_TLS_AUTH=$1
    local at=$LARDER_CERTIFICATES
    # shellcheck disable=SC2034 # suites.sh gives them to the servers
    server_options=(--tls-port "$LARDER_TLS_PORT" --tls-auth-clients "$1" --tls-cert-file "$at/server.crt"
        --tls-key-file "$at/server.key" --tls-ca-cert-file "$at/ca.crt"
        --requirepass another --user shop on '>secret' '~shop:*' '&shop:*' +@all -@dangerous)
    suite "redis-py over TLS, $1" /usr/bin/python3 "$here/secure/secure.py"
    suite "redis-rb over TLS, $1" /usr/bin/ruby "$here/secure/secure.rb"
    suite "phpredis over TLS, $1" /usr/bin/php "$here/secure/secure.php"
    suite "Perl's Redis over TLS, $1" /usr/bin/perl "$here/secure/secure.pl"
    if [ $modules = yes ]; then
        suite "ioredis and node-redis over TLS, $1" node "$here/secure/secure.js"
    fi
}

LARDER_CERTIFICATES=$(mktemp -d)
export LARDER_CERTIFICATES
trap 'rm -rf "$LARDER_CERTIFICATES"' EXIT
server=${LARDER_SERVER:-$build/larder-server}
if "$server" --port 0 --tls-port 6380 2>&1 | grep -q 'built without TLS'; then
    echo "The server was built without TLS."
elif ! problem=$("$here/secure/certificates.sh" "$LARDER_CERTIFICATES" 2>&1); then
    echo "openssl makes no certificates: $problem"
    failed=$((failed + 1))
else
    LARDER_TLS_PORT=$(/usr/bin/python3 -c '
import socket
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    print(probe.getsockname()[1])')
    export LARDER_TLS_PORT
    secure_suites no
    secure_suites yes
fi
finish
