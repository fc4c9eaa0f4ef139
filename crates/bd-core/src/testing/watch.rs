//! [`Watch`]: which accesses of a kernel's threads nothing orders.
//!
//! Two threads race where both touch a word of memory, one of them at least writing, and neither access happens before the other. What orders
//! them is what CUDA promises: a meeting of all threads of a block, and between blocks a fence, an atomic write, an atomic read that
//! comes later, and a fence again. Nothing depends on when a thread has its turn: threads that run one after the other race if no such
//! thing is between them.
//!
//! Threads may write the same number to the same place if a text says that it means to (`ALIKE`): then each may read what it has written.
//!
//! The threads of a block that have read a word since their last meeting are remembered as one of them and whether there are more.
//! That several have read is over at their next meeting, and no sooner.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;

/// What a thread does to a word of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touch {
    Read,
    Write,
    AtomicRead,
    AtomicWrite,
    /// A write of what others write there, too; whether it was there already.
    Alike {
        same: bool,
    },
}

impl Touch {
    fn writes(self) -> bool {
        !matches!(self, Self::Read | Self::AtomicRead)
    }

    fn is_atomic(self) -> bool {
        matches!(self, Self::AtomicRead | Self::AtomicWrite)
    }
}

/// Two accesses that nothing orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Race {
    /// Block and thread in it of the earlier access, in the order in which threads had their turns, and of the later one.
    pub(super) threads: [(u32, u32); 2],
    pub(super) touches: [Touch; 2],
    pub(super) at: usize,
}

impl fmt::Display for Race {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [(b, i), (c, j)] = self.threads;
        let [first, second] = self.touches.map(|touch| match touch {
            Touch::Read => "reads",
            Touch::Write => "writes",
            Touch::Alike { .. } => "writes as if others wrote the same",
            Touch::AtomicRead => "reads by an atomic operation",
            Touch::AtomicWrite => "changes by an atomic operation",
        });
        write!(
            f,
            "data race at {:#x}: thread {i} of block {b} {first} what thread {j} of block {c} {second}, and no meeting of a block, nor \
             fences around an atomic operation, come between",
            self.at
        )
    }
}

/// A moment of a thread.
#[derive(Debug, Clone, Copy)]
struct Moment {
    thread: u32,
    /// Meetings of its block before.
    meetings: u32,
    /// Fences of its own before.
    fences: u32,
}

/// What has happened before the next access of a thread, apart from what it did itself.
#[derive(Debug, Clone, Default)]
struct Past {
    /// For each block, all that its threads did before so many meetings; blocks beyond the end are unknown.
    meetings: Vec<u32>,
    /// What these threads did before so many of their fences.
    fences: BTreeMap<u32, u32>,
}

impl Past {
    fn join(&mut self, other: &Self) {
        if self.meetings.len() < other.meetings.len() {
            self.meetings.resize(other.meetings.len(), 0);
        }
        for (own, more) in self.meetings.iter_mut().zip(&other.meetings) {
            *own = (*own).max(*more);
        }
        for (thread, more) in &other.fences {
            let own = self.fences.entry(*thread).or_default();
            *own = (*own).max(*more);
        }
    }

    fn has_met(&mut self, block: usize, meetings: u32) {
        if self.meetings.len() <= block {
            self.meetings.resize(block + 1, 0);
        }
        self.meetings[block] = meetings;
    }
}

#[derive(Debug, Default)]
struct Thread {
    /// Threads of a block that has just met share one.
    past: Rc<Past>,
    fences: u32,
    /// What atomic writes give to others: what was before the last fence.
    fenced: Past,
    /// What atomic reads have found, which the next fence makes sure of.
    found: Past,
}

/// Threads of one block between two meetings that have touched a word.
#[derive(Debug, Clone, Copy)]
struct Seen {
    last: Moment,
    /// Another of them.
    other: Option<u32>,
}

#[derive(Debug, Default)]
struct Atomic {
    /// What those who wrote have given.
    given: Past,
    reads: Vec<Seen>,
    writes: Vec<Seen>,
}

/// What is remembered of four bytes: numbers of kernels are no smaller.
#[derive(Debug, Default)]
struct Word {
    write: Option<Moment>,
    reads: Vec<Seen>,
    atomic: Option<Box<Atomic>>,
    /// Those who wrote the number that is there.
    alike: Vec<Moment>,
}

const WORD: usize = 4;
const PAGE: usize = 1024;

/// Memory that has been touched, in pages of words.
#[derive(Debug, Default)]
struct Memory {
    pages: Vec<Vec<Word>>,
    places: HashMap<usize, usize>,
    /// The page that was wanted last, and where it is.
    last: Option<(usize, usize)>,
}

impl Memory {
    fn word(&mut self, word: usize) -> &mut Word {
        let page = word / PAGE;
        let place = match self.last {
            Some((last, place)) if last == page => place,
            _ => *self.places.entry(page).or_insert_with(|| {
                self.pages.push((0..PAGE).map(|_| Word::default()).collect());
                self.pages.len() - 1
            }),
        };
        self.last = Some((page, place));
        &mut self.pages[place][word % PAGE]
    }
}

/// The threads of a launch.
#[derive(Debug)]
struct Crew {
    /// Threads of a block.
    size: u32,
    threads: Vec<Thread>,
    /// Meetings of each block so far.
    meetings: Vec<u32>,
}

impl Crew {
    fn block(&self, thread: u32) -> usize {
        (thread / self.size) as usize
    }

    fn place(&self, thread: u32) -> (u32, u32) {
        (thread / self.size, thread % self.size)
    }

    fn now(&self, thread: u32) -> Moment {
        let fences = self.threads[thread as usize].fences;
        Moment { thread, meetings: self.meetings[self.block(thread)], fences }
    }

    fn has_met_since(&self, moment: Moment, past: &Past) -> bool {
        past.meetings.get(self.block(moment.thread)).is_some_and(|meetings| *meetings > moment.meetings)
    }

    /// Whether what was done then happened before what `thread` does now.
    fn knows(&self, thread: u32, then: Moment) -> bool {
        let past = &self.threads[thread as usize].past;
        then.thread == thread
            || self.has_met_since(then, past)
            || past.fences.get(&then.thread).is_some_and(|fences| *fences > then.fences)
    }

    /// One of those seen whose access did not happen before what `thread` does now.
    fn unknown_of(&self, thread: u32, seen: &Seen) -> Option<u32> {
        match seen.other {
            None => (!self.knows(thread, seen.last)).then_some(seen.last.thread),
            Some(_) if self.has_met_since(seen.last, &self.threads[thread as usize].past) => None,
            Some(other) => Some(if seen.last.thread == thread { other } else { seen.last.thread }),
        }
    }

    fn unknown_among(&self, thread: u32, all: &[Seen]) -> Option<u32> {
        all.iter().find_map(|seen| self.unknown_of(thread, seen))
    }

    /// Adds `thread` to those seen, and forgets those that happened before it: what races with them races with it as well.
    fn see(&self, thread: u32, all: &mut Vec<Seen>) {
        let (now, block) = (self.now(thread), self.block(thread));
        let same = |seen: &Seen| self.block(seen.last.thread) == block && seen.last.meetings == now.meetings;
        if let Some(seen) = all.iter_mut().find(|seen| same(seen)) {
            if seen.last.thread != thread {
                seen.other = Some(seen.last.thread);
            }
            seen.last = now;
        } else {
            all.retain(|seen| self.unknown_of(thread, seen).is_some());
            all.push(Seen { last: now, other: None });
        }
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Watch {
    crew: Crew,
    memory: Memory,
    /// The first that was found.
    pub(super) race: Option<Race>,
}

impl Watch {
    /// For one launch of so many threads.
    pub(super) fn new(blocks: usize, threads: usize) -> Self {
        let all = (0..blocks * threads).map(|_| Thread::default()).collect();
        let crew = Crew { size: threads as u32, threads: all, meetings: vec![0; blocks] };
        Self { crew, memory: Memory::default(), race: None }
    }

    /// A thread, counted through all blocks, touches memory.
    pub(super) fn touch(&mut self, thread: u32, at: usize, bytes: usize, touch: Touch) {
        for word in at / WORD..(at + bytes).div_ceil(WORD) {
            let seen = self.memory.word(word);
            if let Some((other, earlier)) = conflict(&self.crew, seen, thread, touch) {
                let threads = [other, thread].map(|thread| self.crew.place(thread));
                self.race.get_or_insert(Race { threads, touches: [earlier, touch], at: word * WORD });
            }
            remember(&mut self.crew, seen, thread, touch);
        }
    }

    /// A thread has passed a fence.
    pub(super) fn fence(&mut self, thread: u32) {
        let one = &mut self.crew.threads[thread as usize];
        let found = std::mem::take(&mut one.found);
        Rc::make_mut(&mut one.past).join(&found);
        one.fences += 1;
        one.fenced = Past::clone(&one.past);
        one.fenced.fences.insert(thread, one.fences);
    }

    /// All threads of a block have met.
    pub(super) fn meet(&mut self, block: u32) {
        let (first, size) = (block as usize * self.crew.size as usize, self.crew.size as usize);
        let threads = &mut self.crew.threads[first..first + size];
        let mut past = Past::clone(&threads[0].past);
        for i in 1..threads.len() {
            // Most have the same.
            if !Rc::ptr_eq(&threads[i].past, &threads[i - 1].past) {
                past.join(&threads[i].past);
            }
        }
        let meetings = &mut self.crew.meetings[block as usize];
        *meetings += 1;
        past.has_met(block as usize, *meetings);
        let past = Rc::new(past);
        threads.iter_mut().for_each(|thread| thread.past = Rc::clone(&past));
    }
}

/// Who has touched a word, and how, with nothing that orders it before what `thread` does now.
fn conflict(crew: &Crew, word: &Word, thread: u32, touch: Touch) -> Option<(u32, Touch)> {
    let unknown = |then: &Moment| !crew.knows(thread, *then);
    let write = word.write.filter(unknown).map(|then| (then.thread, Touch::Write));
    // Nothing changes by it.
    if touch == (Touch::Alike { same: true }) && !word.alike.is_empty() {
        return write;
    }
    let alike = if touch.writes() || word.alike.iter().all(unknown) {
        word.alike.iter().find(|then| unknown(then))
    } else {
        None
    };
    let alike = alike.map(|then| (then.thread, Touch::Alike { same: true }));
    let among = |all: &[Seen], how: Touch| Some((crew.unknown_among(thread, all)?, how));
    let atomic = word.atomic.as_deref().filter(|_| !touch.is_atomic());
    let atomic_write = || among(&atomic?.writes, Touch::AtomicWrite);
    let read = || among(&word.reads, Touch::Read).or_else(|| among(&atomic?.reads, Touch::AtomicRead));
    write.or(alike).or_else(atomic_write).or_else(|| if touch.writes() { read() } else { None })
}

fn remember(crew: &mut Crew, word: &mut Word, thread: u32, touch: Touch) {
    match touch {
        Touch::Read => crew.see(thread, &mut word.reads),
        Touch::Write => {
            word.write = Some(crew.now(thread));
            word.reads.clear();
            word.alike.clear();
        }
        Touch::Alike { .. } => {
            word.alike.retain(|then| then.thread != thread);
            word.alike.push(crew.now(thread));
        }
        Touch::AtomicRead | Touch::AtomicWrite => {
            let atomic = word.atomic.get_or_insert_default();
            crew.see(thread, if touch.writes() { &mut atomic.writes } else { &mut atomic.reads });
            let one = &mut crew.threads[thread as usize];
            one.found.join(&atomic.given);
            if touch.writes() {
                atomic.given.join(&one.fenced);
            }
        }
    }
}

#[cfg(test)]
mod tests;
