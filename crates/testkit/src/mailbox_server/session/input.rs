//! What the client says: lines, and commands with their literals.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::Session;
use crate::mailbox_server::command;

/// The longest line and the largest literal that a client may send.
const LONGEST: usize = 1024 * 1024;

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, S> {
    /// The next line. What was answered goes out before anything is waited for.
    pub(super) async fn line(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(line) = self.incoming.line() {
                return Ok(Some(line));
            }
            self.stream.flush().await?;
            if self.incoming.len() > LONGEST {
                self.say("* BYE this line is too long\r\n").await?;
                return Ok(None);
            }
            if !self.incoming.fill(&mut self.stream).await? {
                return Ok(None);
            }
        }
    }

    /// The next command with its literals.
    pub(super) async fn command_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(line) = self.line().await? else { return Ok(None) };
        let mut line = line.to_vec();
        while let Some((size, waits)) = command::announced(&line) {
            if size + line.len() > LONGEST {
                self.say("* BYE this literal is too large\r\n").await?;
                return Ok(None);
            }
            if waits {
                self.say("+ go on\r\n").await?;
            }
            let literal = loop {
                if let Some(literal) = self.incoming.exactly(size) {
                    break literal;
                }
                self.stream.flush().await?;
                if !self.incoming.fill(&mut self.stream).await? {
                    return Ok(None);
                }
            };
            command::embed(&mut line, &literal);
            let Some(rest) = self.line().await? else { return Ok(None) };
            line.extend_from_slice(&rest);
        }
        Ok(Some(line))
    }
}
