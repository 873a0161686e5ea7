# Shared by cluster-up.sh and cluster-down.sh: where the cluster's files are, and which daemons are ours. Sourced.
LAB=${SLURM_LAB:-/var/tmp/faithful-pairs-slurm}
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
MARK="# faithful-pairs slurm"
NODES="node1 twin1 twin2" # each a slurmd of its own
CONFIGS="slurm gres cgroup"   # files of /etc/slurm, which are links to ours
unset SLURM_CONF

say() { echo "${0##*/}: $*"; }

# pid_of munged|slurmctld|slurmd.NODE: pid of our live daemon. First by its pid file; else a process of that name that
# works in or was started with $LAB. After "scontrol reconfigure" slurmctld is called slurmctld-wlm.
pid_of() {
    local pid name daemon=${1%%.*} node=
    [ "$1" = "$daemon" ] || node=${1#*.}
    pid=$({ tr -dc 0-9 <"$LAB/run/$1.pid"; } 2>/dev/null || true)
    for pid in $pid $(cd /proc && ls -d [0-9]* 2>/dev/null); do
        name=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
        case "$name" in "$daemon" | "$daemon-wlm") ;; *) continue ;; esac
        [ -z "$node" ] || { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -q -- "-N $node " || continue
        case "$(readlink "/proc/$pid/cwd")" in "$LAB" | "$LAB"/*) echo "$pid" && return 0 ;; esac
        grep -qzF -- "$LAB/" "/proc/$pid/cmdline" 2>/dev/null && echo "$pid" && return 0
    done
    return 1
}

alive() { pid_of "$1" >/dev/null; }

# stop_daemon NAME: end it in order, after ten seconds by force.
stop_daemon() {
    local pid
    pid=$(pid_of "$1") || return 0
    kill -TERM "$pid"
    for _ in $(seq 100); do
        [ -d "/proc/$pid" ] || break
        sleep 0.1
    done
    [ ! -d "/proc/$pid" ] || kill -KILL "$pid"
    rm -f "$LAB/run/$1.pid"
    say "stopped $1 ($pid)"
}
