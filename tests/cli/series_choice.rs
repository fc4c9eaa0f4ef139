//! `bd train ngrc --data` and nothing else: the delay and the penalty are chosen on the validation part; and by the lasso the features.

use std::fs;
use std::ops::Range;

use crate::common::{Desk, data, metric, refused_by, reports};
use serde_json::{Value, json};
use tch::{Kind, Tensor};

const DELAYS: [usize; 8] = [1, 2, 3, 5, 9, 13, 18, 25];

fn sunspots() -> [String; 5] {
    ["train", "ngrc", "--data", &data("sunspots.csv"), "--time=YEAR"].map(str::to_owned)
}

/// The result in JSON, and the lines of `metrics.jsonl` about delays.
fn train(desk: &Desk, out: &str, options: &[&str]) -> (Value, Vec<Value>) {
    let args = sunspots();
    let args: Vec<&str> =
        args.iter().map(String::as_str).chain(["--out", out]).chain(options.iter().copied()).collect();
    let result = desk.bd_json(&args);
    let lines = fs::read_to_string(desk.path(out).join("metrics.jsonl")).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap());
    (result, lines.filter(|line: &Value| line.get("delay").is_some()).collect())
}

fn config(desk: &Desk, run: &str) -> Value {
    serde_json::from_slice(&fs::read(desk.path(run).join("config.json")).unwrap()).unwrap()
}

/// Ridge regression on lags, by its normal equations, with an intercept that is not penalised.
struct ByHand {
    numbers: Vec<f64>,
    /// Of the training part.
    mean: f64,
    std: f64,
}

impl ByHand {
    /// Of 309 points: 24 of warm-up, 200 for training, 28 for validation, 57 for testing.
    const TRAIN: Range<usize> = 24..224;
    const VALIDATION: Range<usize> = 224..252;
    const TEST: Range<usize> = 252..309;

    fn new() -> Self {
        let text = fs::read_to_string(data("sunspots.csv")).unwrap();
        let numbers: Vec<f64> =
            text.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect();
        let train = &numbers[Self::TRAIN];
        let mean = train.iter().sum::<f64>() / 200.0;
        let std = (train.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 200.0).sqrt();
        Self { numbers, mean, std }
    }

    /// Lags `[time, delay]` and targets `[time, 1]` with both within `part`.
    fn rows(&self, part: Range<usize>, delay: usize) -> (Tensor, Tensor) {
        let scaled = |t: usize| (self.numbers[t] - self.mean) / self.std;
        let lags: Vec<f64> = (part.start..part.end - 1).flat_map(|t| (0..delay).map(move |k| scaled(t - k))).collect();
        let targets = Tensor::from_slice(&self.numbers[part.start + 1..part.end]).unsqueeze(1);
        (Tensor::from_slice(&lags).reshape([-1, delay as i64]), targets)
    }

    /// NRMSE on `measured` of the model that is fitted to `fitted`.
    fn nrmse(&self, fitted: Range<usize>, measured: Range<usize>, delay: usize, alpha: f64) -> f64 {
        let (a, y) = self.rows(fitted, delay);
        let (middle, mean) = (a.mean_dim(0, true, Kind::Double), y.mean(Kind::Double));
        let centred = &a - &middle;
        let gram =
            centred.transpose(0, 1).matmul(&centred) + Tensor::eye(delay as i64, (Kind::Double, a.device())) * alpha;
        let weights = Tensor::linalg_solve(&gram, &centred.transpose(0, 1).matmul(&(&y - &mean)), true);
        let (a, y) = self.rows(measured, delay);
        let wrong = (a - middle).matmul(&weights) + mean - &y;
        (wrong.square().mean(Kind::Double) / y.var(false)).sqrt().double_value(&[])
    }
}

/// Every delay has its best penalty, the delay with the least error wins, and the model of both is fitted to training and validation
/// part: the same errors by normal equations, written out here.
#[test]
fn the_delay_and_the_penalty_are_chosen_on_the_validation_part() {
    let (desk, hand) = (Desk::new(), ByHand::new());
    let (result, tried) = train(&desk, "run", &[]);
    let mut best = (f64::INFINITY, 0, 0.0);
    for (line, delay) in tried.iter().zip(DELAYS) {
        let alphas = (-8..=2).map(|power| 10f64.powi(power));
        let errors = alphas.map(|alpha| (hand.nrmse(ByHand::TRAIN, ByHand::VALIDATION, delay, alpha), delay, alpha));
        let least = errors.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        let found = line["nrmse"].as_f64().unwrap();
        assert!((found / least.0 - 1.0).abs() < 1e-9, "{delay}: {least:?}, {line}");
        assert_eq!((&line["delay"], &line["split"]), (&json!(delay), &json!("validation")));
        best = if least.0 < best.0 { least } else { best };
    }
    let (_, delay, alpha) = best;
    assert_eq!((tried.len(), delay, alpha), (8, 9, 1.0));
    assert!(tried.iter().all(|line| (line["chosen"] == true) == (line["delay"] == 9)));
    let test = hand.nrmse(ByHand::TRAIN.start..ByHand::VALIDATION.end, ByHand::TEST, delay, alpha);
    assert!((metric(&result, "test_nrmse.1") / test - 1.0).abs() < 1e-9, "{test}, {result}");
    // The literature models this series by AR(9), too; no change gives 0.62.
    assert!(test < 0.37 && metric(&result, "baseline_persistence_nrmse.1") > 0.6, "{result}");
    assert_eq!((metric(&result, "delay"), metric(&result, "alpha")), (9.0, 1.0));
}

/// What was chosen stands in the configuration, so that a repetition chooses no more and gives the same bytes.
#[test]
fn a_run_knows_the_delay_that_was_chosen() {
    let desk = Desk::new();
    train(&desk, "run", &["--horizon", "1,3"]);
    let chosen = config(&desk, "run");
    assert_eq!(chosen["nvar"], json!({"delay": 9, "stride": 1, "order": [1], "constant": false}));
    assert_eq!((&chosen["split"]["warmup"], &chosen["split"]["split"]), (&json!(24.0), &json!([0.7, 0.1, 0.2])));
    let again = desk.bd(&["train", "ngrc", "--config", "run/config.json", "--out", "again"]);
    assert!(again.code == 0 && !again.stderr.contains("\ndelay "), "{}", again.stderr);
    assert_eq!(config(&desk, "again"), chosen);
    for file in ["model.safetensors", "predictions.npz"] {
        let bytes = |run: &str| fs::read(desk.path(run).join(file)).unwrap();
        assert!(bytes("run") == bytes("again"), "{file}");
    }
    desk.bd_json(&["eval", "run"]);
}

#[test]
fn options_narrow_the_choice() {
    let desk = Desk::new();
    let delays = |tried: &[Value]| tried.iter().map(|line| line["delay"].as_u64().unwrap()).collect::<Vec<_>>();
    // In rising order, whatever the order of the option; the warm-up is that of the longest.
    let (_, tried) = train(&desk, "list", &["--delay", "5,1"]);
    assert_eq!((delays(&tried), &config(&desk, "list")["split"]["warmup"]), (vec![1, 5], &json!(4.0)));
    assert!(train(&desk, "one", &["--delay", "5"]).1.is_empty());
    let (result, tried) = train(&desk, "alpha", &["--alpha", "0.5"]);
    assert!(delays(&tried) == DELAYS.map(|delay| delay as u64) && metric(&result, "alpha") == 0.5);
    // 9 points and their 45 products are 54 features: 55 weights, for which 5 * 55 samples are more than there are.
    let (_, tried) = train(&desk, "squares", &["--order", "2"]);
    assert_eq!(delays(&tried), [1, 2, 3, 5]);
    assert_eq!(config(&desk, "squares")["nvar"]["order"], json!([2]));
    // Of a warm-up that is given, lags must not reach beyond it.
    assert_eq!(delays(&train(&desk, "warm-up", &["--warmup", "10", "--stride", "2"]).1), [1, 2, 3, 5]);
}

#[test]
fn without_a_validation_part_there_is_no_choice() {
    let desk = Desk::new();
    let (result, tried) = train(&desk, "run", &["--split", "0.8,0,0.2"]);
    assert!(tried.is_empty());
    assert_eq!((metric(&result, "delay"), metric(&result, "alpha")), (9.0, 1e-6));
    for list in ["--delay=3,4", "--alpha=0.1,1"] {
        let args = sunspots();
        let args: Vec<&str> = args.iter().map(String::as_str).chain(["--split", "0.8,0,0.2", list]).collect();
        refused_by(&desk, &args, 2, "the validation part has 0 points, too few to choose by a forecast 1 steps ahead");
    }
}

/// Free runs choose the delay, too: more valid steps in the mean.
#[test]
fn free_runs_choose_the_delay() {
    let desk = Desk::new();
    let (_, tried) = train(&desk, "run", &["--select", "free-run", "--delay", "1,9"]);
    let steps = |line: &Value| line["vpt_steps"].as_f64().unwrap();
    assert!(steps(&tried[0]) < steps(&tried[1]) && tried[1]["chosen"] == true, "{tried:?}");
}

/// A logistic map: with 20 points a forecast of one point is all that there is to choose by, and one weight all that may be fitted.
#[test]
fn short_series_are_forecast_and_told_to_be_short() {
    let desk = Desk::new();
    let mut x = 0.3;
    let mut point = || {
        x = 3.8 * x * (1.0 - x);
        format!("{x}\n")
    };
    let points: Vec<String> = (0..80).map(|_| point()).collect();
    for (count, left_out) in
        [(20, Some("2, 3, 5, 9, 13, 18, 25")), (40, Some("5, 9, 13, 18, 25")), (80, Some("13, 18, 25"))]
    {
        fs::write(desk.path("short.csv"), points[..count].concat()).unwrap();
        let ended = desk.bd(&["train", "ngrc", "--data", "short.csv"]);
        assert_eq!(ended.code, 0, "{count} points: {}", ended.stderr);
        let words = left_out.map(|delays| format!("not tried: delay {delays}, which leaves"));
        assert!(words.is_none_or(|words| ended.stderr.contains(&words)), "{count} points: {}", ended.stderr);
        let warns = ended.stderr.contains("warning   the choice of delay and alpha rests on");
        assert!(warns, "{}", ended.stderr);
    }
}

/// Settings of a reservoir that are drawn: each is the run of these settings alone, the least error wins, and the run says what it has.
#[test]
fn settings_of_a_reservoir_are_drawn_and_chosen_on_the_validation_part() {
    let desk = Desk::new();
    let file = data("sunspots.csv");
    let esn = ["train", "esn", "--data", &file, "--time=YEAR", "--units=30", "--alpha=1e-2,1"];
    let found = desk.bd_json(&[&esn[..], &["--search=4", "--out=run"]].concat());
    let lines: Vec<Value> = reports(&desk, "run").into_iter().filter(|line| line.get("reservoir").is_some()).collect();
    assert_eq!(lines.len(), 5); // what is drawn stands beside what the configuration has
    let error = |line: &Value| line["nrmse"].as_f64().unwrap();
    let best = lines.iter().min_by(|a, b| error(a).total_cmp(&error(b))).unwrap();
    let chosen: Vec<&Value> = lines.iter().filter(|line| line["chosen"] == true).collect();
    assert_eq!(chosen, [best]);
    let settings = ["spectral_radius", "leak", "input_scaling", "bias_scaling"];
    let own = json!({"spectral_radius": 0.9, "leak": 1.0, "input_scaling": 1.0, "bias_scaling": 0.0});
    assert_eq!(lines[0]["reservoir"], own);
    let config = config(&desk, "run");
    assert_eq!(config["search"], 0);
    settings.iter().for_each(|name| assert_eq!(config["reservoir"][name], best["reservoir"][name], "{name}"));
    // Any of them alone has the error that the search has measured, and the best one the weights of the run.
    for line in &lines {
        let out = format!("alone{}", line["nrmse"]);
        let set = settings.map(|name| format!("reservoir.{name}={}", line["reservoir"][name]));
        let set = set.iter().flat_map(|set| ["--set", set]);
        let alone = desk.bd_json(&esn.into_iter().chain(set).chain(["--out", &out]).collect::<Vec<_>>());
        let penalties = reports(&desk, &out);
        let least = penalties.iter().find(|line| line["chosen"] == true).unwrap();
        assert_eq!(error(least), error(line));
        assert_eq!(metric(&alone, "test_mse.1") == metric(&found, "test_mse.1"), line["chosen"] == true);
    }
    refused_by(&desk, &[&esn[..], &["--search=200000"]].concat(), 2, "search is 200000; it must be at most 100000");
    refused_by(&desk, &["train", "ngrc", "--set=search=3"], 2, "search");
}

/// Of 25 lags and their products the lasso takes few, as many as the file has rows that are not zero; `bd eval` knows the run, and
/// figures of a short series show no dynamics.
#[test]
fn the_lasso_leaves_features_out() {
    let desk = Desk::new();
    let (found, _) = train(&desk, "run", &["--delay", "25", "--order", "2", "--l1-ratio", "1", "--alpha", "1..1e3"]);
    let used = metric(&found, "used_features");
    let weights = bd_core::files::load_tensors(&desk.path("run/model.safetensors")).unwrap();
    let (_, weight) = weights.iter().find(|(name, _)| name == "o.weight").unwrap();
    assert_eq!(weight.size()[0], 350);
    assert_eq!(weight.ne(0.0).sum(Kind::Int64).int64_value(&[]) as f64, used);
    assert!((5.0..200.0).contains(&used), "{used} of 350");
    assert!(metric(&found, "test_nrmse.1") < metric(&found, "baseline_persistence_nrmse.1"), "{found}");
    let again = desk.bd_json(&["eval", "run"]);
    assert_eq!(metric(&again, "test_mse.1"), metric(&found, "test_mse.1"));
    let plots: Vec<_> = desk.files().into_iter().filter(|name| name.ends_with(".svg")).collect();
    assert_eq!(plots, ["free-run", "horizon-1", "series"].map(|name| format!("run/plots/{name}.svg")));
}
