//! Questions at the terminal. Where there is none, the answers come by flags.

use std::io::{BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use vigie_common::cli::Failure;
use vigie_common::exit::Exit;

/// Whom to ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    terminal: bool,
    /// What is proposed is taken.
    yes: bool,
}

impl Asker {
    pub(super) fn new(yes: bool) -> Self {
        Self { terminal: std::io::stdin().is_terminal(), yes }
    }

    /// Whether somebody is there who answers.
    pub(super) fn is_person(self) -> bool {
        self.terminal && !self.yes
    }

    /// Whether something can be typed, if only a password.
    pub(super) fn has_terminal(self) -> bool {
        self.terminal
    }

    /// The answer to `question`, which `flag` gives too; an empty line takes the proposal.
    pub(super) fn answer(
        self,
        question: &str,
        flag: &str,
        proposal: Option<&str>,
    ) -> Result<String, Failure> {
        match proposal {
            Some(proposal) if self.yes => return Ok(proposal.to_owned()),
            _ if !self.terminal => return Err(missing(flag, proposal)),
            _ => {}
        }
        loop {
            let proposed = proposal.map(|p| format!(" [{p}]")).unwrap_or_default();
            tell(&format!("{question}{proposed}: "))?;
            let line = line()?.ok_or_else(|| missing(flag, proposal))?;
            match (line.trim(), proposal) {
                ("", None) => {}
                ("", Some(proposal)) => return Ok(proposal.to_owned()),
                (answer, _) => return Ok(answer.to_owned()),
            }
        }
    }

    /// Yes or no, with what an empty line means. Without a person it means the same.
    pub(super) fn agrees(self, question: &str, usual: bool) -> Result<bool, Failure> {
        if !self.is_person() {
            return Ok(usual);
        }
        tell(&format!("{question} [{}]: ", if usual { "Y/n" } else { "y/N" }))?;
        let line = line()?.unwrap_or_else(|| "no".into());
        Ok(match line.trim().to_ascii_lowercase().as_str() {
            "" => usual,
            answer => answer.starts_with('y'),
        })
    }

    /// A password that nobody sees being typed.
    pub(super) fn hidden(self, question: &str, flag: &str) -> Result<SecretString, Failure> {
        if !self.terminal {
            return Err(missing(flag, None));
        }
        let silence = Silence::begin()?;
        tell(&format!("{question}: "))?;
        let typed = line();
        drop(silence);
        tell("\n")?;
        match typed? {
            Some(typed) if !typed.is_empty() => Ok(typed.into()),
            _ => Err(Failure::new(Exit::Usage, "no password was given")),
        }
    }
}

/// The first line of stdin, whatever it is.
pub(super) fn password_from_stdin() -> Result<SecretString, Failure> {
    match line()? {
        Some(line) if !line.is_empty() => Ok(line.into()),
        _ => Err(Failure::new(Exit::Usage, "--password-file -: no password came by stdin")),
    }
}

fn missing(flag: &str, proposal: Option<&str>) -> Failure {
    let or = proposal.map(|p| format!(", or --yes to take \"{p}\"")).unwrap_or_default();
    Failure::new(Exit::Usage, format!("there is no terminal to ask at: {flag} is missing{or}"))
}

/// Questions go to stderr: stdout is for what was found.
fn tell(text: &str) -> Result<(), Failure> {
    let mut terminal = std::io::stderr();
    terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush()).map_err(internal)
}

/// A line without its end; `None` at the end of the input.
fn line() -> Result<Option<String>, Failure> {
    let mut line = String::new();
    let length = std::io::stdin().lock().read_line(&mut line).map_err(internal)?;
    Ok((length > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
}

fn internal(error: impl ToString) -> Failure {
    Failure::new(Exit::Internal, error)
}

/// The terminal shows nothing of what is typed until this is dropped.
struct Silence(Termios);

impl Silence {
    fn begin() -> Result<Self, Failure> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).map_err(internal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Now, &silent).map_err(internal)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}
