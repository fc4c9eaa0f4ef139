//! Several processes that train together, as threads: the bytes of one.

use std::thread;

use super::*;
use crate::process_group::threads::Thread;

/// What each of so many processes came to.
fn together(size: usize, case: &Case, folder: &Path, stop_after: Option<u64>) -> Vec<Came> {
    let train = |group: Thread| {
        let (case, folder) = (case.clone(), folder.to_path_buf());
        move || train_among(&case, &folder, stop_after, Cadence::Updates(2), Some(&group))
    };
    let threads: Vec<_> = Thread::group(size).into_iter().map(|group| thread::spawn(train(group))).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// Updates of four batches. Epochs of six batches leave two for the last update, so that of four processes two have none; padded sequences
/// that are cut in pieces end at different pieces.
fn cases() -> Vec<Case> {
    let config =
        |accumulate: usize| TrainConfig { epochs: 3, batch: 2, accumulate, report_every: 1, ..TrainConfig::default() };
    let stopping = Some(EarlyStopping { patience: 1, min_delta: 0.0 });
    vec![
        Case { config: config(4), ..Case::default() },
        Case { config: config(4), drawn: true, ..Case::default() },
        Case { config: TrainConfig { truncate: Some(3), ..config(4) }, padded: true, ..Case::default() },
        Case {
            config: TrainConfig { truncate: Some(3), clip: Some(0.1), ..config(8) },
            drawn: true,
            ..Case::default()
        },
        Case {
            config: TrainConfig { early_stopping: stopping, ..config(4) },
            validation: true,
            padded: true,
            ..Case::default()
        },
    ]
}

#[test]
fn processes_come_to_the_bytes_of_one() {
    for (i, case) in cases().into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let alone = train_saving(&case, &folder.path().join("1"), None, Cadence::Updates(2));
        assert!(alone.losses.len() > 2);
        for size in [2, 4] {
            for (rank, came) in together(size, &case, &folder.path().join(size.to_string()), None).iter().enumerate() {
                assert_eq!(came, &alone, "case {i}, process {rank} of {size}");
            }
        }
    }
}

/// The last process is stopped after an update, in the middle of sequences too: all stop, and another number of processes goes on.
#[test]
fn all_stop_after_the_same_update_and_any_number_goes_on() {
    for (i, case) in cases().into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let alone = train_saving(&case, &folder.path().join("alone"), None, Cadence::Updates(2));
        for stop in 1..alone.losses.len().min(5) as u64 {
            let begun = folder.path().join(format!("stopped-{stop}"));
            for came in together(4, &case, &begun, Some(stop)) {
                assert_eq!((came.end, came.losses.len() as u64), (End::Stopped, stop), "case {i}");
            }
            let came = match stop % 2 {
                0 => together(2, &case, &begun, None).swap_remove(0),
                _ => train_saving(&case, &begun, None, Cadence::Updates(2)),
            };
            assert_eq!(came, alone, "case {i}, stopped after {stop}");
        }
    }
}

#[test]
fn what_differs_is_told_to_all() {
    let told = |rank: usize, group: Thread| {
        let (params, net) = network(false);
        let config = TrainConfig { accumulate: 2, clip: Some(1.0 + rank as f64), ..TrainConfig::default() };
        let mut trainer =
            Trainer::new(&net, &params, Loss::Mse, &config, Shared::new(1.0)).unwrap().processes(&group).unwrap();
        trainer.fit(Source::Examples(&examples("train", false))).unwrap_err().to_string()
    };
    let threads =
        Thread::group(2).into_iter().enumerate().map(|(rank, group)| thread::spawn(move || told(rank, group)));
    for thread in threads.collect::<Vec<_>>() {
        let words = thread.join().unwrap();
        assert!(words.contains("the configuration of the training of process 0 and of process 1 differ"), "{words}");
    }
}

#[test]
fn shares_that_are_no_subtrees_are_refused() {
    let (params, net) = network(false);
    let refused = |size: usize, accumulate: usize| {
        let group = Thread::group(size).remove(0);
        let config = TrainConfig { accumulate, ..TrainConfig::default() };
        let trainer = Trainer::new(&net, &params, Loss::Mse, &config, Shared::new(1.0)).unwrap();
        trainer.processes(&group).err().map(|error| error.to_string())
    };
    for (size, accumulate) in [(2, 2), (2, 8), (3, 3), (3, 12), (4, 4)] {
        assert_eq!(refused(size, accumulate), None);
    }
    for (size, accumulate) in [(2, 1), (2, 3), (2, 6), (3, 9), (4, 2)] {
        let words = refused(size, accumulate).unwrap();
        assert!(words.starts_with(&format!("accumulate is {accumulate}; it must be {size}, {}", 2 * size)), "{words}");
    }
}
