//! The `tidewire` binary: the choices for a whole process, and a call of the library.

use std::process::ExitCode;

/// A connection holds two buffers of 8 KiB (hyper's) of which it touches little. With this allocator an idle reader
/// takes 9 KiB of memory, with the system's 14, and publishes are a tenth faster (`benches/README.md`).
#[cfg(all(unix, feature = "jemalloc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    tidewire_cli::run()
}
