#!/bin/bash
# Client libraries of other languages, with their default settings, each against a server of its own.
# Called from the top of the tree by utils/run-tests; ends with `N passed, N failed`.
#
# The interpreters are Debian's where the library is Debian's (python3-redis, ruby-redis, php-redis):
# another python3 earlier in PATH would not find it.
set -u
here=$(dirname "$0")
build=${BUILD:-build}
with_server=${WITH_SERVER:-$build/tests-integration/with_server}
modules=$build/node
passed=0
failed=0
# No suite takes more than some seconds; with a sanitizer some more.
seconds_max=120

# The packages of node are installed once, into the build folder.
install_modules() {
    mkdir -p "$modules"
    cmp -s "$here/package.json" "$modules/installed.json" && return 0
    cp "$here/package.json" "$modules/package.json"
    npm install --prefix "$modules" --no-package-lock --no-audit --no-fund --loglevel=error &&
        cp "$here/package.json" "$modules/installed.json"
}

# suite NAME COMMAND...: runs the command beside a server and adds its counts.
suite() {
    local name=$1 output status line more_passed more_failed
    shift
    output=$(timeout -k 5 $seconds_max "$with_server" -- "$@" 2>&1)
    status=$?
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' <<<"$output" | tail -n 1)
    read -r more_passed _ more_failed _ <<<"${line:-0 passed, 1 failed}"
    if [ $status -ne 0 ] && [ "$more_failed" -eq 0 ]; then
        more_failed=1
    fi
    if [ "$more_failed" -ne 0 ]; then
        echo "$output"
    fi
    echo "$name: $more_passed passed, $more_failed failed, exit status $status"
    passed=$((passed + more_passed))
    failed=$((failed + more_failed))
}

suite redis-py /usr/bin/python3 "$here/redis_py.py"
suite redis-rb /usr/bin/ruby "$here/redis_rb.rb"
suite phpredis /usr/bin/php "$here/phpredis.php"
if install_modules; then
    NODE_PATH=$(realpath "$modules")/node_modules
    export NODE_PATH
    suite ioredis node "$here/ioredis.js"
    suite node-redis node "$here/node_redis.js"
else
    echo "npm could not install the packages of tests-integration/clients/package.json"
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
