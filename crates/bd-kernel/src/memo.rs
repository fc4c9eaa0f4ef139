//! [`Memo`]: answers that depend on the question alone, worked out once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Questions beyond this are mostly asked once, such as the constants of a search.
const MOST: usize = 1024;

/// Answers of a function without side effects by its question: no result depends on whether one is there already.
///
/// Each scan asks of its formulas what their adjoint reads, which takes tens of microseconds to work out and is the same in every update.
#[derive(Debug)]
pub struct Memo<K, V>(LazyLock<Mutex<HashMap<K, V>>>);

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Memo<K, V> {
    /// Without an answer.
    pub const fn new() -> Self {
        Self(LazyLock::new(Mutex::default))
    }
}

impl<K: Hash + Eq, V: Clone> Memo<K, V> {
    /// The answer to `question`, by `work` if it is not there yet. Where many are there, all are forgotten first.
    pub fn get(&self, question: K, work: impl FnOnce() -> V) -> V {
        let answers = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = answers().get(&question) {
            return known.clone();
        }
        // Without the lock, for the work may ask as well.
        let answer = work();
        let mut answers = answers();
        if answers.len() >= MOST {
            answers.clear();
        }
        answers.insert(question, answer.clone());
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn each_question_is_worked_out_once_and_memory_has_an_end() {
        let (memo, asked) = (Memo::new(), Cell::new(0));
        let square = |x: usize| {
            memo.get(x, || {
                asked.set(asked.get() + 1);
                x * x
            })
        };
        for _ in 0..3 {
            assert_eq!([3, 4].map(square), [9, 16]);
        }
        assert_eq!(asked.get(), 2);
        (0..3 * MOST).for_each(|x| assert_eq!(square(x), x * x));
        assert!(memo.0.lock().unwrap().len() <= MOST);
    }
}
