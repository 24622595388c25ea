#!/bin/sh
# The kernel's settings that matter for a cache server: shows them, and sets them with --apply.
#
#   utils/tune.sh                 what is, what is advised, and why; changes nothing
#   utils/tune.sh --apply         sets what differs, for now; prints how to undo each
#   utils/tune.sh --persist FILE  writes the advice as a file for /etc/sysctl.d and changes nothing
#
# Nothing here is needed for correctness. Settings that this kernel or container does not have are
# skipped with a word.
set -u
mode=show
target=
case ${1:-} in
'') ;;
--apply) mode=apply ;;
--persist)
    mode=persist
    target=${2:?tune.sh: --persist needs the name of a file}
    ;;
-h | --help)
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
*)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

differs=0

# advise NAME WANTED COMPARISON REASON: comparison is `least` (at least), `most`, `is`, or `range`.
advise() {
    name=$1 wanted=$2 comparison=$3 reason=$4
    path=/proc/sys/$(echo "$name" | tr . /)
    if [ ! -r "$path" ]; then
        echo "-     $name is not to be had here"
        return
    fi
    now=$(tr '\t' ' ' <"$path")
    case $comparison in
    range) # a wide one that begins where the wanted one does, or above
        [ "${now%% *}" -ge "${wanted%% *}" ] && [ $((${now##* } - ${now%% *})) -ge 50000 ] && good=1 || good=0
        ;;
    least) [ "${now##* }" -ge "${wanted##* }" ] && good=1 || good=0 ;;
    most) [ "$now" -le "$wanted" ] && good=1 || good=0 ;;
    *) [ "$now" = "$wanted" ] && good=1 || good=0 ;;
    esac
    if [ "$good" = 1 ]; then
        echo "ok    $name = $now"
        return
    fi
    differs=$((differs + 1))
    echo "      $name = $now, better $wanted: $reason"
    case $mode in
    apply)
        if echo "$wanted" >"$path" 2>/dev/null; then
            echo "      set; undo with: sysctl -w $name='$now'"
        else
            echo "      cannot be set: not root, or the container does not allow it"
        fi
        ;;
    persist) echo "$name = $wanted" >>"$target" ;;
    esac
}

# advise_file PATH WANTED REASON: files outside /proc/sys whose choice stands in brackets.
advise_file() {
    path=$1 wanted=$2 reason=$3
    if [ ! -r "$path" ]; then
        echo "-     $path is not to be had here"
        return
    fi
    now=$(sed -n 's/.*\[\(.*\)\].*/\1/p' "$path")
    if [ "$now" = "$wanted" ] || { [ "$wanted" = madvise ] && [ "$now" = always ]; }; then
        echo "ok    $path = $now"
        return
    fi
    differs=$((differs + 1))
    echo "      $path = $now, better $wanted: $reason"
    if [ $mode = apply ]; then
        if echo "$wanted" >"$path" 2>/dev/null; then
            echo "      set; undo with: echo $now > $path"
        else
            echo "      cannot be set: not root, or the container does not allow it"
        fi
    fi
}

if [ $mode = persist ]; then
    echo '# Settings for a cache server; see tune.sh for the reasons.' >"$target" || exit 1
fi

advise net.core.somaxconn 4096 least \
    'caps the backlog of connections that wait to be accepted; a storm of clients overflows less'
advise net.ipv4.tcp_max_syn_backlog 4096 least \
    'the same for connections whose handshake is under way'
advise fs.file-max 200000 least 'each connection takes a descriptor'
advise net.core.rmem_max 8388608 least 'lets a receive buffer grow for large values'
advise net.core.wmem_max 8388608 least 'lets a send buffer grow for large replies'
advise net.ipv4.tcp_rmem '4096 131072 8388608' least \
    'receive buffers start small, for many idle connections, and may grow'
advise net.ipv4.tcp_wmem '4096 65536 8388608' least 'send buffers likewise'
advise net.ipv4.tcp_slow_start_after_idle 0 is \
    'a pooled connection that was idle would begin with a small window again'
# The servers' own ports (6379 and what people put beside it) stay below the range: a client that happened
# to be given one would keep the server from starting.
advise net.ipv4.ip_local_port_range '10000 65535' range \
    'a machine whose clients open many short connections runs out of ports later'
advise vm.overcommit_memory 1 is \
    'memory is reserved in large pieces; with 2 the kernel counts them as if they were used'
advise vm.swappiness 1 most 'a cache that is swapped out is slower than no cache'
advise_file /sys/kernel/mm/transparent_hugepage/enabled madvise \
    'Larder asks for huge pages where they help; a tenth of the time of a request at a million keys'

congestion=/proc/sys/net/ipv4/tcp_congestion_control
if [ -r $congestion ]; then
    echo "      net.ipv4.tcp_congestion_control = $(cat $congestion): within a data centre cubic does;" \
        'bbr helps clients that are far away'
fi
limit=$(sed -n 's/^Max open files *\([^ ]*\).*/\1/p' /proc/self/limits)
if [ "$limit" = unlimited ] || [ "$limit" -ge 10032 ]; then
    echo "ok    open files of this shell = $limit"
else
    differs=$((differs + 1))
    echo "      open files of this shell = $limit, better 10032 for maxclients 10000: ulimit -n 10032," \
        'or LimitNOFILE= of the service'
fi
[ $differs = 0 ] || [ $mode != show ] || echo "$differs differ; --apply sets those that can be set"
