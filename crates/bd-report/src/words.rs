//! Names of metrics and methods in words.

/// A simple method that stands beside a network, by its name in the metrics.
pub(crate) fn baseline(name: &str) -> &str {
    match name {
        "majority" => "always the most frequent class",
        "mean" => "always the mean of the training targets",
        "moments" => "ridge regression on mean and deviation of each channel",
        "ridge" => "ridge regression on all steps of a sequence, of spikes on counts in windows of time",
        "nearest" => "the class or number of the nearest training sample",
        other => other,
    }
}

/// A metric in words; its own name where there are none.
pub(crate) fn metric(name: &str) -> String {
    let known = match name {
        "test_loss" => "loss on the test part",
        "test_accuracy" => "accuracy on the test part (share that is right)",
        "test_mse" => "mean square error on the test part",
        "test_nmse" => "mean square error on the test part as a share of the variance of the targets",
        "validation_accuracy" => "accuracy on samples that were held out of the training",
        "validation_nmse" => "error on samples that were held out, as a share of their variance",
        "validation_standard_error" => "standard error of that",
        "validation_loss" => "loss on the validation part at the last report",
        "best_validation_loss" => "least loss on the validation part",
        "best_step" => "update with the least loss on the validation part, whose weights are kept",
        "train_loss" => "training loss at the last report",
        "train_accuracy" => "accuracy on what is learned, at the last report",
        "alpha" => "penalty of the ridge regression (alpha)",
        "valid_steps" => "steps that a free run stays near the truth, the median",
        other => {
            return match other.strip_prefix("spike_rate.") {
                Some(layer) => format!("spikes of a neuron of layer {layer} in a second (Hz)"),
                None => other.to_owned(),
            };
        }
    };
    known.to_owned()
}

/// The words of a list: `a, b and c`.
pub(crate) fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// As a word of a shell's command line.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// `2026-11-29T10:51:16Z` as `2026-11-29 10:51:16 UTC`.
pub(crate) fn moment(time: &str) -> String {
    match time.strip_suffix('Z').and_then(|time| time.split_once('T')) {
        Some((day, hour)) => format!("{day} {hour} UTC"),
        None => time.to_owned(),
    }
}

/// Seconds, minutes or hours.
pub(crate) fn duration(seconds: f64) -> String {
    let count = |n: f64, unit| bd_core::text::plural(n as usize, unit);
    match seconds {
        s if s < 1.0 => "less than a second".into(),
        s if s < 120.0 => count(s.round(), "second"),
        s if s < 7200.0 => count((s / 60.0).round(), "minute"),
        s => format!("{:.1} hours", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_shell() {
        assert_eq!(["runs/a-1", "my run", "it's", ""].map(quoted), ["runs/a-1", "'my run'", "'it'\\''s'", "''"]);
    }

    #[test]
    fn lists_times_and_durations() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!([listed(&[]), listed(&words("a")), listed(&words("a b c"))], ["", "a", "a, b and c"]);
        assert_eq!(moment("2026-11-29T10:51:16Z"), "2026-11-29 10:51:16 UTC");
        let found = [0.4, 1.0, 61.0, 600.0, 7200.0].map(duration);
        assert_eq!(found, ["less than a second", "1 second", "61 seconds", "10 minutes", "2.0 hours"]);
    }

    #[test]
    fn metrics_without_words_have_their_names() {
        assert_eq!(metric("spike_rate.1.r"), "spikes of a neuron of layer 1.r in a second (Hz)");
        assert_eq!(metric("something_new"), "something_new");
    }
}
