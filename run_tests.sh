#!/usr/bin/env bash
# Runs the tests from any folder, and makes the environment that they need first.
#
#   ./run_tests.sh             everything: unit, parity with the original implementations, notebooks
#   ./run_tests.sh --fast      unit tests without the slow ones, in a few minutes
#   ./run_tests.sh --no-spice  does not fetch what SPICE needs; its tests are then skipped and say so
#
# Anything else goes to pytest: ./run_tests.sh --fast -k runner -x
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/environment.sh"

spice=yes fast='' rest=()
for option in "$@"; do
  case "$option" in
    -h|--help) sed -n '2,8s/^# \{0,1\}//p' "$here/run_tests.sh"; exit 0 ;;
    --fast) fast=yes spice='' ;;
    --no-spice|--offline) spice='' ;;
    *) rest+=("$option") ;;
  esac
done

prepare_environment
if [ -n "$spice" ]; then prepare_spice; fi
cd "$root"
export HF_HUB_OFFLINE="${HF_HUB_OFFLINE:-1}"      # tests bring their own models; without this some would wait for a hub
# Two files of tests side by side, in the order of their folders: the notebooks, which take longest, come first.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"    # or each would take every core, and wait for the other one's threads
at_once=(--numprocesses=2 --dist=loadfile --no-loadscope-reorder)
if [ -n "$fast" ]; then
  exec "$PYTHON" -m pytest "${at_once[@]}" tests/unit -m "not slow" ${rest[@]+"${rest[@]}"}
fi
exec "$PYTHON" -m pytest "${at_once[@]}" ${rest[@]+"${rest[@]}"}
