#!/bin/bash
# The page at /ui in a browser, and what Prometheus reads. Called from the top of the tree by utils/run-tests;
# ends with `N passed, N failed`.
set -u
here=$(dirname "$0")
. "$here/../suites.sh"

if install_modules; then
    suite page node "$here/page.js"
fi
suite metrics node "$here/metrics.js"
finish
