//! [`FusedPair`]: two units in a row as one.

use super::{NoSpikes, Num, Unit};

/// `A` feeding `B`, as one unit of `S = SA + SB` numbers of state: what is between them stays in registers, where a row of two
/// kernels writes it to memory and reads it again. `A` does not spike.
///
/// State, forward and adjoint are those of the row, so that one can stand for the other.
#[derive(Debug, Clone, Copy)]
pub struct FusedPair<A, B, const SA: usize, const SB: usize>(pub A, pub B);

impl<A, B, const SA: usize, const SB: usize, const S: usize> Unit<S> for FusedPair<A, B, SA, SB>
where
    A: Unit<SA, Surrogate = NoSpikes>,
    B: Unit<SB>,
{
    const NAME: &'static str = B::NAME;
    const STATES: [&'static str; S] = {
        assert!(S == SA + SB, "the state of two units is that of both");
        let mut names = [""; S];
        let mut j = 0;
        while j < S {
            names[j] = if j < SA { A::STATES[j] } else { B::STATES[j - SA] };
            j += 1;
        }
        names
    };
    const HELD: usize = {
        assert!(A::HELD == 0, "only what comes last in the state can be held");
        B::HELD
    };
    const SPIKES: bool = B::SPIKES;
    type Constants = (A::Constants, B::Constants);
    type Surrogate = B::Surrogate;

    fn constants(&self, dt: f64) -> Self::Constants {
        (self.0.constants(dt), self.1.constants(dt))
    }

    fn surrogate(&self) -> B::Surrogate {
        self.1.surrogate()
    }

    fn check(&self) -> crate::Result<()> {
        self.0.check()?;
        self.1.check()
    }

    fn initial(&self) -> [f64; S] {
        let (a, b) = (self.0.initial(), self.1.initial());
        std::array::from_fn(|j| if j < SA { a[j] } else { b[j - SA] })
    }

    #[inline(always)]
    fn step<N: Num>(&self, (a, b): &Self::Constants, x: N, s: [N; S], spike: impl FnOnce(N) -> N) -> (N, [N; S]) {
        let (first, second) = (split_first::<N, SA, S>(&s), split_last::<N, SB, S>(&s));
        let (between, first) = self.0.step(a, x, first, |distance| distance.heaviside());
        let (y, second) = self.1.step(b, between, second, spike);
        (y, join(first, second))
    }
    /// That of the second, then that of the first: the chain rule.
    #[inline(always)]
    fn vjp<N: Num>(
        &self,
        (a, b): &Self::Constants,
        x: N,
        s: [N; S],
        spike: (N, N),
        gy: N,
        gnext: [N; S],
    ) -> (N, [N; S]) {
        let (first, second) = (split_first::<N, SA, S>(&s), split_last::<N, SB, S>(&s));
        let (between, _) = self.0.step(a, x.clone(), first.clone(), |distance| distance.heaviside());
        let (gbetween, gsecond) = self.1.vjp(b, between, second, spike, gy, split_last::<N, SB, S>(&gnext));
        let silent = (x.lit(0.0), x.lit(0.0));
        let (gx, gfirst) = self.0.vjp(a, x, first, silent, gbetween, split_first::<N, SA, S>(&gnext));
        (gx, join(gfirst, gsecond))
    }
}

#[inline(always)]
fn split_first<N: Clone, const SA: usize, const S: usize>(s: &[N; S]) -> [N; SA] {
    std::array::from_fn(|j| s[j].clone())
}

#[inline(always)]
fn split_last<N: Clone, const SB: usize, const S: usize>(s: &[N; S]) -> [N; SB] {
    std::array::from_fn(|j| s[S - SB + j].clone())
}

#[inline(always)]
fn join<N: Clone, const SA: usize, const SB: usize, const S: usize>(a: [N; SA], b: [N; SB]) -> [N; S] {
    std::array::from_fn(|j| if j < SA { a[j].clone() } else { b[j - SA].clone() })
}
