//! Notices that somebody has corrected what an account logs in by: a file of it is another one than before.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::sleep;

use crate::oauth::{Stamp, Tokens};
use crate::settings::{Account, SignIn};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The files as they were before a try.
#[derive(Debug)]
pub(super) struct Corrected(Vec<(PathBuf, Option<Stamp>)>);

impl Corrected {
    /// The files of `account` as they are.
    pub(super) fn since_now(account: &Account) -> Self {
        let stamped = |path: PathBuf| {
            let stamp = Stamp::of(&path);
            (path, stamp)
        };
        Self(account.sign_in.files().into_iter().map(stamped).collect())
    }

    /// Resolves once one of them has changed, but for changes of our own: what a provider puts in place of a refresh token
    /// corrects nothing.
    pub(super) async fn changed(mut self, tokens: &Tokens, account: &Account) {
        if let SignIn::OAuth2(settings) = &account.sign_in {
            let seen = tokens.seen(&account.id).await;
            for (_, stamp) in self.0.iter_mut().filter(|(path, _)| *path == settings.kept) {
                *stamp = seen;
            }
        }
        while self.0.iter().all(|(path, before)| Stamp::of(path) == *before) {
            sleep(LOOK).await;
        }
    }
}
