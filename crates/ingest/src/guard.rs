//! Stands between the network and the IMAP parser: no byte of a server reaches the parser unless the
//! parser can take it.
//!
//! imap-proto panics on some responses, overflows its stack on others, and gives up the connection at the
//! first byte that it does not know; async-imap makes room for whatever length a server announces. The
//! guard caps lengths and nesting, rewrites or drops lines that the parser would not take, and holds
//! back what must not be trusted while the connection is about to be encrypted.

mod framer;
mod line;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::framer::Framer;
pub use self::framer::{Limits, Mode, Violation};

/// What is read from the network at once.
const BLOCK: usize = 32 * 1024;

/// Octets that a server has to say before the login.
const EARLY: u64 = 1 << 20;
/// Octets in a row of which nothing is let through.
const NOTHING: usize = 1 << 20;

/// A stream whose reads give only what the IMAP parser can take.
pub struct Guard<S> {
    inner: S,
    framer: Framer,
    input: Box<[u8]>,
    output: BytesMut,
    received: u64,
    /// Octets that may be received at all.
    most: u64,
    /// Octets of which nothing was let through, in a row.
    nothing: usize,
}

impl<S> Guard<S> {
    /// Guards `inner`.
    pub fn new(inner: S, limits: Limits) -> Self {
        let input = vec![0; BLOCK].into_boxed_slice();
        Self {
            inner,
            framer: Framer::new(limits),
            input,
            output: BytesMut::new(),
            received: 0,
            most: EARLY,
            nothing: 0,
        }
    }

    /// We are logged in: from now on there is no end to what may come, command by command.
    pub fn let_in(&mut self) {
        self.most = u64::MAX;
    }

    /// From now on a literal of `bytes` is expected; some more than that is let through.
    pub fn expect_literal(&mut self, bytes: u64) {
        self.framer.expect_literal(bytes);
    }

    /// Octets read from the network so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// What may come through from now on.
    pub fn set_mode(&mut self, mode: Mode) {
        self.framer.set_mode(mode);
    }

    /// Puts another stream in the place of this one, for instance with compression on it, and gives this one back.
    ///
    /// # Errors
    /// [`Violation::Injected`] when there is more than the answer that was asked for.
    pub fn replace(&mut self, inner: S) -> Result<S, Violation> {
        if self.output.is_empty() && self.framer.is_between_responses() {
            Ok(std::mem::replace(&mut self.inner, inner))
        } else {
            Err(Violation::Injected)
        }
    }

    /// The stream itself, for TLS to begin on it.
    ///
    /// # Errors
    /// [`Violation::Injected`] when the server sent more in plain text than the answer that it was asked for.
    pub fn into_inner(self) -> Result<S, Violation> {
        if self.output.is_empty() && self.framer.is_between_responses() {
            Ok(self.inner)
        } else {
            Err(Violation::Injected)
        }
    }
}

impl<S> fmt::Debug for Guard<S> {
    /// Without any of the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.output.is_empty() {
                let length = this.output.len().min(buf.remaining());
                buf.put_slice(this.output.get(..length).unwrap_or_default());
                this.output.advance(length);
                return Poll::Ready(Ok(()));
            }
            if let Some(left) = this.framer.passing() {
                // The inside of a message goes straight to the parser's buffer.
                let room = left.min(buf.remaining());
                let mut part = ReadBuf::new(buf.initialize_unfilled_to(room));
                ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
                let length = part.filled().len();
                this.received += length as u64;
                this.framer.passed(length);
                buf.advance(length);
                return Poll::Ready(Ok(()));
            }
            let mut part = ReadBuf::new(&mut this.input);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
            let block = part.filled();
            if block.is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.received += block.len() as u64;
            this.nothing += block.len();
            let pushed = this.framer.push(block, &mut this.output);
            if !this.output.is_empty() {
                this.nothing = 0;
            }
            let pushed = match pushed {
                Ok(()) if this.nothing > NOTHING => Err(Violation::Nothing(NOTHING)),
                Ok(()) if this.received > this.most => Err(Violation::TooEarly(this.most)),
                other => other,
            };
            pushed.map_err(|violation| io::Error::new(io::ErrorKind::InvalidData, violation))?;
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
