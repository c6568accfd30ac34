//! The last lines of a service (pure), bounded in number and in octets.

use std::collections::VecDeque;

use super::line::{LogLine, Stream};

const LINES: usize = 1000;
const OCTETS: usize = 512 << 10;

#[derive(Debug, Default)]
pub(super) struct Ring {
    lines: VecDeque<LogLine>,
    octets: usize,
}

impl Ring {
    pub(super) fn push(&mut self, line: LogLine) {
        self.octets += line.size();
        self.lines.push_back(line);
        while self.lines.len() > LINES || self.octets > OCTETS {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.octets -= oldest.size();
        }
    }

    pub(super) fn last(&self, stream: Option<Stream>, most: usize) -> Vec<LogLine> {
        let of_stream = |line: &&LogLine| stream.is_none_or(|stream| line.stream == stream);
        let mut last: Vec<LogLine> = self.lines.iter().rev().filter(of_stream).take(most).cloned().collect();
        last.reverse();
        last
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn line(text: String, stream: Stream) -> LogLine {
        LogLine { at: Timestamp::UNIX_EPOCH, stream, text: text.into() }
    }

    #[test]
    fn it_keeps_the_last_within_both_bounds() {
        let mut ring = Ring::default();
        for n in 0..LINES + 7 {
            ring.push(line(n.to_string(), if n % 2 == 0 { Stream::Stdout } else { Stream::Stderr }));
        }
        assert_eq!(ring.lines.len(), LINES);
        let last = ring.last(Some(Stream::Stdout), 2);
        assert_eq!(last.iter().map(|l| &*l.text).collect::<Vec<_>>(), ["1004", "1006"]);
        for _ in 0..100 {
            ring.push(line("x".repeat(16 << 10), Stream::Stdout));
        }
        assert!(ring.octets <= OCTETS && ring.lines.len() > 20);
    }
}
