//! What happened on all connections, in order, with those who wait for more of it; and the gates.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// One thing that happened.
pub(super) enum Event {
    Connected,
    /// A line of the client.
    Line(String),
    /// Something that a reader of the transcript wants to know.
    Note(String),
    /// The script asked for something else.
    Failure(String),
    Ended,
}

#[derive(Default)]
struct State {
    events: Vec<(usize, Event)>,
    connections: usize,
    gates: BTreeSet<String>,
    /// Scripts, by their place, that have been played to their end.
    played: BTreeSet<usize>,
}

pub(super) struct Transcript {
    state: Mutex<State>,
    changed: watch::Sender<()>,
    scripts: usize,
}

impl Transcript {
    pub(super) fn new(scripts: usize) -> Self {
        Self { state: Mutex::default(), changed: watch::Sender::new(()), scripts }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a new connection and gives it its number.
    pub(super) fn connected(&self) -> usize {
        let number = {
            let mut state = self.state();
            state.connections += 1;
            let number = state.connections;
            state.events.push((number, Event::Connected));
            number
        };
        self.changed.send_replace(());
        number
    }

    pub(super) fn record(&self, connection: usize, event: Event) {
        self.state().events.push((connection, event));
        self.changed.send_replace(());
    }

    pub(super) fn played(&self, script: usize) {
        self.state().played.insert(script);
        self.changed.send_replace(());
    }

    pub(super) fn all_played(&self) -> bool {
        self.state().played.len() >= self.scripts
    }

    pub(super) fn open(&self, gate: &str) {
        self.state().gates.insert(gate.to_owned());
        self.changed.send_replace(());
    }

    /// Waits until a gate is open.
    pub(super) async fn passed(&self, gate: &str) {
        let mut changes = self.changes();
        while !self.state().gates.contains(gate) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn connections(&self) -> usize {
        self.state().connections
    }

    pub(super) fn lines(&self, connection: usize) -> Vec<String> {
        let state = self.state();
        let lines = state.events.iter().filter_map(|(number, event)| match event {
            Event::Line(line) if *number == connection => Some(line.clone()),
            _ => None,
        });
        lines.collect()
    }

    pub(super) fn ended(&self, connection: usize) -> bool {
        self.state()
            .events
            .iter()
            .any(|(number, event)| *number == connection && matches!(event, Event::Ended))
    }

    pub(super) fn failed(&self) -> bool {
        self.state().events.iter().any(|(_, event)| matches!(event, Event::Failure(_)))
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        if state.events.is_empty() {
            return write!(f, "  nobody connected");
        }
        for (number, event) in &state.events {
            match event {
                Event::Connected => writeln!(f, "  {number}: connected")?,
                Event::Line(line) => writeln!(f, "  {number}: client: {line:?}")?,
                Event::Note(note) => writeln!(f, "  {number}: {note}")?,
                Event::Failure(failure) => writeln!(f, "  {number}: FAILED: {failure}")?,
                Event::Ended => writeln!(f, "  {number}: ended")?,
            }
        }
        Ok(())
    }
}
