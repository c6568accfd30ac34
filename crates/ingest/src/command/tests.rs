//! What a server may do to a command, over a connection in memory. Each defect of async-imap and imap-proto that the
//! layer exists for is shown here as none of ours.

use std::future::pending;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, ReadBuf, duplex, split,
};
use tokio::task::yield_now;

use super::*;
use crate::transport::{Transport, guarded};

/// What a server answers to a line that is not a login; `{tag}` is that of its command, that of the last one for
/// DONE. `None` closes the connection.
type Answers = fn(&str) -> Option<&'static str>;

async fn serve(far: DuplexStream, answers: Answers) {
    let (from, mut to) = split(far);
    let mut lines = BufReader::new(from).lines();
    let mut tag = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        let command = match line.split_once(' ') {
            Some((new, command)) => {
                tag = new.to_owned();
                command
            }
            None => line.as_str(),
        };
        let answer = if command.starts_with("LOGIN") { Some("{tag} OK\r\n") } else { answers(command) };
        let Some(answer) = answer else { return };
        to.write_all(answer.replace("{tag}", &tag).as_bytes()).await.unwrap();
    }
}

async fn over(stream: impl Transport + 'static) -> Channel {
    let mut client = async_imap::Client::new(guarded(Box::new(stream)));
    client.get_mut().set_mode(Mode::Authenticating);
    Channel::new(client.login("me", "canary-7f3a").await.map_err(|(error, _)| error).unwrap())
}

async fn channel(answers: Answers) -> Channel {
    let (near, far) = duplex(64 << 10);
    tokio::spawn(serve(far, answers));
    over(near).await
}

#[track_caller]
fn assert_lost(result: Result<()>, cause: &str) {
    match result {
        Err(Error::Lost { cause: told, .. }) => assert!(told.contains(cause), "{told}"),
        other => panic!("{other:?} instead of a loss: {cause}"),
    }
}

/// A1: in async-imap a refused SEARCH is an empty one, and a refused FETCH just ends.
#[tokio::test]
async fn a_refused_command_is_no_empty_success() {
    let mut channel = channel(|command| match command {
        "NOOP" => Some("{tag} OK\r\n"),
        "UID SEARCH 1" => Some("{tag} BAD [X] what?\r\n"),
        _ => Some("* 1 EXISTS\r\n{tag} NO [UNAVAILABLE] not now\r\n"),
    })
    .await;
    for command in ["UID SEARCH 1", "UID FETCH 1 (UID)", "CAPABILITY", "EXAMINE x"] {
        let refused = channel.run("X", command, |_| ()).await;
        assert!(matches!(refused, Err(Error::Refused { .. })), "{command}: {refused:?}");
    }
    channel.run("NOOP", "NOOP", |_| ()).await.unwrap();
}

/// A2: in async-imap the end of the stream completes a command, even after BYE.
#[tokio::test]
async fn the_end_of_the_stream_completes_no_command() {
    let mut closing = channel(|_| None).await;
    assert_lost(closing.run("X", "EXAMINE x", |_| ()).await, "closed the connection");
    assert_lost(closing.run("NOOP", "NOOP", |_| ()).await, "earlier command");
    let mut leaving = channel(|_| Some("* 3 EXISTS\r\n* BYE [X] see\r\n{tag} OK\r\n")).await;
    assert_lost(leaving.run("X", "EXAMINE x", |_| ()).await, "good-bye: [X] see");
    assert_lost(leaving.run("NOOP", "NOOP", |_| ()).await, "earlier command");
}

/// A3: async-imap makes room for whatever is announced.
#[tokio::test]
async fn an_announced_length_gets_no_room() {
    let mut channel = channel(|_| Some("* 1 FETCH (UID 1 BODY[] {500000000}\r\n")).await;
    assert_lost(channel.run("X", "UID FETCH 1", |_| ()).await, "announced 500000000 bytes");
}

/// A4: in async-imap a parse error quotes the whole buffer, mail and all.
#[tokio::test]
async fn an_error_holds_no_mail_and_little_of_anything() {
    let mut mail = channel(|_| {
        Some("* 1 FETCH (UID 1 BODY[] {15}\r\ncanary of a mail X Y Z)\r\n{tag} OK canary of a mail\r\n")
    })
    .await;
    let error = mail.run("X", "UID FETCH 1", |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error}");
    assert!(!format!("{error} {error:?} {mail:?}").contains("canary"), "{error} {error:?} {mail:?}");
    let mut wordy = channel(|_| {
        Some(Box::leak(format!("{{tag}} NO {}\r\n", "\u{1b}[2Jno ".repeat(2000)).into_boxed_str()))
    })
    .await;
    let error = wordy.run("X", "UID FETCH 1", |_| ()).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.len() < 1000 && !text.contains('\u{1b}'), "{text}");
}

/// A9: in async-imap a connection that ends is an interrupted IDLE, and a refused one never begins.
#[tokio::test]
async fn idle_that_ends_is_lost_and_idle_that_is_refused_is_refused() {
    let until = || Instant::now() + Duration::from_hours(1);
    let mut closing = channel(|_| None).await;
    assert_lost(closing.idle(until(), pending()).await.map(|_| ()), "closed the connection");
    let (near, far) = duplex(4096);
    tokio::spawn(async move {
        let (from, mut to) = split(far);
        let mut lines = BufReader::new(from).lines();
        lines.next_line().await.unwrap();
        to.write_all(b"A0001 OK\r\n").await.unwrap();
        lines.next_line().await.unwrap();
        to.write_all(b"+ idling\r\n").await.unwrap();
    });
    assert_lost(over(near).await.idle(until(), pending()).await.map(|_| ()), "closed the connection");
    for answer in ["{tag} NO not here\r\n", "{tag} BAD\r\n"] {
        let mut refusing = channel(if answer.contains("NO") {
            |command| Some(if command == "IDLE" { "{tag} NO not here\r\n" } else { "{tag} OK\r\n" })
        } else {
            |command| Some(if command == "IDLE" { "{tag} BAD\r\n" } else { "{tag} OK\r\n" })
        })
        .await;
        let refused = refusing.idle(until(), pending()).await;
        assert!(matches!(refused, Err(Error::Refused { .. })), "{answer}: {refused:?}");
        refusing.run("NOOP", "NOOP", |_| ()).await.unwrap();
    }
}

/// A10: what one command leaves on the wire is read by the next.
#[tokio::test]
async fn a_connection_with_a_command_broken_off_is_never_used_again() {
    let mut unread = channel(|command| (command == "NOOP").then_some("{tag} OK\r\n").or(Some(""))).await;
    {
        let run = unread.run("X", "UID FETCH 1", |_| ());
        tokio::select! { biased; _ = run => panic!("nobody answered"), () = yield_now() => {} }
    }
    assert_lost(unread.run("NOOP", "NOOP", |_| ()).await, "earlier command");

    // A network that takes three bytes, then none.
    let (near, far) = duplex(64);
    let mut half = over(far_side_served(near, far)).await;
    let long = format!("UID FETCH {} (UID)", "1,".repeat(20_000));
    {
        let sent = half.send("X", &long);
        tokio::select! { biased; _ = sent => panic!("nobody read"), () = yield_now() => {} }
    }
    assert_lost(half.run("NOOP", "NOOP", |_| ()).await, "an earlier command was broken off");

    let mut forgotten = channel(|_| Some("{tag} OK\r\n")).await;
    let sent = forgotten.send("X", "NOOP").await.unwrap();
    drop(sent);
    assert_lost(forgotten.run("NOOP", "NOOP", |_| ()).await, "never read");

    let mut stray = channel(|_| Some("A9999 NO what you never asked\r\n{tag} OK\r\n")).await;
    assert_lost(stray.run("NOOP", "NOOP", |_| ()).await, "a command that was not sent");
}

/// Answers the login, and reads nothing after it.
fn far_side_served(near: DuplexStream, mut far: DuplexStream) -> DuplexStream {
    tokio::spawn(async move {
        let mut line = String::new();
        BufReader::new(&mut far).read_line(&mut line).await.unwrap();
        far.write_all(b"A0001 OK\r\n").await.unwrap();
        pending::<()>().await;
    });
    near
}

/// A11: async-imap waits for ever.
#[tokio::test(start_paused = true)]
async fn silence_and_trickles_and_full_networks_end() {
    let mut silent = channel(|_| Some("* 1 EXISTS\r\n")).await;
    assert_lost(silent.run("X", "EXAMINE x", |_| ()).await, "silent for 60 s");

    let (near, far) = duplex(64);
    let mut full = over(far_side_served(near, far)).await;
    let long = format!("UID FETCH {} (UID)", "1,".repeat(20_000));
    assert_lost(full.run("X", &long, |_| ()).await, "takes no more data");

    let (near, mut far) = duplex(64);
    tokio::spawn(async move {
        let mut line = String::new();
        BufReader::new(&mut far).read_line(&mut line).await.unwrap();
        far.write_all(b"A0001 OK\r\n* OK ").await.unwrap();
        let mut ticks = tokio::time::interval(Duration::from_secs(30));
        while far.write_all(b"x").await.is_ok() {
            ticks.tick().await;
        }
    });
    assert_lost(over(near).await.run("X", "NOOP", |_| ()).await, "too slowly");
}

/// A13: async-imap writes a command in four pieces, each of which would be a packet of its own.
#[tokio::test]
async fn a_command_is_one_write() {
    let (near, far) = duplex(64 << 10);
    tokio::spawn(serve(far, |_| Some("{tag} OK\r\n")));
    let writes = Arc::new(Mutex::new(Vec::new()));
    let mut channel = over(Counting { inner: near, writes: Arc::clone(&writes) }).await;
    channel.run("NOOP", "NOOP", |_| ()).await.unwrap();
    assert_eq!(*writes.lock().unwrap(), ["A0001 LOGIN \"me\" \"canary-7f3a\"\r\n", "A0002 NOOP\r\n"]);
}

#[derive(Debug)]
struct Counting {
    inner: DuplexStream,
    writes: Arc<Mutex<Vec<String>>>,
}

impl AsyncRead for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.writes.lock().unwrap().push(String::from_utf8_lossy(bytes).into_owned());
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// A14: some complete METADATA responses are "incomplete" to the parser, which then waits for ever.
#[tokio::test]
async fn metadata_keeps_nobody_waiting() {
    let mut channel = channel(|_| {
        Some("* METADATA \"\" (/shared/vendor NIL)\r\n* METADATA INBOX /private/vendor\r\n* METADATA x (/private/comment {3}\r\nabc)\r\n{tag} OK\r\n")
    })
    .await;
    channel.run("NOOP", "NOOP", |_| ()).await.unwrap();
}

#[tokio::test]
async fn a_wait_publishes_by_when_it_ends() {
    let mut channel =
        channel(|command| Some(if command == "IDLE" { "+ idling\r\n" } else { "{tag} OK\r\n" })).await;
    let beat = Beat::default();
    channel.set_beat(beat.clone());
    let until = Instant::now() + Duration::from_hours(3);
    let while_idle = async { assert!(beat.deadline().unwrap() >= until) };
    assert!(!channel.idle(until, while_idle).await.unwrap());
    // What comes now is our own work.
    assert!(beat.deadline().unwrap() < until);
}

/// What is compressed goes through the same guard.
#[tokio::test]
async fn compression_begins_after_its_answer_and_is_guarded() {
    let mut refusing =
        channel(|command| Some(if command == "NOOP" { "{tag} OK\r\n" } else { "{tag} NO\r\n" })).await;
    assert!(!refusing.compress().await.unwrap());
    refusing.run("NOOP", "NOOP", |_| ()).await.unwrap();

    let mut injecting = channel(|_| Some("{tag} OK\r\n* 5 EXISTS\r\n")).await;
    assert_lost(injecting.compress().await.map(|_| ()), "somebody may be interfering");

    let (near, mut far) = duplex(64 << 10);
    tokio::spawn(async move {
        for answer in ["A0001 OK\r\n", "A0002 OK\r\n"] {
            BufReader::new(&mut far).read_line(&mut String::new()).await.unwrap();
            far.write_all(answer.as_bytes()).await.unwrap();
        }
        let mut far = transport::deflated(far);
        let mut line = String::new();
        BufReader::new(&mut far).read_line(&mut line).await.unwrap();
        assert_eq!(line, "A0003 UID FETCH 1\r\n");
        far.write_all(b"* 1 FETCH (UID  1 BODY[] {5}\r\nabcde)\r\nA0003 OK\r\n").await.unwrap();
        far.flush().await.unwrap();
        BufReader::new(&mut far).read_line(&mut line).await.unwrap();
        far.write_all(b"* 1 FETCH (UID 1 BODY[] {500000000}\r\n").await.unwrap();
        far.flush().await.unwrap();
        pending::<()>().await;
    });
    let mut channel = over(near).await;
    assert!(channel.compress().await.unwrap());
    let mut came = 0;
    channel.run("X", "UID FETCH 1", |_| came += 1).await.unwrap();
    assert_eq!(came, 1);
    assert_lost(channel.run("X", "UID FETCH 2", |_| ()).await, "announced 500000000 bytes");
}
