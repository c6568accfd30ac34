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
    /// HIGHESTMODSEQ, where the server counts changes of flags (RFC 7162).
    pub modseq: Option<u64>,
    /// The server has told what changed since we knew it: see [`Session::take_changes`].
    pub resynced: bool,
    /// It said so that there is no message, not only nothing of messages.
    pub empty: bool,
}

impl Examined {
    /// The same as STATUS would tell it, where it says enough to tell whether anything has changed.
    #[must_use]
    pub fn told(&self) -> Option<Told> {
        let Self { exists, uidvalidity, uidnext, modseq, .. } = *self;
        uidnext.map(|_| Told { messages: Some(exists), uidvalidity: Some(uidvalidity), uidnext, modseq })
    }
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
    /// HIGHESTMODSEQ, where the server counts changes of flags.
    pub modseq: Option<u64>,
}

/// What of RFC 7162 is used on a connection.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    /// QRESYNC was asked for, and whether the server agreed.
    qresync: Option<bool>,
    /// It offers CONDSTORE, and refuses it.
    no_condstore: bool,
    /// It does so in STATUS alone.
    no_status: bool,
}

/// A way to open a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// All that changed since then is told at once.
    Resync(u32, u64),
    /// Changes of flags are counted.
    Condstore,
    Plain,
}

impl Session {
    /// Opens a mailbox for reading. `since`: UIDVALIDITY and HIGHESTMODSEQ up to which it is known.
    ///
    /// # Errors
    /// The connection is lost, or the mailbox refused.
    pub async fn examine(&mut self, raw_name: &str, since: Option<(u32, u64)>) -> Result<Examined> {
        let name = mailbox(raw_name)?;
        let resync = if self.enable_qresync().await? { since } else { None };
        let ways = [
            resync.map(|(uidvalidity, modseq)| Way::Resync(uidvalidity, modseq)),
            self.has_condstore().then_some(Way::Condstore),
            Some(Way::Plain),
        ];
        let mut refused = Vec::new();
        for way in ways.into_iter().flatten() {
            match self.open(&name, way).await {
                // That it cannot be opened at all is known when the plain way is refused, too.
                Err(Error::Refused { text, .. }) if way != Way::Plain => refused.push((way, text)),
                Err(error) => return Err(error),
                Ok(examined) => {
                    refused.into_iter().for_each(|(way, text)| self.forgo(way, &text));
                    return Ok(examined);
                }
            }
        }
        Err(Error::Internal("no way to open a mailbox".into()))
    }

    async fn open(&mut self, name: &str, way: Way) -> Result<Examined> {
        let parameter = match way {
            Way::Resync(uidvalidity, modseq) => format!(" (QRESYNC ({uidvalidity} {modseq}))"),
            Way::Condstore => " (CONDSTORE)".to_owned(),
            Way::Plain => String::new(),
        };
        let mut examined = Examined { resynced: matches!(way, Way::Resync(..)), ..Examined::default() };
        self.channel.leave_mailbox();
        self.channel
            .run("EXAMINE", &format!("EXAMINE {name}{parameter}"), |response| match response {
                Response::MailboxData(MailboxDatum::Exists(n)) => {
                    examined.exists = *n;
                    examined.empty = *n == 0;
                }
                Response::Data { outcome, .. } => match outcome.code {
                    Some(ResponseCode::UidValidity(n)) => examined.uidvalidity = n,
                    Some(ResponseCode::UidNext(n)) => examined.uidnext = Some(n).filter(|&n| n > 0),
                    Some(ResponseCode::HighestModSeq(n)) => examined.modseq = counted(n),
                    _ => {}
                },
                _ => {}
            })
            .await?;
        self.channel.take_news();
        if !examined.resynced {
            // Said of the mailbox that was open before, if anything.
            self.channel.take_changes();
        }
        self.channel.enter_mailbox(examined.uidvalidity);
        Ok(examined)
    }

    /// Whether the server tells what changed since we last looked; it is asked to once, before a mailbox is open.
    async fn enable_qresync(&mut self) -> Result<bool> {
        if self.extensions.qresync.is_none() {
            let offered = self.capabilities.has("QRESYNC") && self.capabilities.has("ENABLE");
            let enabled = match offered {
                true => match self.channel.run("ENABLE", "ENABLE QRESYNC", |_| ()).await {
                    Ok(()) => true,
                    Err(Error::Refused { text, .. }) => {
                        tracing::info!(text, "the server offers QRESYNC and refuses it: doing without");
                        false
                    }
                    Err(error) => return Err(error),
                },
                false => false,
            };
            self.extensions.qresync = Some(enabled);
        }
        Ok(self.extensions.qresync == Some(true))
    }

    /// Whether the server counts changes of flags.
    #[must_use]
    pub fn has_condstore(&self) -> bool {
        let offered = ["CONDSTORE", "QRESYNC"].iter().any(|name| self.capabilities.has(name));
        offered && !self.extensions.no_condstore
    }

    /// The server refuses to tell what changed, though it offers that: it is not asked again on this connection.
    pub fn forgo_condstore(&mut self, text: &str) {
        self.forgo(Way::Condstore, text);
    }

    fn forgo(&mut self, way: Way, text: &str) {
        let name = match way {
            Way::Resync(..) => {
                self.extensions.qresync = Some(false);
                "QRESYNC"
            }
            Way::Condstore => {
                self.extensions.no_condstore = true;
                "CONDSTORE"
            }
            Way::Plain => return,
        };
        tracing::info!(text, "the server offers {name} and refuses it: doing without");
    }

    /// Asks how a mailbox stands that is not open.
    ///
    /// # Errors
    /// The connection is lost, or the mailbox refused.
    pub async fn status(&mut self, raw_name: &str) -> Result<Told> {
        let counted = self.has_condstore() && !self.extensions.no_status;
        match self.ask_status(raw_name, counted).await {
            Err(Error::Refused { .. }) if counted => {
                let told = self.ask_status(raw_name, false).await?;
                self.extensions.no_status = true;
                Ok(told)
            }
            other => other,
        }
    }

    async fn ask_status(&mut self, raw_name: &str, with_modseq: bool) -> Result<Told> {
        let modseq = if with_modseq { " HIGHESTMODSEQ" } else { "" };
        let command = format!("STATUS {} (MESSAGES UIDNEXT UIDVALIDITY{modseq})", mailbox(raw_name)?);
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
                            StatusAttribute::HighestModSeq(n) => told.modseq = counted(*n),
                            _ => {}
                        }
                    }
                }
            })
            .await?;
        Ok(told)
    }
}

/// A MODSEQ as the standard has it: 63 bits, and 0 says that nothing is counted here.
fn counted(modseq: u64) -> Option<u64> {
    Some(modseq).filter(|&n| n > 0 && i64::try_from(n).is_ok())
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
