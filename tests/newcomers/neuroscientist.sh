#!/usr/bin/env bash
# She has a recording in NWB: spikes of units, trials with a stimulus, and the speed of a wheel. She wants to know whether the spikes tell the
# stimulus, how well the speed is forecast, and a figure and a page to show.
set -euo pipefail
recording=$CHECKOUT/tests/data/hdf5/recording.nwb

# What tells the stimuli apart.
"$BD" train snn --data "$recording" --y stimulus --hidden 8 --ensemble 1 --epochs 3 --quiet --out stimulus
# How far ahead the speed of the wheel is forecast.
"$BD" train ngrc --data "$recording" --columns acquisition/running --delay 1,2 --quiet --out speed
# Both on one page, and a figure for a paper.
"$BD" report stimulus speed --quiet --out both.html

grep -q '<svg' both.html
grep -q 'acquisition/running' both.html
for figure in stimulus/plots/confusion.svg stimulus/plots/training.svg speed/plots/horizon-1.svg; do
    grep -q '<text' "$figure"
done
[ "$(stat -c %s both.html)" -lt 500000 ]
