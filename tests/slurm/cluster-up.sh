#!/usr/bin/env bash
# Starts a real SLURM on this machine, as root, without systemd, cgroups or a database, on loopback only.
# Does nothing where it is up already. Everything lies below $SLURM_LAB; outside it: Debian's packages, links in
# /etc/slurm, a marked line in /etc/hosts where the host name is not loopback, and the right to pass through the
# folders above the Python interpreter (jobs run as an ordinary user). cluster-down.sh takes all but the packages back.
# Exits with 77 where there can be no such cluster: no packages to be had, or a real cluster's files in /etc/slurm.
#
#   SLURM_LAB=/var/tmp/faithful-pairs-slurm   its files (must be readable for all)
#   SLURM_CPUS=8, SLURM_MEMORY=256000         what the node advertises; may exceed what it has (nothing enforces it)
#
# Partitions: main (default), gpu (same node, 2 fake GPUs), urgent (preempts both), twins (two more nodes, each a slurmd
# of its own on this machine), big (two nodes of 8 GPUs that are never up: jobs for it stay pending, which is enough to
# see what they ask for).
set -euo pipefail
. "$(dirname "$0")/common.sh"
CPUS=${SLURM_CPUS:-8}
MEMORY=${SLURM_MEMORY:-256000}

[ "$(id -u)" = 0 ] || { say "must be root" >&2 && exit 1; }

cannot() { say "$1" >&2 && exit 77; }

leave_real_clusters_alone() {
    local file
    for file in $CONFIGS; do
        if [ -e /etc/slurm/$file.conf ] && [ ! -L /etc/slurm/$file.conf ]; then
            cannot "/etc/slurm/$file.conf is a file of a real cluster; leaving it"
        fi
    done
}

install_packages() {
    local package missing=() policy=/usr/sbin/policy-rc.d
    for package in slurmctld slurmd slurm-client munge; do
        dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ ! -e $policy ]; then # keeps the packages from starting daemons of their own
        trap "rm -f $policy" EXIT
        printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
    fi
    apt-cache show slurmctld >/dev/null 2>&1 || apt-get update -q || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" ||
        cannot "Debian's packages can't be installed: ${missing[*]}"
}

# The daemons and srun bind to what the host name resolves to: that must be loopback.
name_on_loopback() {
    case "$(getent ahostsv4 "$(hostname)" | awk 'NR==1{print $1}')" in 127.*) return 0 ;; esac
    local hosts
    hosts=$(cat /etc/hosts)
    printf '127.0.0.1 %s %s\n%s\n' "$(hostname)" "$MARK" "$hosts" >/etc/hosts # in place: may be a bind mount
}

# Jobs run as an ordinary user, who must get at the interpreter even when it lies below root's home.
open_way_to_python() {
    local python folder
    python=$(readlink -f "$(dirname "$0")/../../.venv/bin/python")
    folder=$(dirname "$python")
    while [ "$folder" != / ]; do
        if [ -z "$(find "$folder" -maxdepth 0 -perm -o+x)" ]; then
            say "letting everybody pass through $folder"
            chmod o+x "$folder"
            echo "$folder" >>"$LAB/opened"
        fi
        folder=$(dirname "$folder")
    done
}

write_config() {
    printf 'CgroupPlugin=disabled\n' >"$LAB/etc/cgroup.conf"
    cat >"$LAB/etc/gres.conf" <<CONF
NodeName=node1 Name=gpu Type=fake Count=1 File=/dev/null
NodeName=node1 Name=gpu Type=fake Count=1 File=/dev/zero
CONF
    cat >"$LAB/etc/slurm.conf" <<CONF
ClusterName=lab
SlurmctldHost=localhost
SlurmUser=root
SlurmdUser=root
SlurmctldPort=16817
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
CredType=cred/munge
# a requeued job waits until its old credential has expired: 120 s unless told otherwise
AuthInfo=socket=$LAB/run/munge.socket,cred_expire=10
SlurmctldPidFile=$LAB/run/slurmctld.pid
SlurmdPidFile=$LAB/run/slurmd.%n.pid
StateSaveLocation=$LAB/state
SlurmdSpoolDir=$LAB/spool/%n
SlurmctldLogFile=$LAB/log/slurmctld.log
SlurmdLogFile=$LAB/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$LAB/log/jobcomp.txt
MpiDefault=none
ReturnToService=2
# finished jobs stay visible to squeue this long
MinJobAge=900
# seconds between SIGTERM and SIGKILL of a job that is to end
KillWait=15
SlurmdTimeout=300
UnkillableStepTimeout=60
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=5
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
DefMemPerCPU=500
GresTypes=gpu
NodeName=node1 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=16818 CPUs=$CPUS RealMemory=$MEMORY Gres=gpu:fake:2 State=UNKNOWN
NodeName=twin[1-2] NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=[16819-16820] CPUs=2 RealMemory=$MEMORY State=UNKNOWN
NodeName=far1 NodeAddr=127.0.0.11 CPUs=128 RealMemory=2000000 Gres=gpu:fake:8 State=DOWN
NodeName=far2 NodeAddr=127.0.0.12 CPUs=128 RealMemory=2000000 Gres=gpu:fake:8 State=DOWN
PartitionName=main Nodes=node1 Default=YES MaxTime=INFINITE DefaultTime=01:00:00 PriorityTier=1 GraceTime=20 State=UP
PartitionName=gpu Nodes=node1 MaxTime=INFINITE PriorityTier=1 GraceTime=20 State=UP
PartitionName=urgent Nodes=node1 MaxTime=INFINITE PriorityTier=10 PreemptMode=OFF State=UP
PartitionName=twins Nodes=twin[1-2] MaxTime=INFINITE PriorityTier=1 State=UP
PartitionName=big Nodes=far[1-2] MaxTime=INFINITE PriorityTier=1 State=UP
CONF
    # SLURM_CONF is not enough: the plugin takes most SLURM_* variables from its inner srun.
    mkdir -p /etc/slurm
    local file
    for file in $CONFIGS; do ln -sfn "$LAB/etc/$file.conf" /etc/slurm/$file.conf; done
}

start_munge() {
    alive munged && return 0
    rm -f "$LAB"/run/munge.socket*
    [ -s "$LAB/etc/munge.key" ] || (umask 077 && head -c 128 /dev/urandom >"$LAB/etc/munge.key")
    munged --key-file="$LAB/etc/munge.key" --socket="$LAB/run/munge.socket" --pid-file="$LAB/run/munged.pid" \
        --log-file="$LAB/log/munged.log" --seed-file="$LAB/run/munged.seed" --num-threads=2
}

fail() {
    say "not up: $1; logs in $LAB/log" >&2
    tail -n 15 "$LAB"/log/slurmctld.log "$LAB"/log/slurmd.*.log >&2
    exit 1
}

wait_for() { # wait_for SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

answers() { timeout 5 scontrol ping 2>/dev/null | grep -q 'is UP'; }

node_ready() { # node_ready NODE
    case "$(timeout 5 sinfo -h -n "$1" -o %T 2>/dev/null | head -n 1)" in
    idle | mixed | allocated | completing) return 0 ;;
    *down* | *drain*) timeout 5 scontrol update NodeName="$1" State=RESUME 2>/dev/null || true ;;
    esac
    return 1
}

leave_real_clusters_alone
install_packages
umask 022
mkdir -p "$LAB"/{etc,run,log,state,spool}
name_on_loopback
open_way_to_python
if ! alive slurmctld; then write_config; fi
start_munge
alive slurmctld || slurmctld </dev/null >>"$LAB/log/slurmctld.out" 2>&1
wait_for 20 answers || fail "slurmctld does not answer"
for node in $NODES; do
    mkdir -p "$LAB/spool/$node"
    alive "slurmd.$node" || slurmd -N "$node" </dev/null >>"$LAB/log/slurmd.out" 2>&1
done
for node in $NODES; do wait_for 30 node_ready "$node" || fail "node $node does not come up"; done
# jobs that ended while slurmd was away hold the node for up to a minute and a half after it is back
timeout 150 srun -n1 -t1 --mem=50 true || fail "a test job does not run"
say "up: $(sinfo -h -N -p main -o '%N %T cpus=%c mem=%m gres=%G'); files in $LAB"
