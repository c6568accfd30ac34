//! EXAMINE and STATUS (RFC 3501 sections 6.3.2 and 6.3.10): how a mailbox stands. It is never changed.

use async_imap::imap_proto::{MailboxDatum, Response, ResponseCode, StatusAttribute};

use super::{Session, quote};
use crate::error::{Error, Result, quoted};

/// How a mailbox stands when it is opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Examined {
    /// Number of messages.
    pub exists: u32,
    /// UIDVALIDITY; 0 where it is missing or unusable.
    pub uidvalidity: u32,
    /// UIDNEXT: only a hint, servers get it wrong.
    pub uidnext: Option<u32>,
}

/// How a mailbox stands, without opening it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Number of messages.
    pub messages: Option<u32>,
    /// UIDVALIDITY.
    pub uidvalidity: Option<u32>,
    /// UIDNEXT.
    pub uidnext: Option<u32>,
}

impl Session {
    /// Opens a mailbox for reading.
    ///
    /// # Errors
    /// The connection is lost, or the mailbox refused.
    pub async fn examine(&mut self, raw_name: &str) -> Result<Examined> {
        let command = format!("EXAMINE {}", mailbox(raw_name)?);
        let mut examined = Examined::default();
        self.channel.leave_mailbox();
        self.channel
            .run("EXAMINE", &command, |response| match response {
                Response::MailboxData(MailboxDatum::Exists(n)) => examined.exists = *n,
                Response::Data { outcome, .. } => match outcome.code {
                    Some(ResponseCode::UidValidity(n)) => examined.uidvalidity = n,
                    Some(ResponseCode::UidNext(n)) => examined.uidnext = Some(n).filter(|&n| n > 0),
                    _ => {}
                },
                _ => {}
            })
            .await?;
        self.channel.take_news();
        Ok(examined)
    }

    /// Asks how a mailbox stands that is not open.
    ///
    /// # Errors
    /// The connection is lost, or the mailbox refused.
    pub async fn status(&mut self, raw_name: &str) -> Result<Told> {
        let command = format!("STATUS {} (MESSAGES UIDNEXT UIDVALIDITY)", mailbox(raw_name)?);
        let mut told = Told::default();
        self.channel
            .run("STATUS", &command, |response| {
                // Not compared with our name: one was asked for, and spellings of it differ.
                if let Response::MailboxData(MailboxDatum::Status { status, .. }) = response {
                    for attribute in status {
                        match attribute {
                            StatusAttribute::Messages(n) => told.messages = Some(*n),
                            StatusAttribute::UidNext(n) => told.uidnext = Some(*n),
                            StatusAttribute::UidValidity(n) => told.uidvalidity = Some(*n),
                            _ => {}
                        }
                    }
                }
            })
            .await?;
        Ok(told)
    }
}

/// A mailbox name as it stands in a command.
fn mailbox(raw_name: &str) -> Result<String> {
    if raw_name.contains(['\r', '\n', '\0']) {
        return Err(Error::Unsuitable(format!(
            "mailbox {}: a name with a line end cannot be asked for",
            quoted(raw_name)
        )));
    }
    Ok(quote(raw_name))
}
