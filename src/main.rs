//! The `ermine` program.
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Arguments that are not UTF-8 are shown as well as possible and refused as unknown.
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    match ermine::cli::main(arguments) {
        Ok(code) => code,
        Err(error) => {
            // If nobody reads standard error, the exit code alone has to say it.
            let _ = writeln!(std::io::stderr(), "ermine: {error}");
            error.exit_code()
        }
    }
}
