//! The greatest absolute eigenvalue of a square matrix.

use bd_core::{Error, Result, Rng, catch_torch};
use tch::{Device, Kind, Tensor};

/// Matrices up to this size are decomposed whole, in some 0.1 s.
const WHOLE: i64 = 400;
/// Columns of the first Krylov space; each further one has twice as many.
const FIRST: i64 = 64;
/// The relative change at which twice as many columns are said to change nothing.
const TOLERANCE: f64 = 1e-8;

/// The spectral radius of `w` `[n, n]`, to 8 digits.
///
/// Of large matrices it is that of their projection on a Krylov space (Arnoldi 1951), whose size is doubled until the radius stays: a
/// projection has the cost of its columns squared times `n`, where all eigenvalues cost `n^3` a dozen times. Power iteration would not
/// do: the greatest eigenvalues of a matrix without symmetry are mostly a pair of conjugate complex numbers among many that are nearly
/// as great.
///
/// Fails if `w` is not square, or has a number that is not finite.
pub fn spectral_radius(w: &Tensor) -> Result<f64> {
    let size = w.size();
    if size.len() != 2 || size[0] != size[1] || size[0] == 0 {
        return Err(Error::Shape { what: "a recurrent matrix".into(), expected: "[n, n]".into(), found: size });
    }
    bd_core::check_finite("a recurrent weight", w)?;
    catch_torch(|| {
        let _guard = tch::no_grad_guard();
        let w = w.to_kind(Kind::Double).to_device(Device::Cpu);
        let n = size[0];
        let mut columns = FIRST;
        let mut last = f64::NAN;
        while n > WHOLE && columns <= n / 2 {
            let radius = greatest(&hessenberg(&w, columns));
            if (radius - last).abs() <= TOLERANCE * radius {
                return Ok(radius);
            }
            (last, columns) = (radius, columns * 2);
        }
        Ok(greatest(&w))
    })
}

/// The greatest absolute eigenvalue.
fn greatest(w: &Tensor) -> f64 {
    w.linalg_eigvals().abs().max().double_value(&[])
}

/// The projection `[columns, columns]` of `w` on the space of a vector, `w` times it, and so on. Smaller if that space is.
fn hessenberg(w: &Tensor, columns: i64) -> Tensor {
    let n = w.size()[0];
    let on = (Kind::Double, Device::Cpu);
    // Rows are the orthonormal vectors.
    let basis = Tensor::zeros([columns + 1, n], on);
    let projection = Tensor::zeros([columns + 1, columns], on);
    let start = Rng::new(0, "spectral radius").tensor(&[n], on, Rng::normal);
    basis.get(0).copy_(&(&start / start.norm()));
    for k in 0..columns {
        let known = basis.narrow(0, 0, k + 1);
        let mut next = w.mv(&basis.get(k));
        let before = next.norm().double_value(&[]);
        // Once is not enough in floating point, twice is (Kahan and Parlett).
        for _ in 0..2 {
            let along = known.mv(&next);
            next -= known.tr().mv(&along);
            let _ = projection.select(1, k).narrow(0, 0, k + 1).g_add_(&along);
        }
        let length = next.norm().double_value(&[]);
        if length <= before * 1e-12 {
            return projection.narrow(0, 0, k + 1).narrow(1, 0, k + 1);
        }
        let _ = projection.get(k + 1).get(k).fill_(length);
        basis.get(k + 1).copy_(&(next / length));
    }
    projection.narrow(0, 0, columns)
}
