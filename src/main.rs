//! The `sentineld` binary: tells the words of the command line apart, and leaves the rest to the library.

use std::process::ExitCode;

use sentineld::{cli, daemon};

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        cli::Call::Run(invocation) => daemon::run(&invocation),
        cli::Call::Version => {
            println!("{}", cli::version());
            ExitCode::SUCCESS
        }
        cli::Call::Help => {
            eprint!("{}", cli::help());
            ExitCode::FAILURE
        }
        cli::Call::Unavailable(option) => {
            eprintln!("sentineld has no {option}; redis-server does.");
            ExitCode::FAILURE
        }
    }
}
