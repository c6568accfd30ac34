//! What a process says to whoever started it, by the sd_notify protocol (sd_notify(3)). Without a
//! `NOTIFY_SOCKET` in the environment nothing happens.

use sd_notify::NotifyState;

/// Start-up is finished; `status` says what is being done.
pub fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is read again: [`ready`] follows, whatever comes of it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "no time to notify by"),
    }
}

/// What is being done now, in one line.
pub fn status(status: &str) {
    send(&[NotifyState::Status(status)]);
}

/// Starting takes longer: it moves on within `by` from now.
pub fn extend(by: std::time::Duration, status: &str) {
    let by = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
    send(&[NotifyState::ExtendTimeoutUsec(by), NotifyState::Status(status)]);
}

/// The work goes on: to be said more often than the watchdog's interval, and only while it is true.
pub fn watchdog() {
    send(&[NotifyState::Watchdog]);
}

/// Ending has begun.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// How often the watchdog wants to hear, if there is one.
#[must_use]
pub fn watchdog_interval() -> Option<std::time::Duration> {
    sd_notify::watchdog_enabled()
}

fn send(states: &[NotifyState<'_>]) {
    // Whoever asked to be told may be gone; our work does not depend on it.
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "nobody to notify");
    }
}
