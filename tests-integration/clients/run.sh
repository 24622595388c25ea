#!/bin/bash
# Client libraries of other languages, with their default settings, each against a server of its own.
# Called from the top of the tree by utils/run-tests; ends with `N passed, N failed`.
set -u
here=$(dirname "$0")
. "$here/../suites.sh"

suite redis-py /usr/bin/python3 "$here/redis_py.py"
suite redis-rb /usr/bin/ruby "$here/redis_rb.rb"
suite phpredis /usr/bin/php "$here/phpredis.php"
if install_modules; then
    suite ioredis node "$here/ioredis.js"
    suite node-redis node "$here/node_redis.js"
    suite upstash node "$here/upstash.js"
fi
finish
