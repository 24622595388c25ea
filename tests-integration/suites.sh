# suites: what the suites in other languages share. Sourced by a run.sh, called from the top of the tree
# by utils/run-tests, which sets `here` first. Each suite runs against a server of its own.
#
# The interpreters are Debian's where the library is Debian's (python3-redis, ruby-redis, php-redis):
# another python3 earlier in PATH would not find it.
# shellcheck shell=bash disable=SC2154
build=${BUILD:-build}
with_server=${WITH_SERVER:-$build/tests-integration/with_server}
passed=0
failed=0
# No suite takes more than some seconds; with a sanitizer some more.
seconds_max=120
# Options of the servers of the suites that follow.
server_options=()

# suite NAME COMMAND...: runs the command beside a server and adds its counts.
suite() {
    local name=$1 output status line more_passed more_failed
    shift
    output=$(timeout -k 5 $seconds_max "$with_server" "${server_options[@]}" -- "$@" 2>&1)
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

# install_modules: the packages of $here/package.json are installed once, into the build folder, and
# node finds them from then on. Counts a failure when npm cannot.
install_modules() {
    local modules=$build/node-${here##*/}
    mkdir -p "$modules"
    if ! cmp -s "$here/package.json" "$modules/installed.json"; then
        cp "$here/package.json" "$modules/package.json"
        if ! npm install --prefix "$modules" --no-package-lock --no-audit --no-fund --loglevel=error; then
            echo "npm could not install the packages of $here/package.json"
            failed=$((failed + 1))
            return 1
        fi
        cp "$here/package.json" "$modules/installed.json"
    fi
    NODE_PATH=$(realpath "$modules")/node_modules
    export NODE_PATH
}

# finish: the closing line and the exit status.
finish() {
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ]
}
