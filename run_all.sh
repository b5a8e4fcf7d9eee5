#!/usr/bin/env bash
# Runs the notebooks of a profile from beginning to end, from any folder, and makes the environment that they need first.
#
#   ./run_all.sh                       the quick profile: a synthetic world, no GPU, no data, no model hub
#   ./run_all.sh --profile smoke       the same, smaller: a first look in minutes
#   ./run_all.sh --list                profiles, stages and what is done already
#
# All options go to `aaclib run`: --profile --only --from --to --set key=value --force --list --dry-run --report --offline --no-spice
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/environment.sh"

spice=yes
for option in "$@"; do
  case "$option" in
    -h|--help) sed -n '2,8s/^# \{0,1\}//p' "$here/run_all.sh"; exit 0 ;;
    --no-spice|--offline|--list|--dry-run|--report) spice= ;;
  esac
done

prepare_environment
if [ -n "$spice" ]; then prepare_spice; fi
exec "$PYTHON" -P -m aaclib run "$@"
