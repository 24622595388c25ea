#!/bin/bash
# Frameworks that keep their queues, caches and sessions in Redis, unmodified and at their real work, each
# against a server of its own. Called from the top of the tree by utils/run-tests; ends with
# `N passed, N failed`.
set -u
here=$(dirname "$0")
. "$here/../suites.sh"

suite rq /usr/bin/python3 "$here/rq_queue.py"
suite kombu /usr/bin/python3 "$here/kombu_messages.py"
suite django-redis /usr/bin/python3 "$here/django_cache.py"
suite redis-py-locks /usr/bin/python3 "$here/locks.py"
suite redis-activesupport /usr/bin/ruby "$here/activesupport.rb"
suite laravel /usr/bin/php "$here/laravel.php"
if install_modules; then
    suite express-session node "$here/node_sessions.js"
    suite bullmq-and-limiters node "$here/node_scripts.js"
fi
finish
