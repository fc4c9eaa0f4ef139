/* Trained models of bd in a control loop: one step in about a microsecond, without libtorch.
 *
 * Link with libbd_runner.so (cargo build --release -p bd-runner). A step allocates nothing and waits for no lock.
 * A runner may be moved to another thread, and is used by one thread at a time.
 */
#ifndef BD_RUNNER_H
#define BD_RUNNER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bd_runner bd_runner;

/* Opens the folder that `bd train` has written, for `lanes` sequences (1 or more) with a state each.
 * NULL if that fails; bd_runner_error(NULL) then says why. */
bd_runner *bd_runner_open(const char *run, size_t lanes);

/* Frees it. NULL is nothing to free. */
void bd_runner_close(bd_runner *runner);

/* Numbers of a sample; outputs at each step of the model; steps of the model for each sample, 1 unless an encoder
 * spreads a sample over several; sequences side by side. 0 of NULL. */
size_t bd_runner_inputs(const bd_runner *runner);
size_t bd_runner_outputs(const bd_runner *runner);
size_t bd_runner_substeps(const bd_runner *runner);
size_t bd_runner_lanes(const bd_runner *runner);

/* One step of all lanes. `x` is [lanes][inputs] in the units of the data, and `n` how many numbers that are; it is no
 * memory that a step of this runner returned. Returns [lanes][substeps][outputs], which stay until the next call.
 * NULL, and the state is what it was, if `n` is another number or one of `x` is not finite; bd_runner_error says which. */
const float *bd_runner_step(bd_runner *runner, const float *x, size_t n);

/* The same with all digits of inputs and outputs. */
const double *bd_runner_step_f64(bd_runner *runner, const double *x, size_t n);

/* Sets all lanes, or one, to the state before the first step. 0, or -1 of NULL and where there is no such lane. */
int bd_runner_reset(bd_runner *runner);
int bd_runner_reset_lane(bd_runner *runner, size_t lane);

/* Why the last step of this runner was not made; of NULL why the last run could not be opened in this thread. */
const char *bd_runner_error(const bd_runner *runner);

#ifdef __cplusplus
}
#endif

#endif
