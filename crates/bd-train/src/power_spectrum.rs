//! [`power_spectrum`]: how the variance of a series is spread over frequencies.
//!
//! ```text
//! X_k = sum over t of h_t (x_t - mean) exp(-2 pi i k t / n)        h: the Hann window
//! P_k = 2 dt |X_k|^2 / sum over t of h_t^2                         at k / (n dt); not doubled at half of the sampling rate
//! ```
//!
//! Averaged over stretches, this is the estimate of Bartlett and Welch (P. D. Welch, IEEE Transactions on Audio and Electroacoustics 15,
//! 1967). Its sum times `1 / (n dt)` is about the variance of what repeats often within a stretch; points count as the window has it, and
//! what changes more slowly leaks.

use bd_core::{Error, Result, catch_torch, setting};
use tch::{Kind, Tensor};

/// Power per unit of frequency of points `[stretch, time, channel]` that are `dt` apart, averaged over the stretches.
#[derive(Debug)]
pub struct PowerSpectrum {
    /// Cycles per unit of time, from one in a stretch to half of the sampling rate.
    pub frequencies: Vec<f64>,
    /// `[frequency, channel]`, float64: the unit of the points squared, times that of time.
    pub power: Tensor,
}

/// See [`PowerSpectrum`]. Fails if there are fewer than 4 points in a stretch, or none, or if `dt` is not above 0.
pub fn power_spectrum(points: &Tensor, dt: f64) -> Result<PowerSpectrum> {
    setting::above_zero("dt", dt)?;
    let size = points.size();
    if size.len() != 3 || size[0] < 1 || size[1] < 4 {
        let expected = "[stretch, time, channel], one stretch of 4 points at least".into();
        return Err(Error::Shape { what: "the points of a spectrum".into(), expected, found: size });
    }
    catch_torch(|| {
        let (points, n) = (points.to_kind(Kind::Double), size[1]);
        let on = (Kind::Double, points.device());
        let turn = Tensor::arange(n, on) * (std::f64::consts::TAU / n as f64);
        let window = (turn.cos().neg() + 1.0) * 0.5;
        let about_mean = &points - points.mean_dim(1, true, Kind::Double);
        let waves = (about_mean * window.view([1, n, 1])).fft_rfft(None::<i64>, 1, "backward").abs();
        let power = waves.square().mean_dim(0, false, Kind::Double) * (2.0 * dt) / window.square().sum(Kind::Double);
        let power = power.narrow(0, 1, n / 2);
        if n % 2 == 0 {
            let _ = power.get(n / 2 - 1).g_mul_scalar_(0.5);
        }
        let frequencies = (1..=n / 2).map(|k| k as f64 / (n as f64 * dt)).collect();
        Ok(PowerSpectrum { frequencies, power })
    })
}

#[cfg(test)]
mod tests {
    use bd_core::Rng;
    use tch::Device;

    use super::*;

    fn variance(found: &PowerSpectrum, channel: i64) -> f64 {
        found.power.select(1, channel).sum(Kind::Double).double_value(&[]) * found.frequencies[0]
    }

    /// A sine of 3 cycles per unit and amplitude 2 has its variance of 2 there and at its two neighbours, two thirds at the middle.
    #[test]
    fn a_sine_stands_at_its_frequency() {
        for n in [200, 201] {
            let dt = 10.0 / n as f64;
            let time = Tensor::arange(n, (Kind::Double, Device::Cpu)) * (dt * std::f64::consts::TAU * 3.0);
            let wave = (time.sin() * 2.0 + 5.0).view([1, n, 1]);
            let found = power_spectrum(&wave, dt).unwrap();
            assert_eq!((found.frequencies.len() as i64, found.power.size()), (n / 2, vec![n / 2, 1]));
            let top = found.power.argmax(0, false).int64_value(&[0]) as usize;
            assert!((found.frequencies[top] - 3.0).abs() < 1e-12);
            let part = found.power.double_value(&[top as i64, 0]) * found.frequencies[0] / 2.0;
            assert!((part - 2.0 / 3.0).abs() < 1e-9, "{part}");
            assert!((variance(&found, 0) - 2.0).abs() < 1e-9, "{n}: {}", variance(&found, 0));
        }
    }

    /// Noise of variance 4 has the same power, `2 dt 4`, at all frequencies.
    #[test]
    fn noise_is_white() {
        let noise = Rng::new(0, "noise").tensor(&[400, 128, 2], (Kind::Double, Device::Cpu), Rng::normal) * 2.0;
        let found = power_spectrum(&noise, 0.5).unwrap();
        let off = (&found.power.narrow(0, 1, 62) / 4.0 - 1.0).abs().max().double_value(&[]);
        assert!(off < 0.25, "{off}");
        assert!((variance(&found, 1) / 4.0 - 1.0).abs() < 0.03);
    }

    #[test]
    fn what_has_no_spectrum_is_refused() {
        let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Double, Device::Cpu));
        for (size, dt, words) in [
            (&[1, 3, 1][..], 1.0, "one stretch of 4 points at least"),
            (&[0, 8, 1], 1.0, "one stretch of 4 points at least"),
            (&[8, 1], 1.0, "[stretch, time, channel]"),
            (&[1, 8, 1], 0.0, "dt is 0"),
        ] {
            let error = power_spectrum(&zeros(size), dt).unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
    }
}
