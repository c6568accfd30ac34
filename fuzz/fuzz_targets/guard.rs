//! Bytes of a server, cut anywhere, through the guard: the parser takes all that comes out, the cuts do not matter, and not
//! much more comes out than went in. The first byte says how they are cut, and in which mode.
#![no_main]

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use imap_proto::Response;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncRead, ReadBuf};
use vigie_fuzz::Pieces;
use vigie_ingest::guard::{Guard, Limits, Mode};

const SIZES: [usize; 8] = [1, 2, 3, 7, 16, 61, 1021, usize::MAX];
const MODES: [Mode; 3] = [Mode::Normal, Mode::Authenticating, Mode::Switching];
const SMALL: Limits = Limits { line: 600, literal: 200, literals: 4, depth: 8 };

struct Released {
    bytes: Vec<u8>,
    error: Option<String>,
    /// Ended between two responses.
    whole: bool,
}

fuzz_target!(|data: &[u8]| {
    let Some((&how, bytes)) = data.split_first() else { return };
    let how = usize::from(how);
    let limits = if how / 48 % 2 == 0 { Limits::default() } else { SMALL };
    let mode = MODES[how / 8 % 3];
    let cut = released(Pieces::of_size(bytes, SIZES[how % 8]), limits, mode, 5);
    let whole = released(Pieces::of_size(bytes, usize::MAX), limits, mode, 4096);

    // What was released before a violation may be more when it came in pieces.
    let common = cut.bytes.len().min(whole.bytes.len());
    assert_eq!(cut.bytes[..common], whole.bytes[..common]);
    assert_eq!(cut.error, whole.error);
    if cut.error.is_none() {
        assert_eq!(cut.bytes, whole.bytes);
    }
    let lines = bytes.iter().filter(|&&b| b == b'\n').count() + 1;
    assert!(cut.bytes.len() <= 2 * bytes.len() + 16 * lines, "{} of {}", cut.bytes.len(), bytes.len());

    let mut rest = &cut.bytes[..];
    while !rest.is_empty() {
        match Response::parse(rest) {
            Ok((left, _)) => rest = left,
            Err(error) => {
                assert!(error.is_incomplete() && !cut.whole, "{error:?}");
                return;
            }
        }
    }
});

fn released(source: Pieces, limits: Limits, mode: Mode, room: usize) -> Released {
    let mut guard = Guard::new(source, limits);
    guard.set_mode(mode);
    let mut context = Context::from_waker(Waker::noop());
    let mut block = vec![0; room];
    let mut bytes = Vec::new();
    loop {
        let mut block = ReadBuf::new(&mut block);
        match Pin::new(&mut guard).poll_read(&mut context, &mut block) {
            Poll::Ready(Ok(())) if block.filled().is_empty() => {
                return Released { bytes, error: None, whole: guard.into_inner().is_ok() };
            }
            Poll::Ready(Ok(())) => bytes.extend_from_slice(block.filled()),
            Poll::Ready(Err(error)) => {
                return Released { bytes, error: Some(error.to_string()), whole: false };
            }
            Poll::Pending => unreachable!("the source always has an answer"),
        }
    }
}
