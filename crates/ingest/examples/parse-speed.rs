//! Measures the way from bytes to a document in memory, with all hashes, on one core:
//!
//! messages of some 13 KiB, in MiB a second; and messages of 1, 4, 16 and 64 MiB of several shapes, in seconds a message.
//! One JSON line on stdout. The time is that of the processor, so that others who want it do not count.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{self, Write};

use anyhow::{Context, Result};
use serde_json::json;
use vigie_ingest::message::parse_bytes;
use vigie_testkit::generate::{self, Profile};

const MIB: usize = 1 << 20;
const KIB: usize = 1 << 10;
/// Sizes of what is called 13 KiB.
const ABOUT: std::ops::Range<usize> = 11 * KIB..15 * KIB;
const MESSAGES: usize = 2_000;
/// Times over that they are parsed in a run.
const AGAIN: usize = 4;
const RUNS: usize = 7;
const SIZES: [usize; 4] = [MIB, 4 * MIB, 16 * MIB, MOST];
const MOST: usize = 64 * MIB;

/// A message of about this size.
type Shape = fn(usize) -> Vec<u8>;
const SHAPES: [(&str, Shape); 6] = [
    ("attachment", |size| generate::large(1, size)),
    ("text", |size| {
        repeated(
            "Content-Type: text/plain; charset=utf-8\r\n\r\n",
            "Un café à midi, s'il vous plaît.\r\n",
            size,
        )
    }),
    ("html", |size| {
        repeated(
            "Content-Type: text/html; charset=utf-8\r\n\r\n",
            "<p class=\"a\">Un café &amp; un thé</p>\r\n",
            size,
        )
    }),
    ("parts", |size| {
        repeated(
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
            "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n",
            size,
        )
    }),
    ("addresses", |size| repeated("To: ", "Ada Example <ada@example.org>,\r\n ", size)),
    ("fields", |size| repeated("Subject: x\r\n", "X-Field: =?utf-8?q?caf=C3=A9?= and more of it\r\n", size)),
];

fn main() -> Result<()> {
    let messages: Vec<Vec<u8>> = (0..)
        .map(|index| generate::message(9, index, Profile::Mixed))
        .filter(|message| ABOUT.contains(&message.len()))
        .take(MESSAGES)
        .collect();
    let bytes: usize = messages.iter().map(Vec::len).sum();
    let mut rates = Vec::new();
    for _ in 0..RUNS {
        let seconds =
            seconds(|| (0..AGAIN).for_each(|_| messages.iter().for_each(|message| parse(message))))?;
        rates.push((AGAIN * bytes) as f64 / MIB as f64 / seconds);
    }
    let mut shapes = BTreeMap::new();
    for (name, shape) in SHAPES {
        let mut times = Vec::new();
        for size in SIZES {
            let message = shape(size);
            // As much altogether of each size: the processor's time is told a few milliseconds late.
            let times_each = MOST / size;
            let all = seconds(|| (0..times_each).for_each(|_| parse(&message)))?;
            times.push(json!({ "bytes": message.len(), "seconds": all / times_each as f64 }));
        }
        shapes.insert(name, times);
    }
    writeln!(io::stdout(), "{}", json!({ "mebibytesPerSecond": rates, "shapes": shapes }))?;
    Ok(())
}

fn parse(message: &[u8]) {
    drop(black_box(parse_bytes(message)));
}

/// What the work takes of a processor.
fn seconds(work: impl FnOnce()) -> Result<f64> {
    let before = on_processor()?;
    work();
    Ok((on_processor()? - before) as f64 / 1e9)
}

/// Nanoseconds that this thread has been on a processor.
fn on_processor() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text.split_whitespace().next().context("the kernel tells no times of threads")?;
    Ok(first.parse()?)
}

fn repeated(head: &str, again: &str, size: usize) -> Vec<u8> {
    let mut message = format!("Message-ID: <a@b>\r\n{head}").into_bytes();
    message.extend_from_slice(again.repeat(size / again.len()).as_bytes());
    message
}
