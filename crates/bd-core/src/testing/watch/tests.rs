use super::*;

const X: usize = 0x1000;
const FLAG: usize = 0x2000;

fn write(watch: &mut Watch, thread: u32) {
    watch.touch(thread, X, 4, Touch::Write);
}

fn read(watch: &mut Watch, thread: u32) {
    watch.touch(thread, X, 4, Touch::Read);
}

#[test]
fn threads_of_a_block_are_ordered_by_its_meetings() {
    let mut watch = Watch::new(1, 3);
    write(&mut watch, 0);
    watch.meet(0);
    (0..3).for_each(|thread| read(&mut watch, thread));
    watch.meet(0);
    write(&mut watch, 2);
    assert_eq!(watch.race, None);
    // The same thread again, and another.
    read(&mut watch, 2);
    write(&mut watch, 2);
    assert_eq!(watch.race, None);
    read(&mut watch, 1);
    let expected = Race { threads: [(0, 2), (0, 1)], touches: [Touch::Write, Touch::Read], at: X };
    assert_eq!(watch.race, Some(expected));
}

/// Who reads first is no better off, whether one has read or several.
#[test]
fn a_write_races_with_earlier_reads() {
    for readers in [&[1][..], &[0, 1], &[1, 0], &[2, 1, 0]] {
        let mut watch = Watch::new(1, 3);
        readers.iter().for_each(|reader| read(&mut watch, *reader));
        assert_eq!(watch.race, None);
        write(&mut watch, 0);
        let race = watch.race.expect("thread 1 has read");
        assert!(race.threads[0].1 != 0 && race.threads[1] == (0, 0), "{race:?}");
        assert_eq!(race.touches, [Touch::Read, Touch::Write]);
    }
}

/// A meeting is that of one block.
#[test]
fn blocks_are_not_ordered_by_their_meetings() {
    let mut watch = Watch::new(2, 2);
    write(&mut watch, 1);
    watch.meet(0);
    watch.meet(1);
    read(&mut watch, 2);
    assert_eq!(watch.race.map(|race| race.threads), Some([(0, 1), (1, 0)]));
}

/// Block 0 writes and signals, block 1 waits and reads, with or without each of the two fences and of the meetings around them.
#[test]
fn blocks_are_ordered_by_fences_around_an_atomic() {
    let races = |left_out: Option<usize>| {
        let mut watch = Watch::new(2, 2);
        write(&mut watch, 1);
        let steps: [&dyn Fn(&mut Watch); 6] = [
            &|watch| watch.meet(0),
            &|watch| watch.fence(0),
            &|watch| watch.touch(0, FLAG, 4, Touch::AtomicWrite),
            &|watch| watch.touch(2, FLAG, 4, Touch::AtomicRead),
            &|watch| watch.fence(2),
            &|watch| watch.meet(1),
        ];
        steps.iter().enumerate().filter(|(i, _)| Some(*i) != left_out).for_each(|(_, step)| step(&mut watch));
        read(&mut watch, 3);
        watch.race.is_some()
    };
    assert!(!races(None));
    for left_out in 0..6 {
        assert!(races(Some(left_out)), "step {left_out} does nothing");
    }
}

/// What is written behind the fence is not given away.
#[test]
fn a_fence_is_about_what_was_before_it() {
    let mut watch = Watch::new(2, 1);
    watch.fence(0);
    write(&mut watch, 0);
    watch.touch(0, FLAG, 4, Touch::AtomicWrite);
    watch.touch(1, FLAG, 4, Touch::AtomicWrite);
    watch.fence(1);
    read(&mut watch, 1);
    assert_eq!(watch.race.map(|race| race.threads), Some([(0, 0), (1, 0)]));
}

#[test]
fn atomics_race_with_plain_accesses_alone() {
    let with = |first: Touch, second: Touch| {
        let mut watch = Watch::new(2, 1);
        watch.touch(0, X, 4, first);
        watch.touch(1, X, 4, second);
        watch.race.is_some()
    };
    assert!(!with(Touch::AtomicWrite, Touch::AtomicWrite));
    assert!(!with(Touch::AtomicWrite, Touch::AtomicRead));
    assert!(!with(Touch::AtomicRead, Touch::Read));
    assert!(with(Touch::AtomicWrite, Touch::Read));
    assert!(with(Touch::Read, Touch::AtomicWrite));
    assert!(with(Touch::AtomicRead, Touch::Write));
    assert!(with(Touch::Write, Touch::AtomicRead));
}

/// Blocks that write the same number may read it, if they have waited for their own; another number, or who has written none, races.
#[test]
fn the_same_number_may_be_written_by_many() {
    let alike = |watch: &mut Watch, thread: u32, same: bool| watch.touch(thread, X, 4, Touch::Alike { same });
    let both_write = |same: bool| {
        let mut watch = Watch::new(2, 2);
        alike(&mut watch, 0, false);
        watch.meet(0);
        read(&mut watch, 1);
        alike(&mut watch, 2, same);
        watch
    };
    let mut watch = both_write(true);
    watch.meet(1);
    [3, 1].iter().for_each(|thread| read(&mut watch, *thread));
    assert_eq!(watch.race, None);
    write(&mut watch, 1);
    assert!(watch.race.is_some(), "of the other block it knows nothing");

    assert!(both_write(false).race.is_some());
    let mut watch = both_write(true);
    read(&mut watch, 3);
    assert!(watch.race.is_some(), "its block has not met");
}

/// Each word of what is touched at once counts, and its neighbours do not.
#[test]
fn words_are_apart() {
    let at = |first: (usize, usize), second: (usize, usize)| {
        let mut watch = Watch::new(1, 2);
        watch.touch(0, first.0, first.1, Touch::Write);
        watch.touch(1, second.0, second.1, Touch::Write);
        watch.race.map(|race| race.at)
    };
    assert_eq!(at((X, 16), (X + 16, 16)), None);
    assert_eq!(at((X, 16), (X + 12, 4)), Some(X + 12));
    // Over the end of a page.
    assert_eq!(at((4 * PAGE * 3 - 8, 16), (4 * PAGE * 3 + 4, 4)), Some(4 * PAGE * 3 + 4));
}
