//! Runs a server for measurements until stdin closes, and tells its port as one JSON line on stdout:
//!
//! `server delay PORT MILLISECONDS` a proxy before a port of 127.0.0.1, so far away in each direction;
//! `server large BYTES` the INBOX of `bench` has one message of about this size;
//! `server literal BYTES` a message that was listed with 1,000 bytes comes with so many;
//! `server accounts CA COUNT MAILBOXES MESSAGES` over TLS, accounts `u0`, `u1`, ...; the authority is written to CA.
//!
//! The password is `secret`.

use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use vigie_testkit::delay::Delay;
use vigie_testkit::generate::{self, Profile};
use vigie_testkit::mailbox_server::{Account, Draft, MailboxServer, Security, Service};
use vigie_testkit::server::{Server, huge, routine, send, stall};
use vigie_testkit::tls::{Authority, Kind};

const PASSWORD: &str = "secret";
const USAGE: &str = "usage: server delay PORT MILLISECONDS | large BYTES | literal BYTES \
                     | accounts CA COUNT MAILBOXES MESSAGES";

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words {
        ["delay", port, each_way] => {
            let server = ([127, 0, 0, 1], number::<u16>(port)?).into();
            let delay = Delay::start(server, Duration::from_millis(number(each_way)?)).await?;
            until_stdin_closes(delay.port())
        }
        ["large", size] => {
            let account = Account::new("bench", PASSWORD);
            account.mailbox("INBOX").append(generate::large(1, number(size)?));
            let server = MailboxServer::start(&Service::new([account]), Security::None).await?;
            until_stdin_closes(server.port())
        }
        ["literal", size] => {
            let server = hostile(number(size)?).await;
            until_stdin_closes(server.port())
        }
        ["accounts", ca, count, mailboxes, messages] => {
            let authority = Authority::new()?;
            authority.write(Path::new(ca))?;
            let acceptor = authority.identity(Kind::Valid)?.acceptor()?;
            let (mailboxes, messages) = (number(mailboxes)?, number(messages)?);
            let accounts = (0..number::<u64>(count)?).map(|user| account(user, mailboxes, messages));
            let server = MailboxServer::start(&Service::new(accounts), Security::Implicit(acceptor)).await?;
            until_stdin_closes(server.port())
        }
        _ => anyhow::bail!(USAGE),
    }
}

/// INBOX and as many others as make up the number.
fn account(user: u64, mailboxes: u64, messages: u64) -> Account {
    let account = Account::new(format!("u{user}"), PASSWORD);
    for at in 0..mailboxes {
        let name = if at == 0 { String::from("INBOX") } else { format!("Box-{at}") };
        let seed = user * 1000 + at;
        let drafts = (0..messages).map(|index| Draft::new(generate::message(seed, index, Profile::Small)));
        account.mailbox(&name).append_all(drafts);
    }
    account
}

/// Lists a small message and sends an endless one, to whoever asks.
async fn hostile(size: u64) -> Server {
    let examine = "* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 8] x\r\n{tag} OK\r\n";
    let listed = "* 1 FETCH (UID 7 FLAGS () INTERNALDATE \"01-Nov-2026 00:00:00 +0000\" RFC822.SIZE 1000)\r\n{tag} OK\r\n";
    let until_asked = routine()
        .answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
        .answer("EXAMINE", examine)
        .answer("UID FETCH * (UID FLAGS", listed)
        .until("UID FETCH 7 (UID BODY.PEEK[])");
    let answer = [send("* 1 FETCH (UID 7 BODY[] "), huge(size, b'x', size), stall()];
    Server::plain().script([send("* OK ready\r\n"), until_asked].into_iter().chain(answer)).start().await
}

/// The connections have the runtime's threads: this one may wait.
fn until_stdin_closes(port: u16) -> Result<()> {
    writeln!(io::stdout(), r#"{{"port":{port}}}"#)?;
    let mut ignored = Vec::new();
    io::stdin().read_to_end(&mut ignored).context("cannot wait for the end of stdin")?;
    Ok(())
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T> {
    word.parse().ok().with_context(|| format!("`{word}` is no number here; {USAGE}"))
}
