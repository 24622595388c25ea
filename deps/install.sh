#!/bin/bash
# Installs the Debian packages that are missing, for the profiles that are named (default: build).
#
#   deps/install.sh [build] [test] [check] [bench]
#
# Each row below says how to see that a package is there without asking the package system, so that
# a run with nothing to do takes milliseconds and programs of another origin (a node that did not
# come from Debian) are left alone. As root, or where sudo asks no password, the packages are
# installed; otherwise the command to type is printed and the exit status is 1.
#
# redis-server and its client libraries are wanted as programs to compare with: its service must not
# be started on port 6379, and is not.
set -u

# profiles, package (with ? when the build can do without it), what must exist: a command, a file
# (an absolute pattern), or a shell test
rows='
build|gcc|command gcc-ar
build|make|command make
build|pkg-config|command pkg-config
build|libc6-dev|file /usr/include/stdio.h
build|libjemalloc-dev|file /usr/lib/*/libjemalloc.a /usr/lib/libjemalloc.a /usr/local/lib/libjemalloc.a
build|libxxhash-dev|file /usr/include/xxhash.h /usr/local/include/xxhash.h
build|liblua5.1-0-dev?|file /usr/include/lua5.1/lua.h /usr/local/include/lua5.1/lua.h
build|liburing-dev?|file /usr/include/liburing.h /usr/local/include/liburing.h
build|libssl-dev?|file /usr/include/openssl/core.h /usr/local/include/openssl/core.h
build|libnghttp2-dev?|file /usr/include/nghttp2/nghttp2.h /usr/local/include/nghttp2/nghttp2.h
test bench|openssl|command openssl
test bench|curl|command curl
test bench|nghttp2-client|command h2load
bench|wrk|command wrk
bench|nginx-light|command nginx
test bench|libhiredis-dev|file /usr/include/hiredis/hiredis.h /usr/local/include/hiredis/hiredis.h
test|libcmocka-dev|file /usr/include/cmocka.h /usr/local/include/cmocka.h
test bench|redis-server|command redis-server
test bench|redis-tools|command redis-cli
test|nutcracker|file /usr/sbin/nutcracker
test|haproxy|file /usr/sbin/haproxy
test check bench|python3|file /usr/bin/python3
test|python3-redis|file /usr/lib/python3/dist-packages/redis/__init__.py
test|python3-rq|file /usr/lib/python3/dist-packages/rq/__init__.py
test|python3-kombu|file /usr/lib/python3/dist-packages/kombu/__init__.py
test|python3-django-redis|file /usr/lib/python3/dist-packages/django_redis/__init__.py
test|nodejs|command node
test|npm|command npm
test|systemd|command systemd-analyze
test|libseccomp2|file /usr/lib/*/libseccomp.so.2
test|ruby|file /usr/bin/ruby
test|ruby-redis|file /usr/share/rubygems-integration/all/specifications/redis-[0-9]*.gemspec
test|ruby-redis-activesupport|file /usr/share/rubygems-integration/all/specifications/redis-activesupport-[0-9]*.gemspec
test|php-cli|file /usr/bin/php
test|php-redis|file /usr/lib/php/*/redis.so
test|php-predis|file /usr/share/php/Predis/autoload.php
test|php-illuminate-cache|file /usr/share/php/Illuminate/Cache/autoload.php
test|php-illuminate-redis|file /usr/share/php/Illuminate/Redis/autoload.php
test|libredis-perl|file /usr/share/perl5/Redis.pm
test|libio-socket-ssl-perl|file /usr/share/perl5/IO/Socket/SSL.pm
test|chromium|command chromium
test|prometheus|command promtool
test|prometheus-redis-exporter|command prometheus-redis-exporter
check|clang|command clang
check|libclang-rt-14-dev|file /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a
check|clang-format|command clang-format
check|clang-tidy|command clang-tidy
check|cppcheck|command cppcheck
check|shellcheck|command shellcheck
check|mandoc|command mandoc
check|gcc-aarch64-linux-gnu|command aarch64-linux-gnu-gcc
check|libc6-dev-arm64-cross|file /usr/aarch64-linux-gnu/include/stdio.h
'

present() {
    local kind=$1 pattern
    shift
    if [ "$kind" = command ]; then
        type -P "$1" >/dev/null
        return
    fi
    for pattern in "$@"; do
        [ -e "$pattern" ] && return 0
    done
    return 1
}

missing=()
optional=()
profiles=" ${*:-build} "
for profile in $profiles; do
    case $profile in
    build | test | check | bench) ;;
    *)
        echo "deps/install.sh: no profile '$profile': there are build, test, check, bench" >&2
        exit 2
        ;;
    esac
done
while IFS='|' read -r wanted package test; do
    [ -n "$package" ] || continue
    for profile in $wanted; do
        if [[ $profiles == *" $profile "* ]]; then
            # The patterns of a test are meant to expand.
            # shellcheck disable=SC2086
            if present $test; then
                break
            elif [ "${package%\?}" = "$package" ]; then
                missing+=("$package")
            else
                optional+=("${package%\?}")
            fi
            break
        fi
    done
done <<<"$rows"
[ $((${#missing[@]} + ${#optional[@]})) -eq 0 ] && exit 0

# What to do where nothing can be installed: without optional packages it goes on.
give_up() {
    [ ${#missing[@]} -gt 0 ] && exit 1
    echo "deps/install.sh: going on without ${optional[*]}"
    exit 0
}

if ! type -P apt-get >/dev/null; then
    echo "deps/install.sh: missing: ${missing[*]} ${optional[*]} (names of Debian packages)" >&2
    give_up
fi
root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
        echo "Some packages are missing. Install them with:" >&2
        echo "  sudo apt-get install --no-install-recommends ${missing[*]} ${optional[*]}" >&2
        give_up
    fi
    root=(sudo -n)
fi

# Keeps the package system from starting services while packages are set up.
policy=/usr/sbin/policy-rc.d
placed=no
tidy_up() {
    if [ $placed = yes ]; then
        "${root[@]}" rm -f $policy
    fi
}
trap tidy_up EXIT
if [ ! -e $policy ]; then
    placed=yes
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $policy >/dev/null
    "${root[@]}" chmod 755 $policy
fi
redis_is_new=no
[[ " ${missing[*]} " == *" redis-server "* ]] && redis_is_new=yes

install_missing() {
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends "${missing[@]}" "${optional[@]}"
}
echo "deps/install.sh: installing ${missing[*]} ${optional[*]}"
if ! install_missing >/dev/null 2>&1; then
    # The lists of packages may be old or absent.
    "${root[@]}" apt-get update -q || give_up
    install_missing || give_up
fi
if [ $redis_is_new = yes ] && type -P systemctl >/dev/null; then
    # Nor shall it start with the next boot.
    "${root[@]}" systemctl disable redis-server >/dev/null 2>&1
fi
exit 0
