//! Large pages for large blocks.

/// Below this a block is not worth a call of the system.
const WORTH: usize = 4 << 20;

/// Asks for large pages where `bytes` bytes from `start` on are to be used for the first time: what runs through many megabytes again
/// and again spends a good part of its time on looking up pages of 4 KiB, and new memory on handing them out one by one. A wish:
/// where it cannot be met nothing changes.
pub(crate) fn prefer_huge_pages(start: *mut u8, bytes: usize) {
    #[cfg(target_os = "linux")]
    if bytes >= WORTH {
        // Whole pages only, of which all but the edges of the block consist.
        const PAGE: usize = 4096;
        let skipped = start.align_offset(PAGE);
        let length = (bytes - skipped) / PAGE * PAGE;
        // SAFETY: within memory that is the caller's; the advice changes no byte of it.
        unsafe { libc::madvise(start.add(skipped).cast(), length, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, bytes, WORTH);
}
