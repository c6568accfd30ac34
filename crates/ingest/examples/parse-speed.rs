//! Measures the way from bytes to a document in memory, with all hashes, on one core:
//!
//! messages of some 13 KiB, in MiB a second; and messages of 1, 4, 16 and 64 MiB of several shapes, in seconds. One
//! JSON line on stdout.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{self, Write};

use anyhow::Result;
use serde_json::json;
use tokio::time::Instant;
use vigie_ingest::message::parse_bytes;
use vigie_testkit::generate::{self, Profile};

const MIB: usize = 1 << 20;
const KIB: usize = 1 << 10;
/// Sizes of what is called 13 KiB.
const ABOUT: std::ops::Range<usize> = 11 * KIB..15 * KIB;
const MESSAGES: usize = 400;
const RUNS: usize = 7;
const SIZES: [usize; 4] = [MIB, 4 * MIB, 16 * MIB, 64 * MIB];

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
        let seconds = seconds(|| messages.iter().for_each(|message| drop(black_box(parse_bytes(message)))));
        rates.push(bytes as f64 / MIB as f64 / seconds);
    }
    let mut shapes = BTreeMap::new();
    for (name, shape) in SHAPES {
        let mut times = Vec::new();
        for size in SIZES {
            let message = shape(size);
            let least = (0..3)
                .map(|_| seconds(|| drop(black_box(parse_bytes(&message)))))
                .fold(f64::INFINITY, f64::min);
            times.push(json!({ "bytes": message.len(), "seconds": least }));
        }
        shapes.insert(name, times);
    }
    writeln!(io::stdout(), "{}", json!({ "mebibytesPerSecond": rates, "shapes": shapes }))?;
    Ok(())
}

fn seconds(work: impl FnOnce()) -> f64 {
    let since = Instant::now();
    work();
    since.elapsed().as_secs_f64()
}

fn repeated(head: &str, again: &str, size: usize) -> Vec<u8> {
    let mut message = format!("Message-ID: <a@b>\r\n{head}").into_bytes();
    message.extend_from_slice(again.repeat(size / again.len()).as_bytes());
    message
}
