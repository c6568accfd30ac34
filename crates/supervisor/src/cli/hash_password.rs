//! `hash-password`: a password from stdin, never from an argument, becomes the `password_hash` of a `[[user]]`.

use std::io::{BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use vigie_common::cli::{Failure, Outcome, say};
use vigie_common::exit::Exit;
use vigie_web::access::hash_password;

use super::internal;

pub(super) fn run() -> Outcome {
    let password = if std::io::stdin().is_terminal() { typed()? } else { line()? };
    if password.is_empty() {
        return Err(Failure::new(Exit::Usage, "no password was given: type one, or send one on stdin"));
    }
    say(&hash_password(&password).map_err(internal)?)?;
    Ok(Exit::Done)
}

fn line() -> Result<String, Failure> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(internal)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks twice, without showing what is typed.
fn typed() -> Result<String, Failure> {
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin).map_err(internal)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Now, &silent).map_err(internal)?;
    let asked = ask("Password: ").and_then(|first| Ok((first, ask("Again: ")?)));
    tcsetattr(&stdin, OptionalActions::Now, &before).map_err(internal)?;
    let (first, again) = asked?;
    if first == again { Ok(first) } else { Err(Failure::new(Exit::Usage, "the two are not the same")) }
}

fn ask(question: &str) -> Result<String, Failure> {
    let mut terminal = std::io::stderr();
    terminal.write_all(question.as_bytes()).map_err(internal)?;
    let line = line();
    terminal.write_all(b"\n").map_err(internal)?;
    line
}
