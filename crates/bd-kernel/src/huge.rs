//! Large pages for large blocks.

use std::mem::MaybeUninit;

/// Below this a block is not worth a call of the system.
const WORTH: usize = 4 << 20;

/// Asks for large pages for memory that is to be used for the first time: what runs through many megabytes again and again
/// spends a good part of its time on looking up pages of 4 KiB, and new memory on handing them out one by one. A wish: where it
/// cannot be met nothing changes.
pub fn prefer_huge_pages<T>(memory: &mut [MaybeUninit<T>]) {
    let bytes = size_of_val(memory);
    #[cfg(target_os = "linux")]
    if bytes >= WORTH {
        // Whole pages only, of which all but the edges of the block consist.
        const PAGE: usize = 4096;
        let start = memory.as_mut_ptr().cast::<u8>();
        let skipped = start.align_offset(PAGE);
        let length = (bytes - skipped) / PAGE * PAGE;
        // SAFETY: within memory that is lent; the advice changes no byte of it.
        unsafe { libc::madvise(start.add(skipped).cast(), length, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (bytes, WORTH);
}
