#!/usr/bin/env bash
# Ends the jobs and daemons of cluster-up.sh and takes back what it changed outside its folder. Logs stay in $SLURM_LAB.
set -uo pipefail
. "$(dirname "$0")/common.sh"

if alive slurmctld; then # steps outlive slurmd, so jobs end first
    for job in $(timeout 10 squeue -h -o %A 2>/dev/null | sort -u); do timeout 10 scancel "$job"; done
    for _ in $(seq 60); do
        [ -n "$(timeout 10 squeue -h 2>/dev/null)" ] || break
        sleep 0.5
    done
fi
for node in $NODES; do stop_daemon "slurmd.$node"; done
for daemon in slurmctld munged; do stop_daemon $daemon; done
rm -rf "$LAB"/run/munge.socket* "$LAB/state" "$LAB/spool"
if grep -q "$MARK\$" /etc/hosts; then
    hosts=$(grep -v "$MARK\$" /etc/hosts)
    printf '%s\n' "$hosts" >/etc/hosts
fi
for file in $CONFIGS; do
    [ "$(readlink /etc/slurm/$file.conf)" != "$LAB/etc/$file.conf" ] || rm -f /etc/slurm/$file.conf
done
if [ -f "$LAB/opened" ]; then
    while read -r folder; do chmod o-x "$folder"; done <"$LAB/opened"
    rm -f "$LAB/opened"
fi
exit 0
