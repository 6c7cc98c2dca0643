//! The `toolrun` command. It is a part of the library, behind the feature `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    toolrun::cli::main()
}
