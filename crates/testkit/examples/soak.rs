//! A server whose connections do not last: `soak ACCOUNTS`, one port an account, user `me`, password `secret`.
//!
//! The ports come as one JSON line on stdout. Each line on stdin is a number of cycles that all accounts together
//! then go through, and is answered by a line when all of them rest again. A cycle: the client idles, a message
//! arrives, the client has fetched it and idles again, and the server hangs up, with a BYE or without a word. Stdin's
//! end is the end.

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::io::{AsyncWriteExt, copy, duplex, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use vigie_testkit::generate::{self, Profile};
use vigie_testkit::mailbox_server::{Account, Mailbox, Service};

/// One account, and what ends its connections.
struct Client {
    service: Service,
    inbox: Mailbox,
    hang_up: Notify,
    number: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let accounts = std::env::args().nth(1).context("usage: soak ACCOUNTS")?;
    let accounts: u64 = accounts.parse().context("the number of accounts is no number")?;
    let (mut clients, mut ports) = (Vec::new(), Vec::new());
    for number in 0..accounts {
        let account = Account::new("me", "secret");
        let inbox = account.mailbox("INBOX");
        let client =
            Arc::new(Client { service: Service::new([account]), inbox, hang_up: Notify::new(), number });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen")?;
        ports.push(listener.local_addr()?.port().to_string());
        tokio::spawn(accept(listener, Arc::clone(&client)));
        clients.push(client);
    }
    writeln!(io::stdout(), "[{}]", ports.join(","))?;
    // The accounts have the runtime's threads: this one may wait.
    for line in io::stdin().lines() {
        let line = line.context("cannot read stdin")?;
        let cycles: u64 = line.trim().parse().with_context(|| format!("`{line}` is no number of cycles"))?;
        let mut working = JoinSet::new();
        for (client, at) in clients.iter().cloned().zip(0..) {
            let share = cycles / accounts + u64::from(at < cycles % accounts);
            working.spawn(async move { client.cycles(share).await });
        }
        working.join_all().await;
        writeln!(io::stdout(), "{cycles}")?;
    }
    Ok(())
}

impl Client {
    /// Goes through so many cycles, and waits until the client idles again.
    async fn cycles(&self, count: u64) {
        let mut idle = self.service.commands("IDLE").max(1);
        self.service.wait_for_command("IDLE", idle).await;
        for _ in 0..count {
            let number = self.number << 32 | self.inbox.exists() as u64;
            self.inbox.append(generate::message(1, number, Profile::Small));
            idle += 1;
            self.service.wait_for_command("IDLE", idle).await;
            self.hang_up.notify_waiters();
            idle += 1;
            self.service.wait_for_command("IDLE", idle).await;
        }
    }

    /// Serves one connection until it is hung up.
    async fn serve(&self, socket: TcpStream, with_bye: bool) {
        let (near, far) = duplex(64 * 1024);
        let (mut from_server, mut to_server) = split(near);
        let (mut from_client, mut to_client) = socket.into_split();
        tokio::select! {
            () = self.hang_up.notified() => {}
            () = self.service.converse(far) => {}
            _ = copy(&mut from_client, &mut to_server) => {}
            _ = copy(&mut from_server, &mut to_client) => {}
        }
        if with_bye {
            let _ = to_client.write_all(b"* BYE that was long enough\r\n").await;
        }
    }
}

async fn accept(listener: TcpListener, client: Arc<Client>) {
    let mut with_bye = false;
    while let Ok((socket, _)) = listener.accept().await {
        with_bye = !with_bye;
        let client = Arc::clone(&client);
        tokio::spawn(async move { client.serve(socket, with_bye).await });
    }
}
