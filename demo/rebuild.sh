#!/bin/sh
# Train every bundled run from its seed and compute its results. One thread a run, two runs at a time.
set -eu
python=${1:-python3}
cd "$(dirname "$0")/.."
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
"$python" demo/make_probes.py
rm -rf demo/runs
"$python" demo/sotu/train.py --seed 1 & first=$!
"$python" demo/sotu/train.py --seed 2 & second=$!
wait "$first"
"$python" demo/modadd/train.py
"$python" demo/make_known_answers.py
"$python" demo/make_digits.py
wait "$second"
"$python" demo/make_results.py
