//! COMPRESS=DEFLATE (RFC 4978) over any stream.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is read from the network at once.
const BLOCK: usize = 16 * 1024;
/// Room that is made for compressed output.
const ROOM: usize = 4 * 1024;
/// So much may come out of one octet, beyond [`GRACE`]: no mailbox as a whole is like that.
const RATIO: u64 = 100;
/// So much may come out of anything: there are messages of blanks alone.
const GRACE: u64 = 64 << 20;

/// A stream that is compressed both ways. Memory is bounded by the two windows, whatever is sent.
pub(super) struct Deflated<S> {
    inner: S,
    inflate: Decompress,
    input: Box<[u8]>,
    /// What of `input` is still to be inflated.
    from: usize,
    to: usize,
    deflate: Compress,
    /// Compressed and not yet written.
    output: Vec<u8>,
    /// There is something that the compressor still holds.
    held: bool,
}

impl<S> Deflated<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            inflate: Decompress::new(false),
            input: vec![0; BLOCK].into_boxed_slice(),
            from: 0,
            to: 0,
            deflate: Compress::new(Compression::fast(), false),
            output: Vec::new(),
            held: false,
        }
    }

    /// Compresses `bytes`; with `flush` until nothing is held back.
    fn compress(&mut self, mut bytes: &[u8], flush: FlushCompress) -> io::Result<()> {
        loop {
            self.output.reserve(ROOM);
            let before = self.deflate.total_in();
            self.deflate.compress_vec(bytes, &mut self.output, flush).map_err(io::Error::other)?;
            let taken = usize::try_from(self.deflate.total_in() - before).unwrap_or(usize::MAX);
            bytes = bytes.get(taken..).unwrap_or_default();
            if bytes.is_empty() && self.output.len() < self.output.capacity() {
                return Ok(());
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> Deflated<S> {
    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Deflated<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let (read, made) = (this.inflate.total_in(), this.inflate.total_out());
            let input = this.input.get(this.from..this.to).unwrap_or_default();
            let status = this
                .inflate
                .decompress(input, buf.initialize_unfilled(), FlushDecompress::Sync)
                .map_err(|_| broken("what the server sent is not compressed as agreed"))?;
            let read = usize::try_from(this.inflate.total_in() - read).unwrap_or(usize::MAX);
            let made = usize::try_from(this.inflate.total_out() - made).unwrap_or(usize::MAX);
            this.from = this.from.saturating_add(read);
            buf.advance(made);
            if this.inflate.total_out() > this.inflate.total_in().saturating_mul(RATIO).saturating_add(GRACE)
            {
                return Poll::Ready(Err(broken(
                    "the server's compressed data grows out of all proportion; set compress = false",
                )));
            }
            if made > 0 || status == Status::StreamEnd || buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if this.from < this.to {
                // With room for output there is always progress, or an error.
                if read == 0 {
                    return Poll::Ready(Err(broken("what the server sent cannot be inflated")));
                }
                continue;
            }
            let mut block = ReadBuf::new(&mut this.input);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut block))?;
            (this.from, this.to) = (0, block.filled().len());
            if this.to == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Deflated<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_write_out(cx))?;
        this.compress(bytes, FlushCompress::None)?;
        this.held = true;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.held {
            this.compress(&[], FlushCompress::Sync)?;
            this.held = false;
        }
        ready!(this.poll_write_out(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

impl<S> fmt::Debug for Deflated<S> {
    /// Without any of the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflated").finish_non_exhaustive()
    }
}

fn broken(said: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, said)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Each side hears what the other has flushed, in pieces smaller than anything.
    #[tokio::test]
    async fn both_ways_and_every_flush_arrives() {
        let (near, far) = duplex(7);
        let (mut near, mut far) = (Deflated::new(near), Deflated::new(far));
        let far_side = tokio::spawn(async move {
            for n in 0..50_usize {
                let mut heard = vec![0; n * 37 + 1];
                far.read_exact(&mut heard).await.unwrap();
                heard.reverse();
                far.write_all(&heard).await.unwrap();
                far.flush().await.unwrap();
            }
            far.shutdown().await.unwrap();
        });
        for n in 0..50_usize {
            let said: Vec<u8> = (0..n * 37 + 1).map(|i| (i * i) as u8).collect();
            near.write_all(&said).await.unwrap();
            near.flush().await.unwrap();
            let mut heard = vec![0; said.len()];
            near.read_exact(&mut heard).await.unwrap();
            heard.reverse();
            assert_eq!(heard, said);
        }
        far_side.await.unwrap();
        assert_eq!(near.read(&mut [0; 10]).await.unwrap(), 0);
    }

    /// 100 MB of blanks in 100 kB: inflated in little room, and not all of it.
    #[tokio::test]
    async fn a_bomb_does_not_go_off() {
        let mut bomb = Deflated::new(tokio::io::empty());
        bomb.deflate = Compress::new(Compression::best(), false);
        let blanks = vec![b' '; 1 << 20];
        for _ in 0..100 {
            bomb.compress(&blanks, FlushCompress::None).unwrap();
        }
        bomb.compress(&[], FlushCompress::Sync).unwrap();
        let (near, mut far) = duplex(1 << 20);
        let mut near = Deflated::new(near);
        tokio::spawn(async move { far.write_all(&bomb.output).await });
        let mut came = 0;
        let mut buffer = vec![0; 4096];
        let error = loop {
            match near.read(&mut buffer).await {
                Ok(0) => panic!("all of it came: {came}"),
                Ok(n) => came += n as u64,
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("out of all proportion"), "{error}");
        assert!(came > GRACE && came < GRACE + 200 * 1024 * RATIO, "{came}");
    }

    #[tokio::test]
    async fn what_is_not_deflated_is_an_error() {
        let (near, mut far) = duplex(100);
        far.write_all(b"\xff\xff\xff\xff").await.unwrap();
        let error = Deflated::new(near).read(&mut [0; 10]).await.unwrap_err();
        assert!(error.to_string().contains("not compressed as agreed"), "{error}");
    }
}
