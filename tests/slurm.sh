#!/usr/bin/env bash
# By hand: one sweep by this process, by two Dask workers and by a real SLURM, whose tables must be equal.
#
#   sudo apt install slurm-wlm munge && .venv/bin/pip install -c constraints.txt -e '.[cluster]'
#   sudo tests/slurm.sh [PYTHON]
#
# SLURM is this machine alone: its daemons, their key, sockets, settings and logs lie in a temporary folder, nothing of
# the machine's own SLURM is touched, and all of it is taken down at the end, however that comes.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=$(realpath -s "${1:-$root/.venv/bin/python}")
for tool in slurmctld slurmd munged sbatch; do
  PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null || { echo "no $tool here (fix: apt install slurm-wlm munge)"; exit 2; }
done
export PATH=$PATH:/usr/sbin PYTHONPATH="$root:$root/tests/unit" OMP_NUM_THREADS=1
folder=$(mktemp -d /tmp/slurm.XXXXXX)
daemons=()
down() {
  scancel --user="$(id -un)" 2>/dev/null || true
  sleep 2
  for ((i = ${#daemons[@]} - 1; i >= 0; i--)); do kill "${daemons[i]}" 2>/dev/null || true; done
  wait "${daemons[@]}" 2>/dev/null || true
  rm -rf "$folder"
}
trap down EXIT
trap 'exit 130' INT TERM

mkdir -p "$folder"/{state,spool,munge} && chmod 711 "$folder" && chmod 755 "$folder/munge"
dd if=/dev/urandom of="$folder/munge/key" bs=1024 count=1 status=none && chmod 400 "$folder/munge/key"
munged --foreground --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" --num-threads=2 \
  --pid-file="$folder/munge/pid" --seed-file="$folder/munge/seed" --log-file="$folder/munge/log" 2>/dev/null &
daemons+=($!)

host=$(hostname -s)
cat > "$folder/slurm.conf" <<EOF
ClusterName=alone
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
SlurmctldPort=16817
SlurmdPort=16818
SlurmctldPidFile=$folder/ctld.pid
SlurmdPidFile=$folder/d.pid
SlurmctldLogFile=$folder/ctld.log
SlurmdLogFile=$folder/d.log
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc --all) State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
EOF
export SLURM_CONF="$folder/slurm.conf"
began=$SECONDS
for _ in $(seq 50); do [ -S "$folder/munge/socket" ] && break; sleep 0.2; done
slurmctld -D >"$folder/ctld.out" 2>&1 & daemons+=($!)
slurmd -D -N "$host" >"$folder/d.out" 2>&1 & daemons+=($!)
for _ in $(seq 150); do sinfo -h -o %t 2>/dev/null | grep -qx idle && break; sleep 0.4; done
sinfo || { tail -n 20 "$folder"/*.log; exit 1; }
echo "SLURM is up after $((SECONDS - began)) s"

cat > "$folder/cluster.yaml" <<EOF
jobs: 2
cores: 1
memory: 2GB
walltime: "01:00:00"
interface: lo
python: $python
log_directory: $folder/logs
job_directives_skip: ["--mem"]
EOF
for cluster in "" local:2 "slurm:$folder/cluster.yaml"; do
  began=$SECONDS name=${cluster%%:*}
  "$python" "$root/tests/same_sweep.py" "$folder/${name:-alone}" "$cluster" 2>"$folder/said" & daemons+=($!)
  wait $! || { cat "$folder/said" "$folder"/logs/* 2>/dev/null; exit 1; }
  echo "${name:-one process}: $((SECONDS - began)) s, $(sha256sum < "$folder/${name:-alone}/table.csv" | head -c 16)"
done
diff "$folder/alone/table.csv" "$folder/local/table.csv"
diff "$folder/alone/table.csv" "$folder/slurm/table.csv"
echo "the three tables are equal: $(wc -l < "$folder/alone/table.csv") lines"
