//! The access tokens of all accounts, in memory alone: got when first needed, shared by an account's connections, got anew
//! before they end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::Instant;

use super::answer::{self, Grant};
use super::client::Client;
use super::kept::{Kept, Stamp};
use crate::board::{Board, TokenFacts};
use crate::error::{Error, Result};
use crate::settings::{Account, SignIn};

/// A token that ends sooner than this is not begun with.
const AHEAD: Duration = Duration::from_mins(5);

/// Shared by all who connect. Clones are the same ones.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    accounts: Arc<Mutex<HashMap<String, Arc<Turn<Slot>>>>>,
    board: Board,
}

/// Of one account.
#[derive(Debug, Default)]
struct Slot {
    token: Option<SecretString>,
    /// For whom and by what it was got; a reload of the configuration may change either.
    of: Option<(String, SignIn)>,
    /// The mail server has taken it once.
    accepted: bool,
    /// When it is to be got anew.
    until: Option<Instant>,
    /// What the disk did not take.
    unsaved: Option<Kept>,
    /// Of the file that the login is kept in, as we saw or left it.
    seen: Option<Stamp>,
}

/// An access token.
#[derive(Debug)]
pub struct Access {
    /// What the mail server is shown.
    pub token: SecretString,
    /// The mail server has taken it before. One that was never taken and is refused will be refused again; there is no use
    /// in another one.
    pub accepted: bool,
}

impl Tokens {
    /// Tokens whose ways are told on `board`.
    #[must_use]
    pub fn told_on(board: Board) -> Self {
        Self { accounts: Arc::default(), board }
    }

    /// An access token for `account`; not `refused`, which the mail server does not take.
    ///
    /// # Errors
    /// [`Error::Token`] until a person acts; others are to be tried again.
    pub async fn access(&self, account: &Account, refused: Option<&SecretString>) -> Result<Access> {
        let mut slot = self.slot(&account.id).lock_owned().await;
        if let Some(token) = slot.usable(account, refused) {
            return Ok(Access { token, accepted: slot.accepted });
        }
        slot.token = None;
        let (tokens, account) = (self.clone(), account.clone());
        // In a task of its own: who waits may go away, but what the server has given out must be kept.
        let renewed = tokio::spawn(async move { tokens.renew(slot, &account).await });
        let token = renewed.await.map_err(|e| Error::Internal(e.to_string()))??;
        Ok(Access { token, accepted: false })
    }

    /// The mail server has taken `token`.
    pub async fn accepted(&self, account: &str, token: &SecretString) {
        let mut slot = self.slot(account).lock_owned().await;
        slot.accepted |= slot.token.as_ref().is_some_and(|t| t.expose_secret() == token.expose_secret());
    }

    /// The mail server wants another token, whatever was said of how long this one lasts.
    pub async fn forget(&self, account: &str) {
        self.slot(account).lock_owned().await.token = None;
    }

    /// The file that the login of `account` is kept in, as this process saw or left it.
    pub async fn seen(&self, account: &str) -> Option<Stamp> {
        self.slot(account).lock_owned().await.seen
    }

    fn slot(&self, account: &str) -> Arc<Turn<Slot>> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(accounts.entry(account.to_owned()).or_default())
    }

    async fn renew(&self, mut slot: OwnedMutexGuard<Slot>, account: &Account) -> Result<SecretString> {
        let got = match (&account.sign_in, Client::of(account)) {
            (SignIn::TokenCommand(command), _) => {
                let text = command.text("token").await.map_err(|e| Error::Secret(e.into()))?;
                let grant = answer::printed(text.expose_secret());
                grant.map(|grant| (grant, None)).map_err(|fault| Error::Token {
                    user: account.user.clone(),
                    text: format!("{}: {fault}", account.sign_in.place()),
                })
            }
            (_, Some(client)) => {
                slot.seen = Stamp::of(&client.settings().kept);
                let got = client.renew(&mut slot.unsaved).await;
                if got.is_ok() {
                    slot.seen = Stamp::of(&client.settings().kept);
                }
                got
            }
            (SignIn::Password(_) | SignIn::OAuth2(_), None) => {
                Err(Error::Internal("this account signs in by a password".into()))
            }
        };
        self.board.account(&account.id, |known| {
            let facts = known.token.get_or_insert_with(TokenFacts::default);
            match &got {
                Ok((_, kept)) => {
                    facts.granted += 1;
                    facts.kept = kept.as_ref().map(|k| (k.logged_in_at, k.renewed_at, k.expires_at));
                }
                Err(Error::Token { .. }) => facts.refused += 1,
                Err(_) => facts.failed += 1,
            }
        });
        let (grant, _) = got?;
        tracing::debug!(account = account.id, lasts_s = grant.lifetime.as_secs(), "a new access token");
        slot.take(account, &grant, Instant::now());
        Ok(grant.access)
    }
}

impl Slot {
    fn usable(&self, account: &Account, refused: Option<&SecretString>) -> Option<SecretString> {
        let token = self.token.as_ref()?;
        let (user, sign_in) = self.of.as_ref()?;
        if *user != account.user || *sign_in != account.sign_in {
            return None;
        }
        let is_refused = refused.is_some_and(|refused| refused.expose_secret() == token.expose_secret());
        (!is_refused && self.until? > Instant::now()).then(|| token.clone())
    }

    fn take(&mut self, account: &Account, grant: &Grant, now: Instant) {
        self.of = Some((account.user.clone(), account.sign_in.clone()));
        let ahead = AHEAD.min(grant.lifetime / 2);
        self.until = now.checked_add(grant.lifetime.saturating_sub(ahead));
        self.token = Some(grant.access.clone());
        self.accepted = false;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::task::JoinSet;
    use vigie_common::config::Loaded;

    use super::*;
    use crate::settings::Settings;

    /// An account whose tokens come from a command that writes a line into `asked` each time.
    fn account(asked: &Path, script: &str) -> Account {
        let text = format!(
            "[[account]]\nid = \"a\"\nhost = \"h\"\nuser = \"u\"\ntoken_command = [\"sh\", \"-c\", '''echo >> {}; {script}''']",
            asked.display()
        );
        let loaded = Loaded::parse(Path::new("vigie.toml"), text, []).unwrap();
        Settings::from_config(&loaded).unwrap().accounts.remove(0)
    }

    #[tokio::test]
    async fn connections_that_ask_at_the_same_time_wait_for_one_answer() {
        let place = tempfile::tempdir().unwrap();
        let asked = place.path().join("asked");
        let account = account(&asked, r#"echo "{\"access_token\":\"t$$\",\"expires_in\":3600}""#);
        let account = Arc::new(account);
        let tokens = Tokens::default();
        let mut all = JoinSet::new();
        for _ in 0..20 {
            let (tokens, account) = (tokens.clone(), Arc::clone(&account));
            all.spawn(async move { tokens.access(&account, None).await.unwrap().token });
        }
        let got = all.join_all().await;
        let count = || std::fs::read_to_string(&asked).unwrap().lines().count();
        assert_eq!(count(), 1);
        assert!(got.iter().all(|token| token.expose_secret() == got[0].expose_secret()));
        // One of them is refused: those who were refused the same one share the next.
        for _ in 0..3 {
            tokens.access(&account, Some(&got[0])).await.unwrap();
        }
        assert_eq!(count(), 2);
        // A token of other settings is none of these.
        let other = Account { user: "other".into(), ..Account::clone(&account) };
        tokens.access(&other, None).await.unwrap();
        assert_eq!(count(), 3);
        tokens.forget("a").await;
        assert!(!tokens.access(&account, None).await.unwrap().accepted);
        assert_eq!(count(), 4);
    }

    #[tokio::test]
    async fn whoever_waits_may_go_away_and_the_answer_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let asked = place.path().join("asked");
        let script = "read line < gate; echo '{\"access_token\":\"t\",\"expires_in\":3600}'";
        let gate = place.path().join("gate");
        assert!(std::process::Command::new("mkfifo").arg(&gate).status().unwrap().success());
        let account = account(&asked, &script.replace("gate", &gate.display().to_string()));
        let tokens = Tokens::default();
        let left = tokio::time::timeout(Duration::from_millis(1), tokens.access(&account, None)).await;
        assert!(left.is_err());
        let gate = gate.clone();
        tokio::task::spawn_blocking(move || std::fs::write(gate, "go\n").unwrap()).await.unwrap();
        assert_eq!(tokens.access(&account, None).await.unwrap().token.expose_secret(), "t");
        assert_eq!(std::fs::read_to_string(&asked).unwrap().lines().count(), 1);
    }
}
