//! Parses arguments, calls the library, maps to an exit code; nothing else.

use std::process::ExitCode;

/// glibc keeps what was freed, in an arena a thread, and after the first large answer takes the next ones from there, too. Two
/// arenas, and large blocks that go back to the system: mimalloc and its kin took twice the memory here.
#[cfg(target_env = "gnu")]
fn frugal() {
    const LARGE: libc::c_int = 128 * 1024;
    for (what, value) in [
        (libc::M_ARENA_MAX, 2),
        (libc::M_MMAP_THRESHOLD, LARGE),
        (libc::M_TRIM_THRESHOLD, LARGE),
    ] {
        #[expect(
            unsafe_code,
            reason = "a call without a pointer, before there is a second thread; one that is refused changes nothing"
        )]
        unsafe {
            libc::mallopt(what, value);
        }
    }
}

#[cfg(not(target_env = "gnu"))]
fn frugal() {}

fn main() -> ExitCode {
    frugal();
    cockpit::cli::run()
}
