//! The server's end of a connection: TCP with or without TLS, and a reader of lines that loses
//! nothing when it is dropped in the middle of waiting.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_native_tls::{TlsAcceptor, TlsStream};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection, before or after TLS began on it.
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// The socket under it.
    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref(),
        }
    }

    /// Takes the client's TLS handshake.
    pub(crate) async fn secure(self, acceptor: &TlsAcceptor) -> io::Result<Self> {
        match self {
            Self::Plain(socket) => {
                let stream = acceptor.accept(socket).await.map_err(io::Error::other)?;
                Ok(Self::Tls(Box::new(stream)))
            }
            Self::Tls(_) => Err(io::Error::other("TLS is already on")),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// What has been read and not yet taken.
#[derive(Default)]
pub(crate) struct Incoming {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    searched: usize,
}

impl Incoming {
    /// Reads once; `false` at the end of the stream. Dropping the future loses no byte.
    pub(crate) async fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<bool> {
        self.buffer.reserve(4096);
        Ok(stream.read_buf(&mut self.buffer).await? > 0)
    }

    /// The next whole line, without its line end.
    pub(crate) fn line(&mut self) -> Option<Bytes> {
        let fresh = self.buffer.get(self.searched..)?;
        let Some(found) = fresh.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            return None;
        };
        let mut line = self.buffer.split_to(self.searched + found);
        self.buffer.advance(1);
        self.searched = 0;
        if line.ends_with(b"\r") {
            line.truncate(line.len() - 1);
        }
        Some(line.freeze())
    }

    /// The next `size` bytes, once all are there.
    pub(crate) fn exactly(&mut self, size: usize) -> Option<Bytes> {
        if self.buffer.len() < size {
            return None;
        }
        self.searched = 0;
        Some(self.buffer.split_to(size).freeze())
    }

    /// Everything read so far.
    pub(crate) fn take(&mut self) -> Bytes {
        self.searched = 0;
        self.buffer.split().freeze()
    }

    /// How many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }
}
