use super::*;
use crate::gpu::Value;

const THREADS: usize = 64;

/// Runs `body` in each thread of so many blocks, with numbers `x`, a counter and shared memory `room`.
fn run(blocks: usize, body: &str) -> Result<Tensor> {
    let text = format!(
        "extern \"C\" __global__ void kernel(float *x, unsigned *counter) {{\n\
         SHARED(float, room);\nconst int i = threadIdx.x, all = blockDim.x;\n{body}\n}}\n"
    );
    let x = Tensor::arange(THREADS as i64, (Kind::Float, Device::Cpu));
    let counter = Tensor::zeros([1], (Kind::Int, Device::Cpu));
    let program = emulated_without_nvrtc(1 << 10, 2).program("kernel", || Ok(text))?;
    let shape = Launch { blocks, threads: THREADS, shared_bytes: 4 * THREADS, together: blocks > 1 };
    // SAFETY: the values are those of the text, which stays within 64 numbers.
    unsafe { program.launch("kernel", shape, &[Value::from(&x), Value::from(&counter)])? };
    Ok(x)
}

/// Why a launch was refused.
fn race(blocks: usize, body: &str) -> String {
    let Err(Error::Gpu(message)) = run(blocks, body) else { panic!("{body} has a race") };
    assert!(message.contains("kernel kernel: data race"), "{message}");
    message
}

#[test]
fn numbers_are_exchanged_through_shared_memory() {
    let x = run(1, "room[i] = x[i]; __syncthreads(); x[i] = room[all - 1 - i];").unwrap();
    assert_eq!(Vec::<f32>::try_from(x).unwrap(), (0..64).rev().map(|i| i as f32).collect::<Vec<_>>());
    let message = race(1, "room[i] = x[i]; x[i] = room[all - 1 - i];");
    assert!(message.contains("of block 0"), "{message}");
}

/// A race is one whether or not threads of the text ever wait, and the result is right by luck.
#[test]
fn threads_that_never_wait_are_watched() {
    _ = run(1, "x[i] += 1;").unwrap();
    assert!(race(1, "x[i / 2] = 1;").contains("thread 0 of block 0 writes what thread 1 of block 0 writes"));
}

/// Votes bring threads together, and promise nothing about memory.
#[test]
fn a_vote_is_no_meeting() {
    let exchange = |wait: &str| format!("room[i] = x[i]; {wait} x[i] = room[all - 1 - i]; __syncthreads();");
    _ = run(1, &exchange("__syncthreads();")).unwrap();
    race(1, &exchange("__ballot_sync(0xffffffffu, i > 3);"));
}

/// What CUDA asks of blocks that hand numbers over: a fence on either side of the atomic operations.
#[test]
fn blocks_hand_numbers_over_between_fences() {
    let handed = |before: &str, after: &str| {
        format!(
            "if (i == 0 && blockIdx.x == 0) {{ x[0] = 5; {before} atomicAdd(counter, 1u); }}\n\
             if (i == 0 && blockIdx.x == 1) {{ while (LOOK(counter) == 0) PAUSE(); {after} x[1] = x[0]; }}\n\
             __syncthreads();"
        )
    };
    const FENCE: &str = "__threadfence();";
    let x = run(2, &handed(FENCE, FENCE)).unwrap();
    assert_eq!(x.double_value(&[1]), 5.0);
    race(2, &handed("", FENCE));
    race(2, &handed(FENCE, ""));
}
