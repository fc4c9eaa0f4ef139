//! Right-hand sides of ordinary differential equations, written once for numbers and for dual numbers: parameters `p` and variables
//! `u`, both in the order of the table, to `du/dt`.

use bd_core::kernel::Num;

pub(super) fn lorenz<N: Num + Copy>(p: &[N], u: &[N], du: &mut [N]) {
    du[0] = p[0] * (u[1] - u[0]);
    du[1] = u[0] * (p[1] - u[2]) - u[1];
    du[2] = u[0] * u[1] - p[2] * u[2];
}

pub(super) fn rossler<N: Num + Copy>(p: &[N], u: &[N], du: &mut [N]) {
    du[0] = -u[1] - u[2];
    du[1] = u[0] + p[0] * u[1];
    du[2] = p[1] + u[2] * (u[0] - p[2]);
}

pub(super) fn double_scroll<N: Num + Copy>(p: &[N], u: &[N], du: &mut [N]) {
    let [r1, r2, r4, ir, alpha] = [p[0], p[1], p[2], p[3], p[4]];
    let between = u[0] - u[1];
    let twice_sinh = (alpha * between).exp() - (-(alpha * between)).exp();
    let current = between / r2 + ir * twice_sinh;
    du[0] = u[0] / r1 - current;
    du[1] = current - u[2];
    du[2] = u[1] - r4 * u[2];
}

pub(super) fn lorenz96<N: Num + Copy>(p: &[N], u: &[N], du: &mut [N]) {
    let (n, forcing) = (u.len(), p[1]);
    for i in 0..n {
        let [ahead, behind, far_behind] = [(i + 1) % n, (i + n - 1) % n, (i + n - 2) % n];
        du[i] = (u[ahead] - u[far_behind]) * u[behind] - u[i] + forcing;
    }
}

/// At rest but for one site, from which the disturbance grows: Lorenz and Emanuel, "Optimal sites for supplementary weather
/// observations", J. Atmos. Sci. 55 (1998).
pub(super) fn lorenz96_start(params: &[f64]) -> Vec<f64> {
    let mut start = vec![params[1]; params[0] as usize];
    let middle = start.len() / 2;
    start[middle] += 0.008;
    start
}
