#!/usr/bin/env bash
# An engineer has a network that turns a sensor into a command, and a controller in C without libtorch. He trains, copies the run folder, and
# compares what his loop says with what `bd predict` says.
set -euo pipefail

"$BD" train rnn --hidden 8 --updates 20 --set data.test_samples=4 --quiet --out run
cp -r run controller
# Ten samples of one sequence, [time, channel].
printf '%s\n' 0.1 -0.2 0.3 0.05 -0.4 0.2 0.1 0 -0.1 0.25 > samples.txt
"${PYTHON:-python3}" - <<'PYTHON' || exit 77 # without numpy there is nothing to write an npz with
import numpy
numpy.savez("samples.npz", x=numpy.loadtxt("samples.txt")[None, :, None])
PYTHON
"$BD" predict controller --input samples.npz --output known.npz --quiet

cat > loop.c <<'C'
#include <stdio.h>
#include "bd_runner.h"

int main(void) {
    bd_runner *runner = bd_runner_open("controller", 1);
    if (!runner) { fprintf(stderr, "%s\n", bd_runner_error(NULL)); return 1; }
    float x;
    while (scanf("%f", &x) == 1) {
        const float *y = bd_runner_step(runner, &x, 1);
        if (!y) { fprintf(stderr, "%s\n", bd_runner_error(runner)); return 1; }
        printf("%.9g\n", *y);
    }
    bd_runner_close(runner);
}
C
"${CC:-cc}" -I "$CHECKOUT/crates/bd-runner/include" loop.c -o loop "$RUNNER" -Wl,-rpath,"$(dirname "$RUNNER")"
./loop < samples.txt > found.txt
"${PYTHON:-python3}" - <<'PYTHON'
import numpy
known = numpy.load("known.npz")
known = known[known.files[0]].ravel()
found = numpy.loadtxt("found.txt", dtype=numpy.float32)
assert known.tobytes() == found.tobytes(), (known, found)
PYTHON
