#!/usr/bin/env bash
# A student repeats the three parts of the tutorial, shortened, changes one thing, and compares.
set -euo pipefail

"$BD" train ngrc --quiet --out reservoir
"$BD" train rnn --updates 40 --report-every 20 --quiet --out integrator
"$BD" train snn --epochs 20 --report-every 10 --quiet --out classifier
# The same with another learning rate.
"$BD" train rnn --from integrator --set optim.lr=0.003 --quiet --out slower

"$BD" runs . > table.txt
for run in reservoir integrator classifier slower; do grep -q "$run" table.txt; done
"$BD" report integrator slower --quiet --out compared.html
grep -q 'optim.lr' compared.html
# The figures of the original: forecasts, loss, voltages and spikes.
for figure in reservoir/plots/horizon-100.svg integrator/plots/training.svg classifier/plots/raster.svg; do [ -s "$figure" ]; done
