//! What `hooks.cpp` calls: the accesses of a kernel, for a [`Watch`].

use std::ffi::c_void;

use super::watch::{Touch, Watch};

/// As in `hooks.cpp`.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Hooks {
    watch: *mut c_void,
    access: unsafe extern "C" fn(*mut c_void, u32, usize, usize, u32),
    fence: unsafe extern "C" fn(*mut c_void, u32),
    meet: unsafe extern "C" fn(*mut c_void, u32),
}

impl Hooks {
    /// For `watch`, which must be neither moved nor touched as long as a kernel may call them.
    pub(super) fn of(watch: &mut Watch) -> Self {
        Self { watch: (&raw mut *watch).cast(), access, fence, meet }
    }
}

/// # Safety
///
/// `watch` is that of [`Hooks::of`], and nothing else looks at it.
unsafe extern "C" fn access(watch: *mut c_void, thread: u32, at: usize, bytes: usize, how: u32) {
    let touch = match how {
        0 => Touch::Read,
        1 => Touch::Write,
        2 => Touch::AtomicRead,
        3 => Touch::AtomicWrite,
        _ => Touch::Alike { same: how == 5 },
    };
    // SAFETY: the caller's word.
    unsafe { &mut *watch.cast::<Watch>() }.touch(thread, at, bytes, touch);
}

/// # Safety
///
/// As [`access`].
unsafe extern "C" fn fence(watch: *mut c_void, thread: u32) {
    // SAFETY: the caller's word.
    unsafe { &mut *watch.cast::<Watch>() }.fence(thread);
}

/// # Safety
///
/// As [`access`].
unsafe extern "C" fn meet(watch: *mut c_void, block: u32) {
    // SAFETY: the caller's word.
    unsafe { &mut *watch.cast::<Watch>() }.meet(block);
}
