//! `onecard-drill`: see `onecard-drill --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    drill::main()
}
