//! One client's session: its commands in order, each answered before the next is read.

mod input;
mod login;

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter};

use super::command::{Arguments, Command};
use super::service::Service;
use super::set::Set;
use super::store::Account;
use super::view::{News, View};
use super::{fetch, list, search};
use crate::wire::Incoming;

/// How much is gathered before it is written.
const GATHERED: usize = 64 * 1024;

/// Whether a session may log in, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    /// In the clear, and that is as it should be.
    Open,
    /// In the clear; STARTTLS comes first.
    Securable,
    Secure,
}

/// Greets a client and serves it; gives the stream back when the client wants TLS on it.
pub(super) async fn greet<S>(service: &Service, stream: S, channel: Channel) -> io::Result<Option<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    service.count_connection();
    let mut session = Session::new(service, stream, channel);
    let greeting = format!("* OK [CAPABILITY {}] ready\r\n", session.capabilities());
    session.say(&greeting).await?;
    session.serve().await
}

/// Serves a client after STARTTLS.
pub(super) async fn resume<S>(service: &Service, stream: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Session::new(service, stream, Channel::Secure).serve().await.map(drop)
}

struct Session<'a, S> {
    service: &'a Service,
    stream: BufWriter<S>,
    incoming: Incoming,
    channel: Channel,
    account: Option<Account>,
    selected: Option<View>,
}

/// How a command ended: the status response without its tag.
enum Done {
    Tagged(String),
    /// The session is over; what had to be said was said.
    Over,
    /// The client begins TLS now.
    Secure,
}

fn ok(text: &str) -> io::Result<Done> {
    Ok(Done::Tagged(format!("OK {text}")))
}

fn no(text: &str) -> io::Result<Done> {
    Ok(Done::Tagged(format!("NO {text}")))
}

fn bad(text: &str) -> io::Result<Done> {
    Ok(Done::Tagged(format!("BAD {text}")))
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Session<'a, S> {
    fn new(service: &'a Service, stream: S, channel: Channel) -> Self {
        let stream = BufWriter::with_capacity(GATHERED, stream);
        Self { service, stream, incoming: Incoming::default(), channel, account: None, selected: None }
    }

    fn capabilities(&self) -> String {
        let login: &[&str] = match (self.channel, &self.account) {
            (_, Some(_)) => &["IMAP4rev1", "LITERAL+", "ID", "IDLE", "UNSELECT"],
            (Channel::Securable, None) => &["IMAP4rev1", "LITERAL+", "ID", "STARTTLS", "LOGINDISABLED"],
            (_, None) => &["IMAP4rev1", "LITERAL+", "SASL-IR", "ID", "IDLE", "AUTH=PLAIN"],
        };
        let offered: Vec<&str> = login.iter().copied().filter(|name| self.service.has(name)).collect();
        offered.join(" ")
    }

    async fn serve(mut self) -> io::Result<Option<S>> {
        while let Some(line) = self.command_line().await? {
            let (tag, done) = match Command::parse(&line) {
                Ok(command) => {
                    let tag = command.tag.clone();
                    (tag, self.obey(command).await?)
                }
                Err(tag) => (tag, Done::Tagged(String::from("BAD this is no command"))),
            };
            match done {
                Done::Tagged(status) => self.say(&format!("{tag} {status}\r\n")).await?,
                Done::Over => break,
                Done::Secure => {
                    self.say(&format!("{tag} OK begin TLS\r\n")).await?;
                    self.stream.flush().await?;
                    return Ok(Some(self.stream.into_inner()));
                }
            }
        }
        self.stream.flush().await?;
        self.stream.shutdown().await?;
        Ok(None)
    }

    async fn obey(&mut self, command: Command) -> io::Result<Done> {
        let Command { tag, name, mut arguments } = command;
        if name != "IDLE" {
            self.service.count_command(&name);
        }
        match name.as_str() {
            "CAPABILITY" => {
                let line = format!("* CAPABILITY {}\r\n", self.capabilities());
                self.say(&line).await?;
                ok("done")
            }
            "NOOP" => self.after_news().await,
            "ID" => {
                self.say("* ID (\"name\" \"vigie-testkit\")\r\n").await?;
                ok("done")
            }
            "LOGOUT" => {
                self.say(&format!("* BYE until next time\r\n{tag} OK done\r\n")).await?;
                Ok(Done::Over)
            }
            "STARTTLS" if self.channel == Channel::Securable => {
                // What came along in the clear must not be taken for something said under TLS.
                if self.incoming.len() > 0 { bad("nothing may follow STARTTLS") } else { Ok(Done::Secure) }
            }
            "LOGIN" | "AUTHENTICATE" if self.account.is_some() => bad("already logged in"),
            "LOGIN" | "AUTHENTICATE" if self.channel == Channel::Securable => {
                no("[PRIVACYREQUIRED] STARTTLS comes first")
            }
            "LOGIN" => match (arguments.astring(), arguments.astring()) {
                (Some(user), Some(password)) if arguments.is_empty() => self.log_in(&user, &password),
                _ => bad("LOGIN takes a user and a password"),
            },
            "AUTHENTICATE" => self.authenticate(&mut arguments).await,
            _ if self.account.is_none() => bad("not known, or not before login"),
            "LIST" => match (arguments.astring(), arguments.astring(), &self.account) {
                (Some(reference), Some(pattern), Some(account)) => {
                    let lines = list::list(&account.names(), &reference, &pattern);
                    self.say(&lines).await?;
                    ok("done")
                }
                _ => bad("LIST takes a reference and a pattern"),
            },
            "STATUS" => self.status(&mut arguments).await,
            "SELECT" => self.select(&mut arguments, false).await,
            "EXAMINE" => self.select(&mut arguments, true).await,
            _ if self.selected.is_none() && name != "IDLE" => bad("not known, or no mailbox is selected"),
            "CLOSE" | "UNSELECT" => {
                self.selected = None;
                ok("done")
            }
            "FETCH" => self.fetch(&mut arguments, false).await,
            "UID FETCH" => {
                if self.news().await? {
                    self.fetch(&mut arguments, true).await
                } else {
                    Ok(Done::Over)
                }
            }
            "SEARCH" => self.search(&mut arguments, false).await,
            "UID SEARCH" => {
                if self.news().await? {
                    self.search(&mut arguments, true).await
                } else {
                    Ok(Done::Over)
                }
            }
            "IDLE" if self.service.has("IDLE") => self.idle().await,
            _ => bad("not known here"),
        }
    }

    async fn status(&mut self, arguments: &mut Arguments) -> io::Result<Done> {
        let (Some(name), Some(wanted)) = (arguments.astring(), arguments.rest()) else {
            return bad("STATUS takes a mailbox and items");
        };
        let Some(mailbox) = self.account.as_ref().and_then(|account| account.find(&name)) else {
            return no("[NONEXISTENT] there is no such mailbox");
        };
        let Some(wanted) = wanted.strip_prefix('(').and_then(|list| list.strip_suffix(')')) else {
            return bad("items stand in parentheses");
        };
        let mut values = Vec::new();
        {
            let content = mailbox.content();
            for item in wanted.split_ascii_whitespace() {
                let item = item.to_ascii_uppercase();
                let value = match item.as_str() {
                    "MESSAGES" => content.messages.len().to_string(),
                    "RECENT" => String::from("0"),
                    "UIDNEXT" => content.uidnext.to_string(),
                    "UIDVALIDITY" => content.uidvalidity.to_string(),
                    "UNSEEN" => content.messages.iter().filter(|m| !m.seen()).count().to_string(),
                    _ => return bad("this item is not known"),
                };
                values.push(format!("{item} {value}"));
            }
        }
        let name = name.replace('\\', "\\\\").replace('"', "\\\"");
        self.say(&format!("* STATUS \"{name}\" ({})\r\n", values.join(" "))).await?;
        ok("done")
    }

    async fn select(&mut self, arguments: &mut Arguments, read_only: bool) -> io::Result<Done> {
        self.selected = None;
        let Some(name) = arguments.astring() else { return bad("a mailbox is missing") };
        let Some(mailbox) = self.account.as_ref().and_then(|account| account.find(&name)) else {
            return no("[NONEXISTENT] there is no such mailbox");
        };
        let (uidvalidity, uidnext) = {
            let content = mailbox.content();
            (content.uidvalidity, content.uidnext)
        };
        let view = View::new(mailbox, read_only);
        let flags = "(\\Answered \\Flagged \\Deleted \\Seen \\Draft)";
        self.say(&format!(
            "* FLAGS {flags}\r\n* OK [PERMANENTFLAGS ()] none can be set\r\n* {} EXISTS\r\n* 0 RECENT\r\n\
             * OK [UIDVALIDITY {uidvalidity}] valid\r\n* OK [UIDNEXT {uidnext}] next\r\n",
            view.exists()
        ))
        .await?;
        self.selected = Some(view);
        ok(if read_only { "[READ-ONLY] done" } else { "[READ-WRITE] done" })
    }

    async fn fetch(&mut self, arguments: &mut Arguments, by_uid: bool) -> io::Result<Done> {
        let set = arguments.atom().as_deref().and_then(Set::parse);
        let items = arguments.rest().as_deref().and_then(fetch::items);
        let (Some(set), Some(mut items), Some(view)) = (set, items, &self.selected) else {
            return bad("FETCH takes a set and items known here");
        };
        if by_uid && !items.contains(&fetch::Item::Uid) {
            items.insert(0, fetch::Item::Uid);
        }
        let unseen = |item: &fetch::Item| matches!(item, fetch::Item::Body { peek: false, .. });
        let sees = !view.read_only && items.iter().any(unseen);
        if sees && !items.contains(&fetch::Item::Flags) {
            items.push(fetch::Item::Flags);
        }
        let mut head = String::new();
        for (number, message) in view.chosen(&set, by_uid) {
            if sees {
                message.see();
            }
            fetch::answer(&mut self.stream, &mut head, number, &message, &items).await?;
        }
        ok("done")
    }

    async fn search(&mut self, arguments: &mut Arguments, by_uid: bool) -> io::Result<Done> {
        let keys = arguments.rest().unwrap_or_default();
        let found = self.selected.as_ref().and_then(|view| search::search(view, &keys, by_uid));
        let Some(found) = found else { return bad("SEARCH with keys not known here") };
        let mut line = String::from("* SEARCH");
        for number in found {
            line.push_str(&format!(" {number}"));
        }
        line.push_str("\r\n");
        self.say(&line).await?;
        ok("done")
    }

    async fn idle(&mut self) -> io::Result<Done> {
        let mut changes = self.selected.as_ref().map(|view| view.changes.clone());
        self.say("+ idling\r\n").await?;
        self.stream.flush().await?;
        self.service.count_command("IDLE");
        loop {
            if !self.news().await? {
                return Ok(Done::Over);
            }
            self.stream.flush().await?;
            if let Some(line) = self.incoming.line() {
                return if line.eq_ignore_ascii_case(b"DONE") {
                    ok("done")
                } else {
                    bad("DONE was expected")
                };
            }
            let changed = async {
                match &mut changes {
                    Some(changes) => changes.changed().await.is_ok(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = changed => {}
                more = self.incoming.fill(&mut self.stream) => {
                    if !more? {
                        return Ok(Done::Over);
                    }
                }
            }
        }
    }

    async fn after_news(&mut self) -> io::Result<Done> {
        if self.news().await? { ok("done") } else { Ok(Done::Over) }
    }

    /// Tells what changed in the selected mailbox; `false` when that ended the session.
    async fn news(&mut self) -> io::Result<bool> {
        match self.selected.as_mut().map_or(News::Nothing, View::update) {
            News::Nothing => {}
            News::Changed { expunged, exists } => {
                for number in expunged {
                    self.say(&format!("* {number} EXPUNGE\r\n")).await?;
                }
                self.say(&format!("* {exists} EXISTS\r\n")).await?;
            }
            News::Gone => {
                self.say("* BYE the mailbox is another one now\r\n").await?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes()).await
    }
}
