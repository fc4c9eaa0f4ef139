//! [`RidgeCost`]: whether a ridge regression is faster on a GPU or on the CPU, by an estimate.

/// Floating-point operations a second of a QR factorisation in float64 on the CPU, of two threads as [`Ridge`](super::Ridge) uses them.
const CPU_PER_S: f64 = 1e10;
/// The same on a GPU. Those for data centres have a hundred times as many; of a tall matrix with few columns a factorisation gets a
/// small part of them, and other GPUs have few in float64 at all.
const GPU_PER_S: f64 = 5e11;
/// What it costs to begin on a GPU: its context, and cuSOLVER.
const GPU_BEGIN_S: f64 = 0.5;
/// For each column of each chunk: a factorisation goes column by column, and launches a few kernels for each.
const GPU_COLUMN_S: f64 = 2e-5;
/// Numbers a second on their way to a GPU: 8 bytes each, at 10 GB a second.
const GPU_NUMBERS_PER_S: f64 = 1.25e9;

/// What a ridge regression would take, in seconds. The rates behind it are estimates of what machines do today, not measured on this
/// one: they tell milliseconds from minutes, and nothing finer hangs on them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RidgeCost {
    /// On the CPU.
    pub cpu_s: f64,
    /// On a GPU, with the way there.
    pub gpu_s: f64,
}

impl RidgeCost {
    /// Of so many samples in chunks as usual, with so many features and targets.
    pub fn of(rows: usize, features: usize, targets: usize) -> Self {
        let chunk = super::Ridge::default().chunk_rows;
        let chunks = rows.div_ceil(chunk).max(1) as f64;
        let columns = (1 + features + targets) as f64;
        // Each chunk lies below the factor of those before it. A QR of m rows and n columns takes 2 n^2 (m - n / 3) operations
        // (Golub and Van Loan, Matrix Computations, 5.2.1), here counted as 2 n^2 m.
        let stacked = rows as f64 + chunks * columns;
        let operations = 2.0 * columns * columns * stacked;
        let way_s = rows as f64 * columns / GPU_NUMBERS_PER_S;
        let gpu_s = GPU_BEGIN_S + way_s + chunks * columns * GPU_COLUMN_S + operations / GPU_PER_S;
        Self { cpu_s: operations / CPU_PER_S, gpu_s }
    }

    /// Whether a GPU is worth it.
    pub fn is_less_on_gpu(&self) -> bool {
        self.gpu_s < self.cpu_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_problems_stay_on_the_cpu_and_large_ones_go() {
        // BrainPy's tutorial of the Lorenz system, and a reservoir of 2,000 units over 100,000 steps.
        assert!(!RidgeCost::of(6000, 27, 6).is_less_on_gpu());
        assert!(RidgeCost::of(100_000, 2000, 3).is_less_on_gpu());
        assert!(!RidgeCost::of(1, 1, 1).is_less_on_gpu() && !RidgeCost::of(0, 0, 1).is_less_on_gpu());
    }

    /// By hand: one chunk of 1,000 rows with 100 columns, and two chunks.
    #[test]
    fn costs_are_their_formula() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12 * b, "{a} and not {b}");
        let cost = RidgeCost::of(1000, 97, 2);
        close(cost.cpu_s, 2.0 * 1e4 * 1100.0 / 1e10);
        close(cost.gpu_s, 0.5 + 1e5 / 1.25e9 + 100.0 * 2e-5 + 2.0 * 1e4 * 1100.0 / 5e11);
        close(RidgeCost::of(20_000, 97, 2).cpu_s, 2.0 * 1e4 * 20_200.0 / 1e10);
    }

    /// With more of anything the CPU never becomes the better choice.
    #[test]
    fn there_is_one_way_over() {
        let sizes = [1usize, 10, 100, 1000, 10_000, 100_000];
        let gain = |rows, features, targets| {
            let cost = RidgeCost::of(rows, features, targets);
            cost.cpu_s - cost.gpu_s
        };
        for pair in sizes.windows(2) {
            for (features, targets) in [(10, 1), (500, 3), (4000, 50)] {
                let was = gain(pair[0], features, targets) > 0.0;
                assert!(!was || gain(pair[1], features, targets) > 0.0, "{pair:?} rows, {features} features");
            }
            for rows in [100, 10_000, 1_000_000] {
                let was = gain(rows, pair[0], 3) > 0.0;
                assert!(!was || gain(rows, pair[1], 3) > 0.0, "{rows} rows, {pair:?} features");
            }
        }
    }
}
