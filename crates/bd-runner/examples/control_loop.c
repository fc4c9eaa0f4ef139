/* Opens a run folder, makes some steps, and prints the outputs of each in hexadecimal, which has all digits.
 *
 *   cc control_loop.c -I ../include -L ../../../target/release -lbd_runner -o control_loop
 *   LD_LIBRARY_PATH=../../../target/release ./control_loop ../../../runs/my-run 100
 */
#include <stdio.h>
#include <stdlib.h>

#include "bd_runner.h"

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: control_loop RUN STEPS\n");
        return 2;
    }
    bd_runner *runner = bd_runner_open(argv[1], 1);
    if (runner == NULL) {
        fprintf(stderr, "%s\n", bd_runner_error(NULL));
        return 1;
    }
    size_t inputs = bd_runner_inputs(runner), outputs = bd_runner_substeps(runner) * bd_runner_outputs(runner);
    float *x = calloc(inputs, sizeof *x);
    for (long step = 0; x != NULL && step < atol(argv[2]); step++) {
        /* In a lab: what the amplifier has measured. */
        for (size_t i = 0; i < inputs; i++)
            x[i] = (float)((step + (long)i) % 7) * 0.25f;
        const float *y = bd_runner_step(runner, x, inputs);
        if (y == NULL) {
            fprintf(stderr, "%s\n", bd_runner_error(runner));
            break;
        }
        /* And here: what the stimulator is to do. */
        for (size_t i = 0; i < outputs; i++)
            printf("%a%c", y[i], i + 1 < outputs ? ' ' : '\n');
    }
    free(x);
    bd_runner_close(runner);
    return 0;
}
