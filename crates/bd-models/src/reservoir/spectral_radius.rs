//! The greatest absolute eigenvalue of a square matrix.

use bd_core::kernel::{Instructions, SparseWeight, Start, with_numbers};
use bd_core::{Error, Result, Rng, catch_torch};
use tch::{Device, Kind, Tensor};

/// Matrices up to this size are decomposed whole, in some 0.1 s.
const WHOLE: i64 = 400;
/// Columns of the first Krylov space, and columns at least by which it grows.
const FIRST: i64 = 64;
/// The relative change at which more columns are said to change nothing.
const TOLERANCE: f64 = 1e-8;
/// Up to this share of entries other than zero products are sparse: one that is not reads every number of the matrix from memory.
const SPARSE: f64 = 0.25;

/// The spectral radius of `w` `[n, n]`, to 8 digits.
///
/// Of large matrices it is that of their projection on a Krylov space (Arnoldi 1951), which grows by a quarter until the radius stays: a
/// projection has the cost of its columns squared times `n`, where all eigenvalues cost `n^3` a dozen times. Power iteration would not
/// do: the greatest eigenvalues of a matrix without symmetry are mostly a pair of conjugate complex numbers among many that are nearly
/// as great. Of 10,000 units it takes some 600 columns and seconds.
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
        if n > WHOLE {
            let mut space = Krylov::new(&w);
            let (mut columns, mut last) = (FIRST, f64::NAN);
            while columns <= n / 2 {
                let whole = space.grow(columns);
                let radius = greatest(&space.projection());
                if whole || (radius - last).abs() <= TOLERANCE * radius {
                    return Ok(radius);
                }
                (last, columns) = (radius, columns + FIRST.max(columns / 4));
            }
        }
        Ok(greatest(&w))
    })
}

/// The greatest absolute eigenvalue.
fn greatest(w: &Tensor) -> f64 {
    w.linalg_eigvals().abs().max().double_value(&[])
}

/// A matrix as a product.
enum Product {
    /// By what is not zero of it: a matrix and its transpose have the same eigenvalues.
    Sparse(SparseWeight<f64>),
    Dense(Tensor),
}

impl Product {
    fn of(w: &Tensor) -> Self {
        let n = w.size()[0] as usize;
        let w = w.contiguous();
        let sparse = with_numbers(&w, |numbers: &[f64]| {
            let entries = || {
                let all = numbers.iter().enumerate().map(|(at, &value)| (at / n, at % n, value));
                all.filter(|(.., value)| *value != 0.0)
            };
            let fits = n <= SparseWeight::<f64>::MOST_INPUTS;
            (fits && entries().count() as f64 <= SPARSE * (n * n) as f64).then(|| SparseWeight::new([n, n], entries))
        });
        sparse.flatten().map_or(Self::Dense(w), Self::Sparse)
    }

    fn apply(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Dense(w) => w.mv(x),
            Self::Sparse(weight) => {
                let mut y = vec![0.0; x.size()[0] as usize];
                let _ = with_numbers(x, |x| weight.product_of_one(Instructions::best(), x, Start::Zero, &mut y));
                Tensor::from_slice(&y)
            }
        }
    }
}

/// The space of a vector, a matrix times it, and so on, with the projection of the matrix on it.
struct Krylov {
    matrix: Product,
    /// Orthonormal rows.
    basis: Vec<Tensor>,
    /// Of each row of the basis, the matrix times it as a sum of rows of the basis.
    images: Vec<Tensor>,
}

impl Krylov {
    fn new(w: &Tensor) -> Self {
        let start = Rng::new(0, "spectral radius").tensor(&[w.size()[0]], (Kind::Double, Device::Cpu), Rng::normal);
        Self { matrix: Product::of(w), basis: vec![&start / start.norm()], images: Vec::new() }
    }

    /// Grows to so many columns, or less if the matrix leads out of no smaller space: then true.
    fn grow(&mut self, columns: i64) -> bool {
        let known = Tensor::zeros([columns + 1, self.basis[0].size()[0]], (Kind::Double, Device::Cpu));
        self.basis.iter().zip(0..).for_each(|(row, i)| known.get(i).copy_(row));
        for k in self.images.len() as i64..columns {
            let known_so_far = known.narrow(0, 0, k + 1);
            let mut next = self.matrix.apply(&known.get(k));
            let before = next.norm().double_value(&[]);
            let image = Tensor::zeros([k + 2], (Kind::Double, Device::Cpu));
            // Once is not enough in floating point, twice is (Kahan and Parlett).
            for _ in 0..2 {
                let along = known_so_far.mv(&next);
                next -= known_so_far.tr().mv(&along);
                let _ = image.narrow(0, 0, k + 1).g_add_(&along);
            }
            let length = next.norm().double_value(&[]);
            let _ = image.get(k + 1).fill_(length);
            self.images.push(image);
            if length <= before * 1e-12 {
                return true;
            }
            known.get(k + 1).copy_(&(next / length));
            self.basis.push(known.get(k + 1));
        }
        false
    }

    /// The matrix on this space, `[columns, columns]`.
    fn projection(&self) -> Tensor {
        let columns = self.images.len() as i64;
        let projection = Tensor::zeros([columns; 2], (Kind::Double, Device::Cpu));
        for (image, k) in self.images.iter().zip(0..) {
            let rows = image.size()[0].min(columns);
            projection.select(1, k).narrow(0, 0, rows).copy_(&image.narrow(0, 0, rows));
        }
        projection
    }
}
