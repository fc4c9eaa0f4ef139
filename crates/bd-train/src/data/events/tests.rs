use super::*;

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);
const NAMES: [&str; 3] = ["times", "units", "offsets"];

fn events(times: &[f32], units: &[i64], offsets: &[i64]) -> Result<Events> {
    Events::new(Tensor::from_slice(times), Tensor::from_slice(units), &Tensor::from_slice(offsets), NAMES)
}

/// A spike at every multiple of 0.1 ms over 100 s, written as the nearest float64, and one just before each but the first, which is in the step
/// before: none moves. In float32
/// a number near 100 is 7.6e-6 apart from the next, so that the nearest one may be below what was meant.
#[test]
fn times_fall_into_the_steps_that_were_meant() {
    let whole: Vec<f64> = (0..1_000_000).map(|i| f64::from(i) / 10_000.0).collect();
    let before: Vec<f64> = (1..1_000_000).map(|i| (f64::from(i) - 1e-5) / 10_000.0).collect();
    for times in [&whole, &before] {
        let steps = times.iter().map(|time| step_of(*time, 0.1, 4.0 * f64::EPSILON));
        assert_eq!(steps.enumerate().filter(|(i, step)| *step != *i as f64).count(), 0);
    }
    let single: Vec<f32> = (0..100_000).map(|i| i as f32 / 1000.0).collect();
    let all = Events::new(
        Tensor::from_slice(&single),
        Tensor::zeros([100_000], (Kind::Int64, Device::Cpu)),
        &Tensor::from_slice(&[0i64, 100_000]),
        NAMES,
    );
    let all = all.unwrap();
    assert_eq!(all.steps(1.0).unwrap(), 100_000);
    let binned = all.bin(1.0, [100_000, 1], ON).unwrap();
    assert_eq!((binned.merged, binned.late, binned.spikes.count()), (0, 0, 100_000));
    let last = Events::new(
        Tensor::from_slice(&[99.999_995]),
        Tensor::from_slice(&[0i64]),
        &Tensor::from_slice(&[0i64, 1]),
        NAMES,
    );
    assert_eq!(last.unwrap().steps(1.0).unwrap(), 100_000);
}

/// By hand: steps of 4 ms, of which the first sample has two spikes of channel 1 in step 0 and one past the end.
#[test]
fn events_fall_into_steps() {
    let events = events(&[0.003, 0.0, 0.011, 0.02, 0.008, 0.004], &[1, 1, 0, 2, 2, 0], &[0, 4, 4, 6]).unwrap();
    assert_eq!((events.count(), events.channels(), events.steps(4.0).unwrap()), (3, 3, 6));
    let binned = events.bin(4.0, [5, 3], ON).unwrap();
    assert_eq!((binned.merged, binned.late, binned.spikes.count()), (1, 1, 4));
    let at = |sample| binned.spikes.sample(sample).iter().map(|s| (s.step, s.channel)).collect::<Vec<_>>();
    assert_eq!((at(0), at(1), at(2)), (vec![(0, 1), (2, 0)], vec![], vec![(1, 0), (2, 2)]));
    let whole = events.bin(4.0, [6, 3], ON).unwrap();
    assert_eq!((whole.late, whole.spikes.count()), (0, 5));
    let [times, units, offsets] = events.arrays();
    assert_eq!(Events::new(times, units, &offsets, NAMES).unwrap().steps(4.0).unwrap(), 6);
    let some = events.select(&[2, 1, 0]).unwrap();
    assert_eq!((some.count(), some.sample(0).unwrap()), (3, events.sample(2).unwrap()));
    assert_eq!((some.sample(1).unwrap(), some.sample(2).unwrap()), ((vec![], vec![]), events.sample(0).unwrap()));
    assert!(events.select(&[3]).unwrap_err().to_string().contains("no sample 3; there are 3"));
}

/// By hand: windows of 4 ms, in the first of which the first sample has two spikes of channel 1, and one spike past the end.
#[test]
fn events_are_counted_in_windows() {
    let events = events(&[0.003, 0.0, 0.011, 0.02, 0.008, 0.004], &[1, 1, 0, 2, 2, 0], &[0, 4, 4, 6]).unwrap();
    let (counts, late) = events.count_in_steps(4.0, [5, 3]).unwrap();
    assert_eq!((counts.size(), late), (vec![3, 5, 3], 1));
    let of = |sample| Vec::<f64>::try_from(counts.get(sample).flatten(0, -1)).unwrap();
    let expected = |filled: &[(usize, f64)]| {
        let mut all = vec![0.0; 15];
        filled.iter().for_each(|(at, count)| all[*at] = *count);
        all
    };
    assert_eq!(of(0), expected(&[(1, 2.0), (6, 1.0)]));
    assert_eq!((of(1), of(2)), (expected(&[]), expected(&[(3, 1.0), (8, 1.0)])));
    assert!(events.count_in_steps(4.0, [5, 2]).unwrap_err().to_string().contains("spike of unit 2"));
}

/// The last spike is in the last window, wherever in a millisecond it is.
#[test]
fn windows_take_the_time_of_the_last_spike_rounded_up() {
    for (last, span_ms) in [(0.0997, 100.0), (0.1, 101.0), (0.0, 1.0)] {
        let events = events(&[0.0, last], &[0, 0], &[0, 2]).unwrap();
        for windows in [1, 7, 64, 100] {
            let window_ms = events.window_ms(windows);
            assert_eq!(window_ms, span_ms / windows as f64, "{last} s");
            assert!(events.steps(window_ms).unwrap() <= windows, "{last} s in {windows} windows");
        }
    }
}

/// Times that are multiples of the step but for what float32 cannot hold.
#[test]
fn a_spike_at_the_beginning_of_a_step_is_in_it() {
    for dt_ms in [0.1, 0.3, 1.0, 4.0, 7.0] {
        for step in 0..5000 {
            let stored = |steps: f64| f64::from((steps * dt_ms / 1000.0) as f32);
            assert_eq!(
                step_of(stored(f64::from(step)), dt_ms, f64::from(f32::EPSILON)),
                f64::from(step),
                "{step} of {dt_ms}"
            );
            assert_eq!(step_of(stored(f64::from(step) + 0.99), dt_ms, f64::from(f32::EPSILON)), f64::from(step));
        }
    }
}

#[test]
fn what_cannot_be_is_named() {
    for (times, units, offsets, words) in [
        (vec![0.0, 1.0], vec![0], vec![0, 2], "times has 2 spikes, but units has 1"),
        (vec![0.0], vec![0], vec![0], "offsets is int64 of shape [1]"),
        (
            vec![0.0, 1.0],
            vec![0, 1],
            vec![0, 1],
            "offsets goes from 0 to 1; it begins with 0 and ends with the number of spikes, 2",
        ),
        (vec![0.0, 1.0], vec![0, 1], vec![1, 2], "offsets goes from 1 to 2"),
        (vec![0.0, 1.0], vec![0, 1], vec![0, 2, 1, 2], "offsets falls from 2 to 1 at sample 1"),
        (vec![0.0, -1.0], vec![0, 1], vec![0, 1, 2], "times of sample 1 is -1 at its spike 0; times are from 0"),
        (vec![0.0, f32::NAN], vec![0, 1], vec![0, 2], "times of sample 0 is NaN at its spike 1"),
        (
            vec![0.0, 1.0],
            vec![0, -3],
            vec![0, 2],
            "units of sample 0 is -3 at its spike 1; units count channels from 0",
        ),
        (
            vec![0.0, 1.0, 0.0],
            vec![0, 1, i64::MAX],
            vec![0, 2, 3],
            "units of sample 1 is 9223372036854775807 at its spike 0; units count channels from 0, to 4294967294 at most",
        ),
        (vec![0.0], vec![1 << 32], vec![0, 1], "units of sample 0 is 4294967296 at its spike 0"),
    ] {
        let error = events(&times, &units, &offsets).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(events(&[0.0], &[MAX_UNIT], &[0, 1]).unwrap().channels(), i64::from(u32::MAX));
    let beyond = events(&[0.0, 0.0], &[0, 7], &[0, 1, 2]).unwrap().bin(1.0, [1, 7], ON).unwrap_err().to_string();
    assert!(beyond.contains("sample 1 has a spike of unit 7 (its spike 0); there are 7 channels"), "{beyond}");
    let late = events(&[5e5], &[0], &[0, 1]).unwrap().steps(1.0).unwrap_err().to_string();
    assert!(late.contains("Times are in seconds"), "{late}");
    let flat = Tensor::from_slice(&[0i64, 1]);
    let error = Events::new(flat.copy(), flat.copy(), &flat, NAMES).unwrap_err().to_string();
    assert!(error.contains("times is int64 of shape [2]; times are floats in seconds"), "{error}");
}
