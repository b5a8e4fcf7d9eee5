# Sourced by run_all.sh, run_tests.sh and .ci/run: makes `python` below the right one, installing what is missing.
#
#   prepare_environment   sets $PYTHON: of the active conda or venv environment if that has everything already, else
#                         of .venv beside this file, which is made or brought up to date (and kept for next time)
#   prepare_spice         fetches what SPICE needs, once; a run goes on without it
#
# AACLIB_PYTHON=/path/to/python3.11 chooses the Python that .venv is made from; AACLIB_UV=1 installs with uv;
# AACLIB_EXTRAS=test,cluster installs what more machines need, too (docs/cluster.md).

extras=${AACLIB_EXTRAS:-test}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf '%s\n' "[setup] $*" >&2; }
die() { printf '%s\n' "[setup] $*" >&2; exit 2; }

right_version() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' >/dev/null 2>&1; }

find_python() {
  local candidate
  for candidate in ${AACLIB_PYTHON:+"$AACLIB_PYTHON"} python3.11 python3.12 python3 python \
                   /usr/bin/python3.11 /usr/bin/python3.12 /usr/local/bin/python3.11 /usr/local/bin/python3.12; do
    if right_version "$candidate"; then printf '%s\n' "$candidate"; return 0; fi
  done
  die "Python 3.11 or 3.12 is needed and was not found. Install it (for example: sudo apt install python3.11 python3.11-venv), or say where it is with AACLIB_PYTHON=/path/to/python3.11."
}

stamp_now() {      # what the environment must have been made from
  "$PYTHON" -c 'import hashlib, pathlib, sys; print(hashlib.sha256(b"".join(pathlib.Path(p).read_bytes() for p in sys.argv[1:])).hexdigest())' \
    "$root/pyproject.toml" "$root/constraints.txt"
  printf '%s\n' "$extras"
}

prepare_environment() {
  export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
  local own="$root/.venv" active="${VIRTUAL_ENV:-${CONDA_PREFIX:-}}" lacking
  if [ -n "$active" ] && [ "$active" != "$own" ] && [ -x "$active/bin/python" ]; then
    if lacking=$("$active/bin/python" -P "$root/aaclib/suite/requirements.py" --extras "$extras" 2>&1); then
      PYTHON="$active/bin/python"
      say "using the active environment $active, which has everything"
      return 0
    fi
    say "the active environment $active does not have everything ($(printf '%s\n' "$lacking" | tail -n 1)); using .venv instead"
  fi

  PYTHON="$own/bin/python"
  if ! right_version "$PYTHON"; then
    local base; base=$(find_python) || exit 2
    say "making $own with $("$base" --version)"
    "$base" -m venv --clear "$own" || die "The virtual environment could not be made. On Debian and Ubuntu: sudo apt install python3.11-venv."
  fi
  if [ "$(cat "$own/stamp" 2>/dev/null)" = "$(stamp_now)" ]; then return 0; fi
  if "$PYTHON" -P "$root/aaclib/suite/requirements.py" --extras "$extras" --constraints "$root/constraints.txt" >/dev/null 2>&1 \
     && [ -x "$own/bin/aaclib" ]; then
    say "$own has the tested versions already"
  else
    install_packages "$own"
  fi
  stamp_now > "$own/stamp"
}

install_packages() {
  local log="$1/install.log" began=$SECONDS
  say "installing the tested versions of about 200 packages into $1; PyTorch's are large, so this takes some minutes"
  if [ -n "${AACLIB_UV:-}" ] && command -v uv >/dev/null 2>&1; then
    uv pip install --python "$PYTHON" -c "$root/constraints.txt" -e "$root[$extras]" || die "uv could not install the packages."
  else
    # the large downloads on the screen, everything in the log
    ( set -o pipefail
      "$PYTHON" -m pip install --no-input --progress-bar off -c "$root/constraints.txt" -e "$root[$extras]" 2>&1 | tee "$log" \
        | while IFS= read -r line; do
            if [[ $line =~ (Downloading|cached).*\([0-9]{3,}(\.[0-9]+)?\ MB\) || $line == Installing* || $line == ERROR* ]]; then
              printf '%s\n' "${line:0:120}" >&2
            fi
          done
    ) || { tail -n 20 "$log" >&2; die "pip could not install the packages (see $log). Is the network there, and room for 8 GB?"; }
  fi
  say "installed in $((SECONDS - began)) s; kept in $1"
}

prepare_spice() {
  "$PYTHON" -P -m aaclib metrics install-spice || say "SPICE could not be set up (above); everything else goes on without SPICE and SPIDEr"
}
