//! The `toolrun` command: a thin shell over the library.

mod cli;

use std::process::ExitCode;

/// The system's allocator grows a thread's heap page by page, which would take a third of a cold call.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
