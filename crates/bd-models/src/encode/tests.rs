//! The mathematics of each encoder, by hand.

use super::*;

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);

/// `[1, time, n]`.
fn sequence(x: &[f64], n: i64) -> Tensor {
    Tensor::from_slice(x).reshape([1, -1, n])
}

fn encoded(encoder: Encoder, x: &Tensor, lengths: Option<&Tensor>) -> Inputs {
    encoder.encode(x, lengths, ON, (3, "here")).unwrap()
}

/// Pairs of step and channel.
fn places(encoder: Encoder, x: &Tensor) -> Vec<(u32, u32)> {
    let Inputs::Spikes(spikes) = encoded(encoder, x, None) else { panic!("no spikes") };
    spikes.sample(0).iter().map(|spike| (spike.step, spike.channel)).collect()
}

/// `[0.02, 0.5, 1]` in five steps is the example in the documentation of snnTorch's `spikegen.latency` (`linear`, `normalize`).
#[test]
fn latency_is_linear_and_0_never_comes() {
    let five = Encoder::Latency { substeps: 5 };
    assert_eq!(places(five, &sequence(&[0.02, 0.5, 1.0], 3)), [(0, 2), (2, 1), (4, 0)]);
    assert!(places(five, &sequence(&[0.0, 0.0], 2)).is_empty());
    // The second step of the data begins at step 5; 4 (1 - 0.7) is 1.2; a half goes to the even step: 4 (1 - 0.625) is 1.5.
    assert_eq!(places(five, &sequence(&[1.0, 0.7, 0.625], 1)), [(0, 0), (6, 0), (12, 0)]);
}

/// Counts against the binomial distribution, at five standard errors.
#[test]
fn rates_are_the_probabilities() {
    let (time, substeps, max_rate) = (2_000, 3, 0.5);
    let x = Tensor::from_slice(&[0.0, 0.1, 0.6, 1.0]).expand([1, time, 4], false);
    let Inputs::Spikes(spikes) = encoded(Encoder::Rate { substeps, max_rate }, &x, None) else { panic!("no spikes") };
    assert_eq!(spikes.shape(), [6_000, 1, 4]);
    for (channel, x) in [0.0, 0.1, 0.6, 1.0].into_iter().enumerate() {
        let count = spikes.sample(0).iter().filter(|spike| spike.channel == channel as u32).count() as f64;
        let (n, p) = (6_000.0, x * max_rate);
        assert!((count - n * p).abs() <= 5.0 * (n * p * (1.0 - p)).sqrt(), "channel {channel}: {count}");
    }
}

/// A sequence's spikes do not depend on what follows it in the batch; its number, the stream and the seed tell them apart.
#[test]
fn what_is_drawn_depends_on_seed_stream_and_number() {
    let x = Tensor::full([3, 50, 4], 0.5, ON);
    let rate = Encoder::Rate { substeps: 1, max_rate: 1.0 };
    let of = |x: &Tensor, seed, stream| rate.encode(x, None, ON, (seed, stream)).unwrap().to_dense();
    let all = of(&x, 3, "here");
    assert_eq!(of(&x.narrow(0, 0, 2), 3, "here"), all.narrow(0, 0, 2));
    for other in [all.get(1), of(&x, 4, "here").get(0), of(&x, 3, "there").get(0)] {
        assert_ne!(other, all.get(0));
    }
}

/// By hand: up by 1, which is no more than the threshold; by 1.5 since the beginning; down by 3; slowly up again.
#[test]
fn delta_tells_of_changes_since_the_last_spike() {
    let delta = Encoder::Delta { substeps: 2, threshold: 1.0 };
    let x = sequence(&[5.0, 6.0, 6.5, 3.5, 4.0, 4.4, 4.6], 1);
    assert_eq!(places(delta, &x), [(4, 0), (6, 1), (12, 0)]);
    // Of two channels the second has channels 2 and 3.
    assert_eq!(places(delta, &sequence(&[0.0, 0.0, 0.0, 2.0, 0.0, 0.0], 2)), [(2, 2), (4, 3)]);
}

/// Whoever is told the value at each spike knows it at all times up to the threshold.
#[test]
fn what_was_last_sent_is_within_the_threshold() {
    let threshold = 0.3;
    let noise = Rng::new(1, "walk").tensor(&[1, 400, 1], (Kind::Double, Device::Cpu), Rng::normal);
    let x = (noise * 0.2).cumsum(1, Kind::Double);
    let spikes = places(Encoder::Delta { substeps: 1, threshold }, &x);
    let values = Vec::<f64>::try_from(x.flatten(0, -1)).unwrap();
    let (mut sent, mut next) = (values[0], spikes.iter().peekable());
    for (step, value) in values.iter().enumerate() {
        if let Some((_, channel)) = next.next_if(|(at, _)| *at as usize == step) {
            assert_eq!(*channel == 0, *value > sent, "at step {step}");
            sent = *value;
        }
        assert!((value - sent).abs() <= threshold, "at step {step}");
    }
    assert!(next.next().is_none() && spikes.len() > 40, "{}", spikes.len());
}

#[test]
fn currents_are_held_and_ones_are_spikes() {
    let x = sequence(&[0.5, -1.0, 2.0, 3.0], 2);
    let held = encoded(Encoder::Current { substeps: 2 }, &x, None).to_dense();
    assert_eq!(held, Tensor::from_slice(&[0.5f32, -1.0, 0.5, -1.0, 2.0, 3.0, 2.0, 3.0]).reshape([1, 4, 2]));
    assert_eq!(places(Encoder::None, &sequence(&[0.0, 1.0, 1.0, 0.0], 2)), [(0, 1), (1, 0)]);
}

#[test]
fn padding_is_silent() {
    let x = Tensor::ones([2, 4, 1], ON);
    let lengths = Tensor::from_slice(&[4i64, 1]);
    for encoder in Encoder::all() {
        // A change in the first sequence, so that `delta` has something to tell.
        let x = if matches!(encoder, Encoder::Delta { .. }) { x.cumsum(1, Kind::Float) } else { x.shallow_clone() };
        let encoded = encoded(encoder, &x, Some(&lengths));
        let substeps = encoder.substeps() as i64;
        assert_eq!(encoded.shape(), [2, 4 * substeps, encoder.channels(1)], "{}", encoder.name());
        let dense = encoded.to_dense();
        let of = |sample| dense.get(sample).narrow(0, substeps, 3 * substeps).abs().sum(Kind::Double).double_value(&[]);
        assert!(of(0) > 0.0 && of(1) == 0.0, "{}", encoder.name());
    }
}

#[test]
fn what_cannot_be_is_refused() {
    for (encoder, words) in [
        (Encoder::Current { substeps: 0 }, "encode.current.substeps is 0; it must be from 1 to 10000"),
        (Encoder::Latency { substeps: 1 }, "encode.latency.substeps is 1; it must be from 2"),
        (Encoder::Rate { substeps: 20_000, max_rate: 1.0 }, "substeps is 20000"),
        (Encoder::Rate { substeps: 1, max_rate: 1.5 }, "encode.rate.max_rate is 1.5; it must be a probability"),
        (Encoder::Rate { substeps: 1, max_rate: f64::NAN }, "max_rate is NaN"),
        (Encoder::Delta { substeps: 1, threshold: 0.0 }, "encode.delta.threshold is 0; it must be a number above 0"),
    ] {
        let error = encoder.encode(&sequence(&[1.0], 1), None, ON, (0, "")).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let none = Encoder::default();
    assert!(none.encode(&Tensor::zeros([2, 3], ON), None, ON, (0, "")).is_err());
    let lengths = Tensor::from_slice(&[1i64]);
    assert!(none.encode(&Tensor::zeros([2, 3, 1], ON), Some(&lengths), ON, (0, "")).is_err());
}

#[test]
fn encoders_are_read_by_name() {
    for encoder in Encoder::all() {
        let text = serde_json::to_string(&encoder).unwrap();
        assert!(text.starts_with(&format!("{{\"name\":\"{}\"", encoder.name())), "{text}");
        assert_eq!(serde_json::from_str::<Encoder>(&text).unwrap(), encoder);
    }
}
