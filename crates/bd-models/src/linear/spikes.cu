// A linear map of spikes that are lists. `real` comes before this text.

// Outputs [row, n_out] of the rows (a step of a sample) whose spikes are in the channels from `row_starts[row]` on: the sum of
// rows of the weight [n_in, n_out]. A thread for each output.
extern "C" __global__ void gather(const long long rows, const long long n_out, const int *row_starts, const int *channels,
                                  const real *weight, const real *bias, real *ys) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= rows * n_out)
        return;
    const long long row = i / n_out, o = i % n_out;
    real sum = bias ? bias[o] : real(0);
#pragma unroll 4
    for (int spike = row_starts[row]; spike < row_starts[row + 1]; spike++)
        sum += weight[channels[spike] * n_out + o];
    ys[i] = sum;
}

// The gradient of the weight in parts, [parts, n_in, n_out]: what is asked of the outputs of the rows in which a channel spikes,
// listed from `channel_starts[channel]` on. A thread for each number of a part; always the same thread, so that sums are the same.
extern "C" __global__ void scatter(const long long n_in, const long long n_out, const long long parts,
                                   const int *channel_starts, const int *rows, const real *gys, real *gweight) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= parts * n_in * n_out)
        return;
    const long long part = i / (n_in * n_out), channel = i / n_out % n_in, o = i % n_out;
    const long long start = channel_starts[channel], count = channel_starts[channel + 1] - start;
    real sum = 0;
#pragma unroll 4
    for (long long spike = start + count * part / parts; spike < start + count * (part + 1) / parts; spike++)
        sum += gys[rows[spike] * n_out + o];
    gweight[i] = sum;
}
